"""Files in a storage of Django's: a folder of this machine, or a service that speaks S3; nothing else of the portal knows which."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from django.core.files import File
from django.core.files.storage import FileSystemStorage, Storage

_CHUNK = 2**20  # bytes


def put(storage: Storage, file: Path, name: str, *, copy: bool = False) -> None:
    """Put a file into a storage, whole or not at all; one of that name is replaced.

    Parameters
    ----------
    storage
        Where to.
    file
        A file of this machine. It is moved away where that is possible.
    name
        What it shall be called, with ``/`` between folders.
    copy
        Leave `file` where it is (a second name for the same bytes where the disk allows it).
    """
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
            os.fsync(opened.fileno())  # who was told that the file is there must find it after a power cut
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)


def opened(storage: Storage, name: str, start: int = 0) -> BinaryIO:
    """Open a file to be read from byte `start` on.

    Raises
    ------
    FileNotFoundError
        If there is none of that name.
    """
    if isinstance(storage, FileSystemStorage):
        file: BinaryIO = Path(storage.path(name)).open("rb")  # noqa: SIM115 – who asked for it closes it
    else:
        file = storage.open(name, "rb")  # type: ignore[assignment]
    file.seek(start)
    return file


@contextmanager
def on_disk(storage: Storage, *names: str) -> Iterator[list[Path]]:
    """Files of a storage as files of this machine, only to be read: they lie there as long as the context lasts."""
    if isinstance(storage, FileSystemStorage):
        yield [Path(storage.path(name)) for name in names]
        return
    with tempfile.TemporaryDirectory(prefix="striate-storage-") as aside:
        fetched = [Path(aside) / Path(name).name for name in names]
        for name, target in zip(names, fetched, strict=True):
            with storage.open(name, "rb") as source, target.open("wb") as file:
                shutil.copyfileobj(source, file, _CHUNK)
        yield fetched


def _link_or_copy(file: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        os.link(file, target)
    except OSError:  # another disk, or a file system without links
        shutil.copyfile(file, target)
