"""Where submissions are kept: a folder, or what Django's storage ``submissions`` is set to.

A file that is being checked lies in ``incoming/ID``; one with a receipt is named by its hash, as ``striate competition close``
expects it.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from django.core.files import File
from django.core.files.storage import FileSystemStorage, Storage, storages


def _storage() -> Storage:
    return storages["submissions"]


def put(files: Mapping[str, Path], number: UUID) -> None:
    """Take files in; they are moved where that is possible."""
    for name, file in files.items():
        _put(file, f"incoming/{number}/{name}")


def keep(file: Path, sha256: str) -> None:
    """Keep a native file under its hash; the same file is kept once."""
    name = kept_name(sha256)
    if not _storage().exists(name):
        _put(file, name, copy=True)


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


@contextmanager
def incoming(number: UUID) -> Iterator[Path]:
    """What came in, on this machine's disk: the native file, or the folder with the CSVs."""
    storage, folder = _storage(), f"incoming/{number}"
    with tempfile.TemporaryDirectory(prefix="striate-incoming-") as aside:
        names = storage.listdir(folder)[1]
        place = Path(storage.path(folder)) if isinstance(storage, FileSystemStorage) else Path(aside) / "incoming"
        if not isinstance(storage, FileSystemStorage):
            place.mkdir()
            for name in names:
                _get(storage, f"{folder}/{name}", place / name)
        yield place / names[0] if len(names) == 1 and names[0].endswith(".parquet") else place


@contextmanager
def kept(sha256: str) -> Iterator[Path]:
    """A kept file, on this machine's disk."""
    storage, name = _storage(), kept_name(sha256)
    if isinstance(storage, FileSystemStorage):
        yield Path(storage.path(name))
        return
    with tempfile.TemporaryDirectory(prefix="striate-kept-") as aside:
        _get(storage, name, Path(aside) / name)
        yield Path(aside) / name


def _put(file: Path, name: str, *, copy: bool = False) -> None:
    storage = _storage()
    if not isinstance(storage, FileSystemStorage):
        with file.open("rb") as opened:
            storage.save(name, File(opened))
        return
    target = Path(storage.path(name))
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        if copy:
            _link_or_copy(file, aside)
        else:
            shutil.move(file, aside)
        aside.chmod(0o600)
        with aside.open("rb") as opened:
            os.fsync(opened.fileno())  # a receipt promises that the file is there
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)


def _link_or_copy(file: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        os.link(file, target)
    except OSError:  # another disk, or a file system without links
        shutil.copyfile(file, target)


def _get(storage: Storage, name: str, target: Path) -> None:
    with storage.open(name, "rb") as source, target.open("wb") as file:
        shutil.copyfileobj(source, file, 2**20)
