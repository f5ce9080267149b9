"""Files in a storage of Django's: a folder of this machine, or a service that speaks S3; nothing else of the portal knows which."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeGuard, cast

from django.core.files.storage import FileSystemStorage, Storage

from striate.portal.place import FILE_MODE, FOLDER_MODE

if TYPE_CHECKING:  # who keeps files in a folder does not load what speaks to S3
    from striate.portal.s3 import S3

_CHUNK = 2**20  # bytes


def put(storage: Storage, file: Path, name: str, *, copy: bool = False) -> None:
    """Put a file into a storage, whole or not at all; one of that name is replaced.

    Parameters
    ----------
    storage
        Where to.
    file
        A file of this machine. It is moved away.
    name
        What it shall be called, with ``/`` between folders.
    copy
        Leave `file` where it is (a second name for the same bytes where the disk allows it).

    Raises
    ------
    OSError
        If there is no room, or the service does not answer.
    """
    if _is_s3(storage):
        with file.open("rb") as content:
            storage.put(content, name, file.stat().st_size)
        if not copy:
            file.unlink()
        return
    target = _path(storage, name)
    target.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        if copy:
            _link_or_copy(file, aside)
        else:
            shutil.move(file, aside)
        # What another user of the group made cannot be changed, and is right already.
        if aside.stat().st_mode & 0o777 != FILE_MODE:
            aside.chmod(FILE_MODE)
        with aside.open("rb") as written:
            os.fsync(written.fileno())  # who was told that the file is there must find it after a power cut
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)


def copy(storage: Storage, source: str, target: str) -> None:
    """Give a file a second name: one for the same bytes where the disk allows it; those on a service do not leave it."""
    if _is_s3(storage):
        storage.copy(source, target)
    else:
        put(storage, _path(storage, source), target, copy=True)


def opened(storage: Storage, name: str, start: int = 0) -> BinaryIO:
    """Open a file to be read from byte `start` on; of one on a service, only what is read is fetched, as it is read.

    Raises
    ------
    FileNotFoundError
        If there is none of that name.
    StorageUnavailableError
        If the service does not answer.
    """
    if _is_s3(storage):
        return cast(BinaryIO, storage.opened(name, start))
    file: BinaryIO = _path(storage, name).open("rb")
    file.seek(start)
    return file


def pieces(file: BinaryIO, length: int) -> Iterator[bytes]:
    """So many bytes of an opened file, a piece at a time.

    Raises
    ------
    FileNotFoundError
        If it has not so many.
    """
    with file:
        while length > 0:
            some = file.read(min(_CHUNK, length))
            if not some:
                raise FileNotFoundError("The bytes of a file end too early.")
            length -= len(some)
            yield some


@contextmanager
def on_disk(storage: Storage, *names: str) -> Iterator[list[Path]]:
    """Files of a storage as files of this machine, only to be read: they lie there as long as the context lasts."""
    if not _is_s3(storage):
        yield [_path(storage, name) for name in names]
        return
    with tempfile.TemporaryDirectory(prefix="striate-storage-") as aside:
        fetched = [Path(aside) / Path(name).name for name in names]
        for name, target in zip(names, fetched, strict=True):
            with opened(storage, name) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file, _CHUNK)
        yield fetched


def where(storage: Storage) -> str:
    """Where the files of a storage lie, for people: a folder, or a part of a bucket."""
    return f"s3://{storage.bucket_name}/{storage.location}" if _is_s3(storage) else str(_path(storage, ""))


def below(storage: Storage, folder: str) -> list[tuple[str, datetime]]:
    """Every file below a folder, and when it was written; none where there is no such folder."""
    if _is_s3(storage):
        return list(storage.below(folder))
    root, base = _path(storage, folder), _path(storage, "")
    found = []
    for file in sorted(root.rglob("*")):
        with suppress(FileNotFoundError):  # somebody else removes it in this instant
            if file.is_file():
                found.append((file.relative_to(base).as_posix(), datetime.fromtimestamp(file.stat().st_mtime, UTC)))
    return found


def remove(storage: Storage, folder: str) -> None:
    """Remove a folder with all that lies in it, if there is one."""
    if _is_s3(storage):
        for name, _ in below(storage, folder):
            storage.delete(name)
    else:
        shutil.rmtree(_path(storage, folder), ignore_errors=True)


def _is_s3(storage: Storage) -> "TypeGuard[S3]":
    return not isinstance(storage, FileSystemStorage)


def _path(storage: Storage, name: str) -> Path:
    assert isinstance(storage, FileSystemStorage)
    return Path(storage.path(name))


def _link_or_copy(file: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        os.link(file, target)
    except OSError:  # another disk, or a file system without links
        shutil.copyfile(file, target)
