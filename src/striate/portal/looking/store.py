"""Which recordings are hosted, in which versions; and where what is prepared of them lies: under a key of the archive's bytes."""

import hashlib
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.core.files.storage import FileSystemStorage, Storage, storages
from django.db.models import Exists, OuterRef, QuerySet

from striate._internal.atomic_write import atomic_write_folder
from striate._internal.safe_parsing import MAX_BYTES, parse_json_object
from striate.errors import InputError
from striate.portal.looking.version import SUMMARY, VERSION
from striate.portal.models import Content, Snapshot, SnapshotFile
from striate.portal.storage import opened, put

log = logging.getLogger("striate.portal.looking")

_FOLDER = "looking"
_DIGITS = 24  # of a key


def storage() -> Storage:
    """The storage of the data."""
    return storages["data"]


def recordings(snapshot: Snapshot | None = None) -> list[SnapshotFile]:
    """The recordings of a version; if none is named, each that is hosted at all, as in the newest version that holds it.

    What is only in versions that were withdrawn is hosted no more.
    """
    found = _available()
    if snapshot is not None:
        return sorted(found.filter(snapshot=snapshot), key=_by_session)
    later = SnapshotFile.objects.filter(session=OuterRef("session"), snapshot__number__gt=OuterRef("snapshot__number"))
    later = later.filter(snapshot__withdrawal=None)
    return sorted(found.filter(~Exists(later)), key=_by_session)


def recording(session: str, snapshot: Snapshot | None = None) -> SnapshotFile | None:
    """The archive of one recording in a version, or in the newest that holds it; None if there is none."""
    found = _available().filter(session=session)
    if snapshot is not None:
        found = found.filter(snapshot=snapshot)
    return found.order_by("-snapshot__number").first()


def archives(session: str | None = None) -> list[SnapshotFile]:
    """Each archive that any version holds, of one recording or of all: the same bytes once, as in the newest version."""
    found = _available() if session is None else _available().filter(session=session)
    return list({each.content_id: each for each in found.order_by("snapshot__number", "path")}.values())


def sessions(content: Content) -> list[str]:
    """Which recordings the bytes of an archive are said to be, in all versions."""
    return sorted(set(_all().filter(content=content).values_list("session", flat=True)))


def holders(session: str, own_key: str) -> list[SnapshotFile]:
    """A recording in all versions that hold the archive of a key, the newest first."""
    found = _available().filter(session=session).order_by("-snapshot__number")
    return [each for each in found if key(each.content) == own_key]


def withdrawn(session: str, own_key: str | None = None) -> Snapshot | None:
    """The newest version that was withdrawn and holds a recording, or an archive of it; None if there is none."""
    found = _all().filter(session=session).exclude(snapshot__withdrawal=None).order_by("-snapshot__number")
    return next((each.snapshot for each in found if own_key in (None, key(each.content))), None)


def _all() -> QuerySet[SnapshotFile]:
    return SnapshotFile.objects.exclude(session="").select_related("content", "snapshot", "changed")


def _available() -> QuerySet[SnapshotFile]:
    """Of versions that were not withdrawn."""
    return _all().filter(snapshot__withdrawal=None)


def _by_session(file: SnapshotFile) -> str:
    return file.session


def key(content: Content) -> str:
    """What names the prepared files of an archive: they change with its bytes, and with the code that prepares them."""
    return hashlib.sha256(f"{content.sha256} {VERSION}".encode()).hexdigest()[:_DIGITS]


def name(own_key: str, file: str) -> str:
    """The name of a prepared file in the storage."""
    return f"{_FOLDER}/{own_key}/{file}"


def is_prepared(content: Content) -> bool:
    """Whether all files of an archive are there."""
    return storage().exists(name(key(content), SUMMARY))


def summary(content: Content) -> dict[str, Any] | None:
    """What was found out about a recording; None until it is prepared. A damaged one is dropped, so that it is prepared anew."""
    try:
        return _summary(key(content))
    except FileNotFoundError:
        return None
    except InputError as error:
        log.warning("what was prepared of %s is dropped, and prepared anew: %s", content.sha256[:12], error)
        _drop(key(content))
        return None


def _drop(own_key: str) -> None:
    """Delete what was prepared of an archive, the summary first: nothing is looked for before it is there."""
    target = storage()
    files = target.listdir(f"{_FOLDER}/{own_key}")[1]
    for file in sorted(files, key=lambda each: each != SUMMARY):
        target.delete(name(own_key, file))
    if isinstance(target, FileSystemStorage):
        target.delete(f"{_FOLDER}/{own_key}")


@lru_cache(maxsize=256)  # a list shows all of them
def _summary(own_key: str) -> dict[str, Any]:
    with opened(storage(), name(own_key, SUMMARY)) as file:
        return parse_json_object(file.read(MAX_BYTES), f"The summary {own_key}")


@contextmanager
def filled(own_key: str) -> Iterator[Path]:
    """A folder to fill, whose files come into the storage when the block ends without an error: all of them, or none.

    Where the storage is a folder of this machine, it is renamed whole; elsewhere, the summary goes last, and nothing is
    looked for before it is there.
    """
    target = storage()
    if isinstance(target, FileSystemStorage):
        with atomic_write_folder(target.path(f"{_FOLDER}/{own_key}"), keep_existing=True) as folder:
            folder.chmod(0o700)
            yield folder
        return
    with tempfile.TemporaryDirectory(prefix="striate-looking-") as aside:
        yield Path(aside)
        for file in sorted(Path(aside).iterdir(), key=lambda each: (each.name == SUMMARY, each.name)):
            put(target, file, name(own_key, file.name))
