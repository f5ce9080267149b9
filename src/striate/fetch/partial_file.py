"""What was received so far of a file: bytes, and what the host said of them."""

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
    """What a host said of the file that it sends.

    Attributes
    ----------
    address
        Where the bytes come from.
    etag
        Its ``ETag``.
    modified
        Its ``Last-Modified``.
    total
        Size of the whole file, in bytes.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    address: str
    etag: str | None = None
    modified: str | None = None
    total: int | None = None

    def differs(self, other: "FileVersion") -> str | None:
        """Say why this cannot be the same file as `other`, as a clause; None if nothing speaks against it."""
        if self.total is not None and other.total is not None and self.total != other.total:
            return f"it has {self.total:,} bytes now, and had {other.total:,}"
        if self.address != other.address:  # tags and times are each host's own
            return None
        if self.etag and other.etag:
            return f"its tag is {self.etag} now, and was {other.etag}" if self.etag != other.etag else None
        if self.modified and other.modified and self.modified != other.modified:
            return f"its date is {self.modified} now, and was {other.modified}"
        return None


class _State(BaseModel):
    model_config = ConfigDict(extra="ignore")

    origin: FileVersion
    synced: Annotated[int, Field(ge=0, lt=2**63)] = 0  # bytes that the disk has for certain
    boot: str = ""  # and since when the machine runs


class PartialFile:
    """The bytes of a file that is not whole yet.

    They stay when the process is killed. After the machine went down, only those count that the disk had for certain.

    Parameters
    ----------
    path
        Where the bytes are; what the host said of them stands beside it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._notes = path.with_name(f"{path.name}.json")
        self._state: _State | None = None
        self._recover()

    @property
    def size(self) -> int:
        """Bytes that are here."""
        try:
            return self.path.stat().st_size if self._state else 0
        except FileNotFoundError:
            return 0

    @property
    def origin(self) -> FileVersion | None:
        """What the host said of the file; None if nothing is here."""
        return self._state.origin if self._state else None

    def begin(self, origin: FileVersion) -> None:
        """Start over: drop what is here, and note whose bytes come now."""
        self.discard()
        self._write_state(_State(origin=origin, boot=_boot()))
        with _on_this_machine(self.path):
            self.path.touch()

    def resume(self, origin: FileVersion) -> None:
        """Note whose bytes come now, to go on with what is here."""
        synced = self._state.synced if self._state else 0
        self._write_state(_State(origin=origin, synced=synced, boot=_boot()))

    @contextlib.contextmanager
    def writing(self, at: int) -> Iterator["PartialFileWriter"]:
        """Write from a place on; in the end, and now and then, the bytes are brought to the disk."""
        with _on_this_machine(self.path):
            file = self.path.open("r+b", buffering=0)
        writer = PartialFileWriter(self, file, at)
        try:
            yield writer
        finally:
            file.close()

    def synced(self, size: int) -> None:
        """Note that the disk has so many bytes for certain."""
        if self._state is not None:
            self._write_state(self._state.model_copy(update={"synced": size}))

    def discard(self) -> None:
        """Drop everything."""
        with _on_this_machine(self.path):
            self._notes.unlink(missing_ok=True)  # first: bytes without notes count as none
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
        if state.boot != _boot() and size > state.synced:  # the machine went down meanwhile
            with _on_this_machine(self.path):
                os.truncate(self.path, state.synced)
        self._state = state


class PartialFileWriter:
    """Writes the bytes of a partial file."""

    def __init__(self, partial: PartialFile, file: BinaryIO, at: int) -> None:
        self._partial = partial
        self._file = file
        self._unsynced = 0
        self.at = at
        file.seek(at)

    def write(self, data: bytes) -> None:
        """Write bytes at the current place.

        Raises
        ------
        LocalError
            If the disk does not take them.
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
        """Bring the bytes to the disk, and note that."""
        with _on_this_machine(self._partial.path):
            os.fsync(self._file.fileno())
        self._unsynced = 0
        self._partial.synced(self.at)


@contextlib.contextmanager
def _on_this_machine(path: Path) -> Iterator[None]:
    """Say what is in the way here, in one sentence; it is no fault of the host."""
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        raise local_error(path, error) from error


def local_error(path: Path, error: OSError) -> LocalError:
    """Say that something cannot be written, and what to do."""
    if is_disk_full(error):
        return LocalError(
            f"The disk of {path.parent} is full ({error.strerror}): free some space, or choose another folder ({option('--to', 'to=…')}); what "
            "was received is kept."
        )
    return LocalError(
        f"{path} cannot be written ({error.strerror}): mend its permissions, or choose another folder ({option('--to', 'to=…')})."
    )


def _boot() -> str:
    """Tell since when the machine runs; empty where it does not say."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""
