"""Open recordings by path or by catalogue name, such as ``sensorium2022/27204-5-13``."""

import os
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from striate._internal.paths import expand_path
from striate.catalog.dataset import DataFile, Dataset
from striate.catalog.local_files import find_fetched
from striate.catalog.lookup import get_dataset, list_datasets
from striate.errors import InputError, describe_type

if TYPE_CHECKING:
    from striate.recordings import Recording


@overload
def open(path: "str | os.PathLike[str] | Recording", session: str | None = None) -> "Recording": ...  # type: ignore[overload-overlap]


@overload
def open(path: "Iterable[str | os.PathLike[str] | Recording]", session: None = None) -> "list[Recording]": ...


def open(path: Any, session: str | None = None) -> "Recording | list[Recording]":
    """Open a recording: a zip or folder in the SENSORIUM 2022 layout, a packed store, or a recording of the catalogue.

    The first call packs the recording into the cache and shows a progress bar; later calls are instant. An archive whose
    size or modification time has changed is packed again.

    Parameters
    ----------
    path
        Zip, folder or packed store; or a catalogue name, such as ``sensorium2022/27204-5-13``. A path that exists takes
        precedence over a name. Several paths give a list of recordings. An open recording is returned unchanged.
    session
        Session name of a single recording, if the archive contains none or a wrong one.

    Returns
    -------
    Recording or list of Recording
        Recordings with memory-mapped, read-only arrays.

    Raises
    ------
    InputError
        If there is no recording at `path`, it is invalid (``striate check`` lists all problems), or it has not been
        downloaded.

    Examples
    --------
    >>> import striate
    >>> simulated = striate.simulate(neurons=3, train=10, validation=4, test_images=2, repeats=2, image_shape=(16, 24))
    >>> recording = striate.open(simulated.recording)
    >>> recording is simulated.recording
    True
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
    """Whether a value denotes a single recording: a path, a catalogue name or an open recording."""
    from striate.recordings import Recording

    return isinstance(given, str | os.PathLike | Recording) or isinstance(getattr(given, "recording", None), Recording)


def as_recording(given: Any) -> "Recording":
    """Convert a value to a recording. Functions that take a recording also take its path or catalogue name.

    Parameters
    ----------
    given
        A recording, a result of `striate.simulate`, a path, or a catalogue name.

    Raises
    ------
    InputError
        If the value is of another type, or the recording cannot be opened.

    Examples
    --------
    >>> import striate
    >>> simulated = striate.simulate(neurons=3, train=10, validation=4, test_images=2, repeats=2, image_shape=(16, 24))
    >>> striate.catalog.as_recording(simulated).images.shape[0]
    18
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
    """Convert a value to a list of recordings. Functions that take several recordings also take paths or names.

    Parameters
    ----------
    given
        A value that `as_recording` accepts; a list or mapping of such values; or a name of several recordings, such as
        ``sensorium2022/pre-training``.

    Raises
    ------
    InputError
        If a value is of another type, or a recording cannot be opened.

    Examples
    --------
    >>> import striate
    >>> striate.catalog.as_recordings([])
    []
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
    """Resolve a path or a catalogue name, such as ``sensorium2022/27204-5-13``, to a path.

    A path that exists takes precedence over a name.

    Parameters
    ----------
    name
        Path or catalogue name.

    Raises
    ------
    InputError
        If the dataset has no such recording, or the recording has not been downloaded.

    Examples
    --------
    >>> import striate
    >>> str(striate.catalog.locate("data/mouse.zip"))
    'data/mouse.zip'
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
    """Resolve paths and catalogue names to paths. A name may match several recordings of a dataset.

    ``sensorium2022`` matches all recordings, ``sensorium2022/pre-training`` those with that role, and ``sensorium2022/2*``
    those whose session name matches the pattern.

    Parameters
    ----------
    names
        Paths or catalogue names.

    Raises
    ------
    InputError
        If a name cannot be resolved, as in `locate`.

    Examples
    --------
    >>> import striate
    >>> [str(path) for path in striate.catalog.locate_all(["a.zip", "b.zip"])]
    ['a.zip', 'b.zip']
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
    """Find the catalogue dataset and file that a recording was read from, by session name and file name.

    Parameters
    ----------
    path
        Path that the recording was read from; None for a recording in memory.
    session
        Session name of the recording.

    Returns
    -------
    (Dataset, DataFile) or None
        The dataset and its file; None if no dataset of the catalogue matches.

    Examples
    --------
    >>> import striate
    >>> striate.catalog.find_dataset(None, "27204-5-13") is None
    True
    """
    if path is None:
        return None
    for name in list_datasets():
        try:
            of = get_dataset(name)
        except InputError:  # an invalid entry of the user is reported by get_dataset
            continue
        for file in of.files:
            if file.session == session and file.name.rsplit("/", 1)[-1] in (path.name, f"{path.name}.zip"):
                return of, file
    return None
