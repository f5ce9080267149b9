"""Recordings written in the official layout: the same content gives the same bytes."""

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from striate.errors import InputError, listed
from striate.files import whole_file, whole_folder
from striate.progress import progress
from striate.recordings import layout, npy
from striate.recordings.recording import Recording

# One moment for all members, since a clock would make equal recordings differ (and tell when each was made).
_MOMENT = (1980, 1, 1, 0, 0, 0)
_COMPRESSION_LEVEL = 5


def write(recording: Recording, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write a recording as a zip or a folder in the official layout, as the tools of 2022 read it.

    Parameters
    ----------
    recording
        What to write. Its stored statistics are written as they are; those it lacks are computed over
        its training trials.
    path
        Where to: a name ending in ``.zip`` gives a zip, with one top folder named like the zip. An
        existing folder that holds no recording gives a zip of the official name within it. Anything
        else gives a folder.
    overwrite
        Whether something that stands there already may be replaced.

    Returns
    -------
    Path
        The zip or folder that was written.

    Raises
    ------
    InputError
        If something stands there already, or it cannot be written.
    """
    target = Path(path).expanduser()
    if target.is_dir() and not (target / "meta").exists() and target.suffix.lower() != ".zip" and not overwrite:
        target = target / f"{layout.archive_stem(recording.session)}.zip"
    if target.is_dir() and any(target.iterdir()) and not (target / "meta").exists():
        raise InputError(f"{target} holds something else than a recording, which would be lost: choose another folder.")
    with progress(f"writing {recording.session}", 4 * len(recording.trials)) as advance:
        if target.suffix.lower() == ".zip":
            _write_zip(recording, target, overwrite, advance)
        else:
            with whole_folder(target, overwrite=overwrite) as folder:
                for member, array in members(recording):
                    file = folder / member
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_bytes(npy.dump(array))
                    advance(1)
    return target


def _write_zip(recording: Recording, target: Path, overwrite: bool, advance: Any) -> None:
    top = target.stem
    with (
        whole_file(target, overwrite=overwrite) as aside,
        zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED, compresslevel=_COMPRESSION_LEVEL) as archive,
    ):
        for member, array in members(recording):
            info = zipfile.ZipInfo(f"{top}/{member}", _MOMENT)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            archive.writestr(info, npy.dump(array))
            advance(1)


def members(recording: Recording) -> Iterator[tuple[str, NDArray[Any]]]:
    """All members of a recording in the order in which they are written: path and array."""
    for name, values in sorted(recording.arrays.items()):
        for trial in range(len(values)):
            yield layout.data_member(name, trial), np.asarray(values[trial])
    yield from sorted({**_neuron_fields(recording), **_statistics(recording), **_trial_fields(recording)}.items())


def _neuron_fields(recording: Recording) -> dict[str, NDArray[Any]]:
    columns = {column: field for field, column in layout.NEURON_FIELDS.items()}
    table = recording.neurons.drop(columns=["x", "y", "z"])
    fields = {columns.get(str(c), str(c)): _plain(table[c].to_numpy(), str(c)) for c in table.columns}
    fields[layout.COORDINATES] = recording.coordinates
    return {f"meta/neurons/{name}.npy": values for name, values in fields.items()}


def _trial_fields(recording: Recording) -> dict[str, NDArray[Any]]:
    columns = {column: field for field, column in layout.TRIAL_FIELDS.items()}
    table = recording.trials
    return {
        f"meta/trials/{columns.get(str(c), str(c))}.npy": _plain(table[c].to_numpy(), str(c)) for c in table.columns
    }


def _statistics(recording: Recording) -> dict[str, NDArray[Any]]:
    return {
        layout.statistics_member(variable, which, statistic): np.asarray(getattr(values, statistic))
        for variable, values in recording.statistics.items()
        for which in layout.STATISTICS_SETS
        for statistic in layout.STATISTICS
    }


def _plain(values: NDArray[Any], column: str) -> NDArray[Any]:
    """A column as numbers or Unicode strings, which every reader can load without pickle."""
    if values.dtype.kind in "biufU":
        return values
    if all(isinstance(v, str) for v in values):
        return np.array(values.tolist(), dtype=np.str_)
    if (empty := np.flatnonzero(pd.isna(values))).size:
        raise InputError(f"Column {column!r} is missing in rows {listed(empty)}: give a word there, such as 'unknown'.")
    raise InputError(
        f"Column {column!r} holds {type(values[0]).__name__} objects, which the layout cannot store: use numbers or strings."
    )
