"""Where submissions are kept: in Django's storage ``submissions``.

A file that is being checked lies in ``incoming/ID``; one with a receipt is named by its hash, as ``striate competition close``
expects it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from django.core.files.storage import Storage, storages
from django.utils import timezone

from striate.competition.manifest import sha256_of
from striate.portal import storage as files


def _storage() -> Storage:
    return storages["submissions"]


def where() -> str:
    """Where they lie, for people."""
    return files.where(_storage())


def put(sent: Mapping[str, Path], number: UUID) -> None:
    """Take files in; they are moved away."""
    for name, file in sent.items():
        file.touch()  # `forgotten` asks since when it is here, not when it was written
        files.put(_storage(), file, f"incoming/{number}/{name}")


def keep(file: Path, sha256: str, number: UUID) -> None:
    """Keep a native file under its hash; the same file is kept once.

    Parameters
    ----------
    file
        The file, on this machine.
    sha256
        Its hash.
    number
        The submission; where `file` is what came in, it is not sent to the storage once more.
    """
    storage, name = _storage(), kept_name(sha256)
    if storage.exists(name):
        return
    came = f"incoming/{number}/{file.name}"
    if file.name in _names(number):
        files.copy(storage, came, name)
    else:
        files.put(storage, file, name, copy=True)


def kept_name(sha256: str) -> str:
    """What a kept file is called."""
    return f"{sha256}.parquet"


def forget(number: UUID) -> None:
    """Remove what came in."""
    files.remove(_storage(), f"incoming/{number}")


def forgotten(longer_than: timedelta) -> set[UUID]:
    """Whose files have been in ``incoming`` for longer than a time; what is nobody's, as a check of the storage leaves it, is removed."""
    before, found = timezone.now() - longer_than, set()
    for name, at in files.below(_storage(), "incoming"):
        if at >= before:
            continue
        try:
            found.add(UUID(name.split("/")[1]))
        except ValueError:
            _storage().delete(name)
    return found


@contextmanager
def incoming(number: UUID) -> Iterator[Path]:
    """What came in, on this machine's disk: the native file, or the folder with the CSVs."""
    names = _names(number)
    if not names:
        raise FileNotFoundError(f"there is nothing of {number}")
    with files.on_disk(_storage(), *(f"incoming/{number}/{name}" for name in names)) as found:
        yield found[0] if len(found) == 1 and found[0].suffix == ".parquet" else found[0].parent


def _names(number: UUID) -> list[str]:
    return [name.rpartition("/")[2] for name, _ in files.below(_storage(), f"incoming/{number}")]


@contextmanager
def kept(sha256: str) -> Iterator[Path]:
    """A kept file, on this machine's disk.

    Raises
    ------
    OSError
        If it is not there, or its bytes are not those that were kept.
    """
    with files.on_disk(_storage(), kept_name(sha256)) as found:
        if sha256_of(found[0]) != sha256:
            raise OSError(f"{kept_name(sha256)} is damaged: its bytes have another hash than its name says")
        yield found[0]


def size(sha256: str) -> int:
    """How many bytes a kept file has.

    Raises
    ------
    FileNotFoundError
        If it is not there.
    """
    return _storage().size(kept_name(sha256))


def chunks(sha256: str, start: int, length: int) -> Iterator[bytes]:
    """Some bytes of a kept file, a piece at a time, as they are sent."""
    yield from files.pieces(files.opened(_storage(), kept_name(sha256), start), length)
