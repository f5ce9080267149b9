"""The addresses of a dataset, the healthiest first."""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from striate.catalog import DataFile
from striate.fetch.auth_tokens import origin


class Mirror:
    """One address that files of a dataset can be had from.

    Attributes
    ----------
    address
        Base address, ending in a slash; or a folder, as an absolute path.
    failures
        Attempts in a row that failed.
    parts
        Whether it sends parts of files as it should, as far as is known.
    down
        Whether it was given up as down, and has not answered since.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.failures = 0
        self.parts = True
        self.down = False

    @property
    def folder(self) -> Path | None:
        """The folder, if it is one."""
        return None if urlsplit(self.address).scheme in ("http", "https") else Path(self.address)


class Mirrors:
    """Addresses in the order of their health; safe to use from several threads.

    Parameters
    ----------
    addresses
        In the order of preference.
    per_host
        Connections to one host at a time.
    """

    def __init__(self, addresses: Sequence[str], *, per_host: int) -> None:
        self._mirrors = [Mirror(address) for address in dict.fromkeys(addresses)]
        self._excluded: dict[tuple[str, str], str] = {}
        hosts = {self._host(mirror) for mirror in self._mirrors}
        self._slots = {host: threading.BoundedSemaphore(per_host) for host in hosts}
        self._lock = threading.Lock()

    def best(self, file: DataFile) -> Mirror | None:
        """Address with the fewest failures in a row that may have the file; None if there is none."""
        with self._lock:
            left = [m for m in self._mirrors if (m.address, file.name) not in self._excluded]
            return min(left, key=lambda mirror: mirror.failures, default=None)

    def worked(self, mirror: Mirror) -> None:
        """Note that an address gave what was asked for."""
        with self._lock:
            mirror.failures = 0
            mirror.down = False

    def failed(self, mirror: Mirror) -> None:
        """Note that an attempt failed."""
        with self._lock:
            mirror.failures += 1

    def exclude(self, mirror: Mirror, file: DataFile, reason: str) -> None:
        """Note that an address cannot give a file, whatever the number of attempts."""
        with self._lock:
            self._excluded[mirror.address, file.name] = reason

    def reasons(self, file: DataFile) -> list[str]:
        """Why addresses cannot give a file."""
        with self._lock:
            return [reason for (_, name), reason in self._excluded.items() if name == file.name]

    @contextlib.contextmanager
    def slot(self, mirror: Mirror) -> Iterator[None]:
        """Hold one of the few connections to the host of an address."""
        with self._slots[self._host(mirror)]:
            yield

    @staticmethod
    def _host(mirror: Mirror) -> str:
        return mirror.address if mirror.folder else origin(mirror.address)
