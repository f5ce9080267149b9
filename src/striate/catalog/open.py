"""Recordings of the catalogue are opened by name, such as ``sensorium2022/27204-5-13``, once they are on this disk."""

import os
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from striate._internal.paths import expand_path
from striate.catalog.catalogue import get_dataset, list_datasets
from striate.catalog.dataset import DataFile, Dataset
from striate.catalog.local_files import find_fetched
from striate.errors import InputError, describe_type

if TYPE_CHECKING:
    from striate.recordings import Recording


@overload
def open(path: "str | os.PathLike[str] | Recording", session: str | None = None) -> "Recording": ...  # type: ignore[overload-overlap]


@overload
def open(path: "Iterable[str | os.PathLike[str] | Recording]", session: None = None) -> "list[Recording]": ...


def open(path: Any, session: str | None = None) -> "Recording | list[Recording]":
    """Open a recording: a zip or folder in the official layout, a packed store, or a fetched recording by its name.

    The first opening packs it once into the cache, with a progress bar; every later one is instant. An
    archive that has changed since (its size, or the time of its last change) is packed anew.

    Parameters
    ----------
    path
        Zip, folder, or packed store; or a name of the catalogue, such as ``sensorium2022/27204-5-13``. What exists as
        a path is meant as a path. Several give a list of recordings. A recording is returned as it is.
    session
        Name for the session of a single recording, where the archive does not tell it or tells it wrongly.

    Returns
    -------
    Recording or list of Recording
        With memory-mapped, read-only arrays.

    Raises
    ------
    InputError
        If there is no recording at `path` or it cannot be read (the sentence names the first reason, and
        ``striate check`` lists all), or if it was not fetched yet.
    """
    from striate.recordings.pack_cache import open as open_recording

    if isinstance(path, str | os.PathLike):
        return open_recording(locate(path), session)
    if is_single_recording(path):
        if session is not None:
            raise InputError("session names a recording while it is read; this one is open already.")
        return as_recording(path)
    if session is not None:
        raise InputError("session names a single recording: open one at a time to name it.")
    return as_recordings(path)


def is_single_recording(given: object) -> bool:
    """Whether a single recording is meant: a path or name, or an open recording."""
    from striate.recordings import Recording

    return isinstance(given, str | os.PathLike | Recording) or isinstance(getattr(given, "recording", None), Recording)


def as_recording(given: Any) -> "Recording":
    """Open a recording wherever one is taken: by its path or name; one that is open already is returned as it is.

    Parameters
    ----------
    given
        A recording, what `striate.simulate` returns, a path, or a name of the catalogue.

    Raises
    ------
    InputError
        If it is something else, or cannot be opened.
    """
    from striate.recordings import Recording

    if isinstance(given, Recording):
        return given
    if isinstance(given, str | os.PathLike):
        return open(given)
    if isinstance(recording := getattr(given, "recording", None), Recording):
        return recording
    several = isinstance(given, list | tuple | dict) and len(given) > 0
    hint = " Give one at a time." if several else ""
    raise InputError(f"Expected a recording, or its path or name; got {describe_type(given)}.{hint}")


def as_recordings(given: Any) -> "list[Recording]":
    """Open one recording or several, wherever several are taken.

    Parameters
    ----------
    given
        What `as_recording` takes, or several of that: a list, a mapping, or a name that stands for several
        (``sensorium2022/pre-training``).

    Raises
    ------
    InputError
        If something is no recording, or cannot be opened.
    """
    if isinstance(given, str | os.PathLike):
        return [open(path) for path in locate_all([given])]
    if is_single_recording(given):
        return [as_recording(given)]
    if isinstance(given, Mapping):
        given = given.values()
    if not isinstance(given, Iterable) or isinstance(given, bytes) or hasattr(given, "shape"):
        raise InputError(f"Expected recordings, or their paths or names; got {describe_type(given)}.")
    return [
        recording for each in given for recording in (as_recordings(each) if _is_path(each) else [as_recording(each)])
    ]


def _is_path(given: object) -> bool:
    return isinstance(given, str | os.PathLike)


def locate(name: str | os.PathLike[str]) -> Path:
    """Turn a path, or a name of the catalogue such as ``sensorium2022/27204-5-13``, into a path.

    What exists as a path is meant as a path.

    Raises
    ------
    InputError
        If it names a dataset's recording that does not exist, or was not fetched yet; the sentence says the command.
    """
    path = expand_path(name)
    if os.path.lexists(path):
        return path
    known, _, below = Path(name).as_posix().partition("/")
    names = list_datasets()
    if known not in names:
        close = get_close_matches(known.lower(), names, n=1, cutoff=0.7)
        if below and close and not Path(known).exists():
            raise InputError(
                f"There is nothing at {path}, and the catalogue has no dataset {known!r}: did you mean {close[0]}/{below}?"
            )
        return path
    of = get_dataset(known)
    if not below:
        example = next((file.session for file in of.files if file.session), of.files[0].name)
        raise InputError(f"{known} is a dataset of {len(of.files)} files: name one of them, such as {known}/{example}.")
    alike = [file for file in of.files if file.role == below]
    if len(alike) > 1:
        raise InputError(
            f"{of.name} has {len(alike)} recordings of role {below}: name one of them, such as {of.name}/{alike[0].session}."
        )
    return _located(of, alike[0] if alike else of.file(below))


def locate_all(names: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """Turn paths and names into paths; a name may stand for several recordings of a dataset.

    ``sensorium2022`` stands for all of them, ``sensorium2022/pre-training`` for those of that role, and
    ``sensorium2022/2*`` for those whose session matches the pattern.

    Raises
    ------
    InputError
        As `locate`, for the first that is not here.
    """
    found: list[Path] = []
    for name in names:
        known, _, below = Path(name).as_posix().partition("/")
        if os.path.lexists(expand_path(name)) or known not in list_datasets():
            found.append(locate(name))
            continue
        of = get_dataset(known)
        recordings = [file for file in of.files if file.session is not None]
        chosen = [f for f in recordings if not below or f.role == below or fnmatchcase(f.session or "", below)]
        found += [_located(of, file) for file in chosen] if chosen else [locate(name)]
    return found


def _located(of: Dataset, file: DataFile) -> Path:
    path = find_fetched(of, file)
    if path is None:
        raise InputError(
            f"{of.name}/{file.session or file.name} is not on this disk yet: "
            f"fetch it first (striate fetch {of.name} {file.session or file.name})."
        )
    return path


def find_dataset(path: Path | None, session: str) -> tuple[Dataset, DataFile] | None:
    """Tell which file of which dataset a recording is, so that its licence and citation stay with it.

    Parameters
    ----------
    path
        What the recording was read from.
    session
        Its session.

    Returns
    -------
    (Dataset, DataFile) or None
        By the folder that it was fetched into; else by the names of file and session together.
    """
    if path is None:
        return None
    for name in list_datasets():
        try:
            of = get_dataset(name)
        except InputError:  # a broken entry of the user's own is said where datasets are asked for
            continue
        for file in of.files:
            if file.session == session and file.name.rsplit("/", 1)[-1] in (path.name, f"{path.name}.zip"):
                return of, file
    return None
