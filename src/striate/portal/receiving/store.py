"""Where submissions are kept: in Django's storage ``submissions``.

A file that is being checked lies in ``incoming/ID``; one with a receipt is named by its hash, as ``striate competition close``
expects it.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from uuid import UUID

from django.core.files.storage import Storage, storages

from striate.portal import storage as files


def _storage() -> Storage:
    return storages["submissions"]


def put(sent: Mapping[str, Path], number: UUID, *, copy: bool = False) -> None:
    """Take files in; they are moved where that is possible, unless they shall stay (`copy`)."""
    for name, file in sent.items():
        files.put(_storage(), file, f"incoming/{number}/{name}", copy=copy)


def keep(file: Path, sha256: str) -> None:
    """Keep a native file under its hash; the same file is kept once."""
    name = kept_name(sha256)
    if not _storage().exists(name):
        files.put(_storage(), file, name, copy=True)


def kept_name(sha256: str) -> str:
    """What a kept file is called."""
    return f"{sha256}.parquet"


def forget(number: UUID) -> None:
    """Remove what came in."""
    storage = _storage()
    folder = f"incoming/{number}"
    for name in storage.listdir(folder)[1] if storage.exists(folder) else ():
        storage.delete(f"{folder}/{name}")
    storage.delete(folder)


def sweep(wanted: Callable[[Collection[str]], Collection[str]], before: datetime) -> int:
    """Remove what came in before a moment and is wanted no more: a process was killed before it could do so.

    Parameters
    ----------
    wanted
        Which of some numbers of submissions are still to be checked.
    before
        What came in later stays: its submission may not be recorded yet.

    Returns
    -------
    int
        How many there were.
    """
    storage = _storage()
    numbers = storage.listdir("incoming")[0] if storage.exists("incoming") else []
    swept = 0
    for number in set(numbers) - set(wanted(numbers)):
        names = storage.listdir(f"incoming/{number}")[1]
        if all(storage.get_modified_time(f"incoming/{number}/{name}") < before for name in names):
            forget(UUID(number))
            swept += 1
    return swept


@contextmanager
def incoming(number: UUID) -> Iterator[Path]:
    """What came in, on this machine's disk: the native file, or the folder with the CSVs."""
    folder = f"incoming/{number}"
    names = _storage().listdir(folder)[1]
    with files.on_disk(_storage(), *(f"{folder}/{name}" for name in names)) as found:
        yield found[0] if len(found) == 1 and found[0].suffix == ".parquet" else found[0].parent


@contextmanager
def kept(sha256: str) -> Iterator[Path]:
    """A kept file, on this machine's disk."""
    with files.on_disk(_storage(), kept_name(sha256)) as found:
        yield found[0]
