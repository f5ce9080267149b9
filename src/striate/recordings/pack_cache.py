"""The cache of packed stores, and `striate.open`."""

import hashlib
import os
from pathlib import Path

from striate._internal.atomic_write import atomic_write_folder
from striate._internal.paths import cache_folder as cache_folder
from striate._internal.paths import expand_path
from striate.errors import InputError
from striate.recordings import pack as packing
from striate.recordings.archive import iterate_files, open_archive
from striate.recordings.checks.report import UnreadableError
from striate.recordings.layout import valid_session
from striate.recordings.recording import Recording


def open(path: str | os.PathLike[str], session: str | None = None) -> Recording:
    """Open a recording: a zip or folder in the official layout, or a packed store.

    The first call packs the archive into the cache, with a progress bar; later calls open the packed store immediately. An
    archive whose size or modification time has changed is packed again.

    Parameters
    ----------
    path
        Path of the zip, folder or packed store.
    session
        Session of the recording, if the archive does not contain it or contains a wrong one.

    Returns
    -------
    Recording
        Recording with read-only, memory-mapped arrays.

    Raises
    ------
    InputError
        If there is no recording at `path`, or it cannot be read. The message has the first reason; ``striate check`` lists
        all.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import striate
    >>> simulation = striate.simulate(
    ...     neurons=5, train=20, validation=5, test_images=4, repeats=1, image_shape=(18, 32), seed=1
    ... )
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = striate.write(simulation.recording, Path(folder.name, "mouse.zip"))
    >>> striate.open(path)
    <Recording 90001-1-1: 5 neurons, 29 trials (train 20, validation 5, test 4), 18×32>
    >>> folder.cleanup()
    """
    source = expand_path(path)
    if (source / packing.MANIFEST).is_file():
        try:
            return packing.load(source, session)
        except packing.DamagedStoreError as error:
            raise InputError(f"{error} Delete it, and open the archive from which it was made.") from error
    if session is not None:
        valid_session(session)
    store = cache_folder() / "recordings" / _store_name(source)
    if (store / packing.MANIFEST).exists():
        try:
            return packing.load(store, session, source)
        except packing.DamagedStoreError:
            pass  # because of a full disk or a deleted file: pack it again
    _create_cache(store.parent)
    damaged = store.exists()
    with (
        open_archive(source) as archive,
        atomic_write_folder(store, keep_existing=not damaged, overwrite=damaged) as folder,
    ):
        try:
            packing.pack(archive, folder, session)
        except UnreadableError as error:  # adds the name of the archive
            raise UnreadableError(error.finding, source.name) from None
    return packing.load(store, session, source)


def _create_cache(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return
        reason = "no permission"
    except OSError as error:
        reason = error.strerror or str(error)
    raise InputError(f"The cache {folder} cannot be written ({reason}): set STRIATE_CACHE to a folder that can.")


def _store_name(source: Path) -> str:
    """Return the name of an archive's store, which changes when the archive changes.

    The name is a hash of the path, size and modification time of the zip (or of every file), because hashing the content
    would take as long as packing.
    """
    digest = hashlib.sha256(os.fsencode(source.resolve()))
    for file in iterate_files(source) if source.is_dir() else [source]:
        try:
            status = file.stat()
        except OSError:
            continue
        relative = file.relative_to(source) if source.is_dir() else file.name
        digest.update(os.fsencode(relative) + f" {status.st_size} {status.st_mtime_ns}".encode())
    label = source.name if source.is_dir() else source.stem
    return f"{os.fsdecode(os.fsencode(label)[:40])}-{digest.hexdigest()[:24]}"
