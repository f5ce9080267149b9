"""Select the best of several mirrors of a dataset, by recent failures."""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from striate.catalog import DataFile
from striate.fetch.auth_tokens import origin


class Mirror:
    """One source of the files of a dataset.

    Attributes
    ----------
    address
        Base URL with a trailing slash, or absolute path of a folder.
    failures
        Number of failed attempts in a row.
    parts
        Whether the host answers range requests correctly, as far as known.
    down
        Whether the host was found to be unavailable and has not responded since.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.failures = 0
        self.parts = True
        self.down = False

    @property
    def folder(self) -> Path | None:
        """Path of the mirror if it is a folder, else None."""
        return None if urlsplit(self.address).scheme in ("http", "https") else Path(self.address)


class Mirrors:
    """Thread-safe list of mirrors, ordered by the number of recent failures.

    Parameters
    ----------
    addresses
        Base URLs or folders in the order of preference.
    per_host
        Maximum number of concurrent connections to one host.
    """

    def __init__(self, addresses: Sequence[str], *, per_host: int) -> None:
        self._mirrors = [Mirror(address) for address in dict.fromkeys(addresses)]
        self._excluded: dict[tuple[str, str], str] = {}
        hosts = {self._host(mirror) for mirror in self._mirrors}
        self._slots = {host: threading.BoundedSemaphore(per_host) for host in hosts}
        self._lock = threading.Lock()

    def best(self, file: DataFile) -> Mirror | None:
        """Return the mirror with the fewest recent failures that may have the file, or None."""
        with self._lock:
            left = [m for m in self._mirrors if (m.address, file.name) not in self._excluded]
            return min(left, key=lambda mirror: mirror.failures, default=None)

    def record_success(self, mirror: Mirror) -> None:
        """Record a successful attempt."""
        with self._lock:
            mirror.failures = 0
            mirror.down = False

    def record_failure(self, mirror: Mirror) -> None:
        """Record a failed attempt."""
        with self._lock:
            mirror.failures += 1

    def exclude(self, mirror: Mirror, file: DataFile, reason: str) -> None:
        """Exclude a mirror for a file that it cannot serve."""
        with self._lock:
            self._excluded[mirror.address, file.name] = reason

    def reasons(self, file: DataFile) -> list[str]:
        """Return why mirrors were excluded for a file."""
        with self._lock:
            return [reason for (_, name), reason in self._excluded.items() if name == file.name]

    @contextlib.contextmanager
    def slot(self, mirror: Mirror) -> Iterator[None]:
        """Hold one of the limited connections to the host of a mirror."""
        with self._slots[self._host(mirror)]:
            yield

    @staticmethod
    def _host(mirror: Mirror) -> str:
        return mirror.address if mirror.folder else origin(mirror.address)
