"""Where packed stores are kept, and which one belongs to an archive."""

import hashlib
import os
from pathlib import Path

from striate._internal.atomic_write import atomic_write_folder
from striate._internal.paths import cache_folder as cache_folder
from striate._internal.paths import expand_path
from striate.errors import InputError
from striate.recordings import pack as packing
from striate.recordings.archive import iterate_files, open_archive
from striate.recordings.check_findings import UnreadableError
from striate.recordings.layout import valid_session
from striate.recordings.recording import Recording


def open(path: str | os.PathLike[str], session: str | None = None) -> Recording:
    """Open a recording: a zip or folder in the official layout, or a packed store.

    The first opening packs it once into the cache, with a progress bar; every later one is instant. An
    archive that has changed since (its size, or the time of its last change) is packed anew.

    Parameters
    ----------
    path
        Zip, folder, or packed store.
    session
        Name for the session, where the archive does not tell it or tells it wrongly.

    Returns
    -------
    Recording
        With memory-mapped, read-only arrays.

    Raises
    ------
    InputError
        If there is no recording at `path` or it cannot be read; the sentence names the first reason.
        ``striate check`` lists all.
    """
    source = expand_path(path)
    if (source / packing.MANIFEST).is_file():
        try:
            return packing.load(source, session)
        except packing.DamagedStoreError as error:
            raise InputError(f"{error} Delete it, and open the archive that it was made from.") from error
    if session is not None:
        valid_session(session)
    store = cache_folder() / "recordings" / _key(source)
    if (store / packing.MANIFEST).exists():
        try:
            return packing.load(store, session, source)
        except packing.DamagedStoreError:
            pass  # a disk that was full, or a file that was deleted: pack it anew
    _make_cache(store.parent)
    damaged = store.exists()
    with (
        open_archive(source) as archive,
        atomic_write_folder(store, keep_existing=not damaged, overwrite=damaged) as folder,
    ):
        try:
            packing.pack(archive, folder, session)
        except UnreadableError as error:  # of several archives, which one?
            raise UnreadableError(error.finding, source.name) from None
    return packing.load(store, session, source)


def _make_cache(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return
        reason = "no permission"
    except OSError as error:
        reason = error.strerror or str(error)
    raise InputError(f"The cache {folder} cannot be written ({reason}): set STRIATE_CACHE to a folder that can.")


def _key(source: Path) -> str:
    """Name of the store of an archive: changes when the archive does.

    The zip's (or every file's) path, size and time of change stand for the content, because reading
    all of it would cost as much as packing.
    """
    digest = hashlib.sha256(os.fsencode(source.resolve()))
    for file in iterate_files(source) if source.is_dir() else [source]:
        try:
            status = file.stat()
        except OSError:
            continue
        below = file.relative_to(source) if source.is_dir() else file.name
        digest.update(os.fsencode(below) + f" {status.st_size} {status.st_mtime_ns}".encode())
    label = source.name if source.is_dir() else source.stem
    return f"{os.fsdecode(os.fsencode(label)[:40])}-{digest.hexdigest()[:24]}"
