"""Where prepared recordings lie: in the storage of the data, under a key that changes with the recording and with this code."""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.core.files.storage import FileSystemStorage, Storage, storages

from striate.competition.manifest import ListedFile
from striate.files import whole_folder
from striate.portal.competition import competition
from striate.portal.looking.version import SUMMARY, VERSION
from striate.portal.storage import opened, put

_FOLDER = "looking"
_DIGITS = 24  # of a key


def storage() -> Storage:
    """The storage of the data."""
    return storages["data"]


def recordings() -> list[ListedFile]:
    """The recordings that are hosted: public archives, as the manifest lists them."""
    return [each for each in competition().manifest.files if each.session is not None]


def recording(session: str) -> ListedFile | None:
    """The archive of one recording; None if none is hosted."""
    return next((each for each in recordings() if each.session == session), None)


def key(archive: ListedFile) -> str:
    """What names the prepared files of an archive: they change with its content, and with the code that prepares them."""
    return hashlib.sha256(f"{archive.sha256} {VERSION}".encode()).hexdigest()[:_DIGITS]


def name(own_key: str, file: str) -> str:
    """The name of a prepared file in the storage."""
    return f"{_FOLDER}/{own_key}/{file}"


def is_prepared(archive: ListedFile) -> bool:
    """Whether all files of an archive are there."""
    return storage().exists(name(key(archive), SUMMARY))


def summary(archive: ListedFile) -> dict[str, Any] | None:
    """What was found out about a recording; None until it is prepared."""
    return _summary(key(archive)) if is_prepared(archive) else None


@lru_cache(maxsize=32)
def _summary(own_key: str) -> dict[str, Any]:
    with opened(storage(), name(own_key, SUMMARY)) as file:
        return dict(json.loads(file.read()))


@contextmanager
def filled(own_key: str) -> Iterator[Path]:
    """A folder to fill, whose files come into the storage when the block ends without an error: all of them, or none.

    Where the storage is a folder of this machine, it is renamed whole; elsewhere, the summary goes last, and nothing is
    looked for before it is there.
    """
    target = storage()
    if isinstance(target, FileSystemStorage):
        with whole_folder(target.path(f"{_FOLDER}/{own_key}"), keep_first=True) as folder:
            folder.chmod(0o700)
            yield folder
        return
    with tempfile.TemporaryDirectory(prefix="striate-looking-") as aside:
        yield Path(aside)
        for file in sorted(Path(aside).iterdir(), key=lambda each: (each.name == SUMMARY, each.name)):
            put(target, file, name(own_key, file.name))
