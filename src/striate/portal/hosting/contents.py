"""The bytes of hosted files: kept once, by their hash, in the storage ``data``, or served from the competition's folder."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from django.core.files.storage import FileSystemStorage, Storage, storages

from striate.portal.competition import competition
from striate.portal.models import Content
from striate.portal.storage import opened as opened_in
from striate.portal.storage import pieces

_CHUNK = 2**20  # bytes


def storage() -> Storage:
    """Where contents lie that are not served from the competition's folder."""
    return storages["data"]


def path_of(content: Content) -> Path | None:
    """The file of this machine that has these bytes; None where they lie on another."""
    if content.beside:
        return competition().folder / content.beside
    kept = storage()
    return Path(kept.path(content.name)) if isinstance(kept, FileSystemStorage) else None


def opened(content: Content, start: int = 0) -> BinaryIO:
    """Open bytes to be read from byte `start` on.

    Raises
    ------
    FileNotFoundError
        If they are gone, or a file of the competition's folder was changed since.
    """
    if not content.beside:
        return opened_in(storage(), content.name, start)
    file = competition().folder / content.beside
    if file.stat().st_size != content.size:
        raise FileNotFoundError(f"{file} has another size than when it was published.")
    found = file.open("rb")
    found.seek(start)
    return found


@contextmanager
def on_disk(content: Content, aside: Path) -> Iterator[Path]:
    """The bytes as a file of this machine, only to be read, as long as the context lasts; those on a service are fetched to `aside`."""
    file = path_of(content)
    if file is not None:
        yield file
        return
    with tempfile.NamedTemporaryFile(dir=aside) as fetched:
        with opened(content) as source:
            shutil.copyfileobj(source, fetched, _CHUNK)
        fetched.flush()
        yield Path(fetched.name)


def chunks(content: Content, start: int, length: int) -> Iterator[bytes]:
    """Some of the bytes, a piece at a time."""
    yield from pieces(opened(content, start), length)


def head(content: Content, most: int) -> bytes:
    """The first bytes."""
    with opened(content) as file:
        return file.read(most)
