"""Partial downloads: the received bytes, and the version of the file that they belong to."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

from pydantic import BaseModel, ConfigDict, Field

from striate._internal.atomic_write import atomic_write, is_disk_full
from striate._internal.safe_parsing import parse_as, read_limited
from striate.errors import InputError, option
from striate.fetch.errors import LocalError

_SYNCED_EVERY = 64 * 2**20  # bytes
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class FileVersion(BaseModel):
    """Version of a file on a host, from the response headers.

    Attributes
    ----------
    address
        URL of the file.
    etag
        Value of the header ``ETag``.
    modified
        Value of the header ``Last-Modified``.
    total
        Size of the complete file in bytes.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    address: str
    etag: str | None = None
    modified: str | None = None
    total: int | None = None

    def differs(self, other: "FileVersion") -> str | None:
        """Return why this version differs from `other`, as a clause; None if they may be equal."""
        if self.total is not None and other.total is not None and self.total != other.total:
            return f"it has {self.total:,} bytes now, and had {other.total:,}"
        if self.address != other.address:  # hosts have their own tags and times
            return None
        if self.etag and other.etag:
            return f"its tag is {self.etag} now, and was {other.etag}" if self.etag != other.etag else None
        if self.modified and other.modified and self.modified != other.modified:
            return f"its date is {self.modified} now, and was {other.modified}"
        return None


class _State(BaseModel):
    model_config = ConfigDict(extra="ignore")

    origin: FileVersion
    synced: Annotated[int, Field(ge=0, lt=2**63)] = 0  # bytes flushed to disk
    boot: str = ""  # boot id of the machine at that time


class PartialFile:
    """Received bytes of an incomplete file.

    They survive a killed process. After a crash of the machine, only bytes that were flushed to disk are used.

    Parameters
    ----------
    path
        Path of the received bytes. The file version is stored next to it, with the suffix ``.json``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._notes = path.with_name(f"{path.name}.json")
        self._state: _State | None = None
        self._recover()

    @property
    def size(self) -> int:
        """Number of bytes received so far."""
        try:
            return self.path.stat().st_size if self._state else 0
        except FileNotFoundError:
            return 0

    @property
    def origin(self) -> FileVersion | None:
        """Version of the file that the bytes belong to; None if there are none."""
        return self._state.origin if self._state else None

    def begin(self, origin: FileVersion) -> None:
        """Discard the received bytes and start a new download."""
        self.discard()
        self._write_state(_State(origin=origin, boot=_boot()))
        with _on_this_machine(self.path):
            self.path.touch()

    def resume(self, origin: FileVersion) -> None:
        """Keep the received bytes and record the version of the bytes that follow."""
        synced = self._state.synced if self._state else 0
        self._write_state(_State(origin=origin, synced=synced, boot=_boot()))

    @contextlib.contextmanager
    def writing(self, at: int) -> Iterator["PartialFileWriter"]:
        """Open a writer at offset `at`. It flushes to disk at regular intervals."""
        with _on_this_machine(self.path):
            file = self.path.open("r+b", buffering=0)
        writer = PartialFileWriter(self, file, at)
        try:
            yield writer
        finally:
            file.close()

    def synced(self, size: int) -> None:
        """Record that the first `size` bytes were flushed to disk."""
        if self._state is not None:
            self._write_state(self._state.model_copy(update={"synced": size}))

    def discard(self) -> None:
        """Delete the received bytes and their version."""
        with _on_this_machine(self.path):
            self._notes.unlink(missing_ok=True)  # first, because bytes without a version are ignored
            self.path.unlink(missing_ok=True)
        self._state = None

    def _write_state(self, state: _State) -> None:
        with atomic_write(self._notes, overwrite=True) as aside:
            aside.write_text(state.model_dump_json(), encoding="utf-8")
        self._state = state

    def _recover(self) -> None:
        try:
            state = parse_as(_State, read_limited(self._notes))
            size = self.path.stat().st_size
        except (OSError, InputError):
            return
        if state.boot != _boot() and size > state.synced:  # the machine was restarted since
            with _on_this_machine(self.path):
                os.truncate(self.path, state.synced)
        self._state = state


class PartialFileWriter:
    """Append bytes to a partial file."""

    def __init__(self, partial: PartialFile, file: BinaryIO, at: int) -> None:
        self._partial = partial
        self._file = file
        self._unsynced = 0
        self.at = at
        file.seek(at)

    def write(self, data: bytes) -> None:
        """Write bytes at the current offset.

        Raises
        ------
        LocalError
            If the bytes cannot be written.
        """
        with _on_this_machine(self._partial.path):
            rest = memoryview(data)
            while rest:
                written = self._file.write(rest)
                self.at += written
                rest = rest[written:]
        self._unsynced += len(data)
        if self._unsynced >= _SYNCED_EVERY:
            self.sync()

    def sync(self) -> None:
        """Flush the bytes to disk and record their number."""
        with _on_this_machine(self._partial.path):
            os.fsync(self._file.fileno())
        self._unsynced = 0
        self._partial.synced(self.at)


@contextlib.contextmanager
def _on_this_machine(path: Path) -> Iterator[None]:
    """Convert `OSError` to `LocalError` inside the block."""
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        raise local_error(path, error) from error


def local_error(path: Path, error: OSError) -> LocalError:
    """Return the error for a file that cannot be written, with advice."""
    if is_disk_full(error):
        return LocalError(
            f"The disk of {path.parent} is full ({error.strerror}): free some space, or choose another folder ({option('--to', 'to=…')}); what "
            "was received is kept."
        )
    return LocalError(
        f"{path} cannot be written ({error.strerror}): mend its permissions, or choose another folder ({option('--to', 'to=…')})."
    )


def _boot() -> str:
    """Return the boot id of the machine, or an empty string where it is unknown."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""
