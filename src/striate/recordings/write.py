"""Writer of recordings in the official layout; equal recordings give equal bytes."""

import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import tomli_w
from numpy.typing import NDArray

from striate._internal.arrays import to_storable_dtype
from striate._internal.atomic_write import as_path, atomic_write, atomic_write_folder
from striate._internal.file_names import encode_file_name, file_name_problem, find_name_clash
from striate._internal.progress_bars import Advance, progress_bar
from striate.benchmarks import Benchmark, is_default
from striate.errors import InputError, describe_type, listed
from striate.recordings import layout, npy_format
from striate.recordings.recording import Recording

Content: TypeAlias = NDArray[Any] | str

# A fixed modification time, so that equal recordings give equal bytes and do not reveal when they were written.
_MODIFICATION_TIME = (1980, 1, 1, 0, 0, 0)
_COMPRESSION_LEVEL = 5
# suffixes of other file formats, which are refused as names of folders
_OTHER_SUFFIXES = (
    ".npz",
    ".npy",
    ".h5",
    ".hdf5",
    ".mat",
    ".nwb",
    ".parquet",
    ".csv",
    ".tar",
    ".gz",
    ".tgz",
    ".7z",
    ".rar",
)


def write(
    recording: Recording,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    inspect: Callable[[Path], None] | None = None,
    benchmark: Benchmark | None = None,
) -> Path:
    """Write a recording as a zip or folder. The tools of 2022 can read recordings of SENSORIUM 2022.

    Parameters
    ----------
    recording
        Recording to write. Stored statistics are written unchanged; missing ones are computed over the training trials.
    path
        A name that ends in ``.zip`` gives a zip with one top folder of the same name. An existing folder without a recording
        gives a zip with the official name in this folder. Any other path gives a folder.
    overwrite
        Whether to replace an existing file or folder at `path`.
    inspect
        Function that is called with the temporary path of the written zip or folder. If it raises, nothing is written to
        `path`.
    benchmark
        Benchmark to write the recording for: name, path of a TOML file, or description (default: the recording's own). The
        archive contains the complete description, except for SENSORIUM 2022.

    Returns
    -------
    Path
        Path of the written zip or folder.

    Raises
    ------
    InputError
        If the path exists, has the suffix of another file format or cannot be written, or the name of a column cannot be
        the name of a file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import striate
    >>> simulation = striate.simulate(
    ...     neurons=5, train=20, validation=5, test_images=4, repeats=1, image_shape=(18, 32), seed=1
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     striate.write(simulation.recording, Path(folder, "mouse.zip")).name
    'mouse.zip'
    """
    recording = getattr(recording, "recording", recording)  # what `striate.simulate` returns holds one
    if not isinstance(recording, Recording):
        raise InputError(f"Expected a recording, got {describe_type(recording)}: striate.open opens one.")
    if benchmark is not None:
        recording = recording.with_benchmark(benchmark)
    target = as_path(path, "path")
    if target.is_dir() and not (target / "meta").exists() and target.suffix.lower() != ".zip" and not overwrite:
        target = target / f"{layout.archive_stem(recording.session, recording.benchmark)}.zip"
    if target.is_dir() and any(target.iterdir()) and not (target / "meta").exists():
        raise InputError(
            f"{target} contains something other than a recording, which would be lost: choose another folder."
        )
    if target.suffix.lower() in _OTHER_SUFFIXES and not target.is_dir():
        raise InputError(
            f"{target} would be a folder in spite of its suffix: give a name that ends in .zip, or the name of a folder."
        )
    tables = _tables(recording)
    with progress_bar(f"writing {recording.session}", len(recording.arrays) * len(recording.trials)) as advance:
        if target.suffix.lower() == ".zip":
            with atomic_write(target, overwrite=overwrite) as temporary:
                _write_zip(temporary, _top_folder(target, recording), _members(recording, tables), advance)
                if inspect is not None:
                    inspect(temporary)
        else:
            with atomic_write_folder(target, overwrite=overwrite) as folder:
                _write_folder(folder, _members(recording, tables), advance)
                if inspect is not None:
                    inspect(folder)
    return target


def _write_folder(folder: Path, contents: Iterator[tuple[str, Content]], advance: Advance) -> None:
    for member, content in contents:
        file = folder / member
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_as_bytes(content))
        advance(1)


def _as_bytes(content: Content) -> bytes:
    return content.encode() if isinstance(content, str) else npy_format.dump(content)


def _top_folder(target: Path, recording: Recording) -> str:
    """Return the name of the top folder in a zip: the name of the zip, if it can be read back."""
    name = target.stem
    usable = file_name_problem(name, 255) is None and not layout.IGNORED_FILES.search(name)
    return name if usable else layout.archive_stem(recording.session, recording.benchmark)


def _write_zip(path: Path, top: str, contents: Iterator[tuple[str, Content]], advance: Advance) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=_COMPRESSION_LEVEL) as archive:
        for member, content in contents:
            info = zipfile.ZipInfo(f"{top}/{member}", _MODIFICATION_TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            archive.writestr(info, _as_bytes(content))
            advance(1)


def members(recording: Recording) -> Iterator[tuple[str, Content]]:
    """Iterate over the members of a recording (path, and array or text) in the order in which they are written."""
    return _members(recording, _tables(recording))


def _members(recording: Recording, tables: Mapping[str, NDArray[Any]]) -> Iterator[tuple[str, Content]]:
    for name, values in sorted(recording.arrays.items()):
        for trial in range(len(values)):
            yield layout.data_member(name, trial), np.asarray(values[trial])
    meta: dict[str, Content] = {**tables, **descriptions(recording)}
    yield from sorted(meta.items())


def descriptions(recording: Recording) -> dict[str, str]:
    """Return the members that describe the benchmark and the session, as text; none in SENSORIUM 2022."""
    if is_default(recording.benchmark):
        return {}
    return {
        layout.BENCHMARK_MEMBER: recording.benchmark.to_toml(),
        layout.SESSION_MEMBER: tomli_w.dumps({"session": recording.session}),
    }


def _tables(recording: Recording) -> dict[str, NDArray[Any]]:
    """Return all members of ``meta``. Invalid tables are refused here, before anything is written."""
    names = recording.neurons.columns
    if (
        index := next((i for i, c in enumerate(names) if find_name_clash([str(c), layout.COORDINATES])), None)
    ) is not None:
        raise InputError(
            f"neurons has the columns x, y, z and {str(names[index])!r}, which would be stored in the same file: "
            "leave the latter out."
        )
    neurons = _fields(recording.neurons.drop(columns=["x", "y", "z"]), "neurons", layout.NEURON_FIELDS)
    neurons[f"meta/neurons/{layout.COORDINATES}.npy"] = recording.coordinates
    return {**neurons, **_statistics(recording), **_fields(recording.trials, "trials", layout.TRIAL_FIELDS)}


def _fields(table: pd.DataFrame, name: str, known: Mapping[str, str]) -> dict[str, NDArray[Any]]:
    """Return the values of each column of a table by member; refuse two columns with the same member."""
    field_of = {column: field for field, column in known.items()}
    columns = [str(column) for column in table.columns]
    files = [encode_file_name(field_of.get(column, column), f"column of {name}") for column in columns]
    if clash := find_name_clash(files):
        first, second = (columns[index] for index in clash)
        raise InputError(
            f"{name} has the columns {first!r} and {second!r}, which would be the same file "
            f"(meta/{name}/{files[clash[0]]}.npy), at least if case is ignored: rename one, or leave it out."
        )
    return {
        f"meta/{name}/{file}.npy": _to_storable_column(table.iloc[:, index].to_numpy(), columns[index])
        for index, file in enumerate(files)
    }


def _statistics(recording: Recording) -> dict[str, NDArray[Any]]:
    return {
        layout.statistics_member(variable, statistics_set, statistic): np.asarray(getattr(values, statistic))
        for variable, values in recording.statistics.items()
        for statistics_set in layout.statistics_sets(recording.benchmark)
        for statistic in layout.STATISTICS
    }


def _to_storable_column(values: NDArray[Any], column: str) -> NDArray[Any]:
    """Return a column as numbers or Unicode strings, which can be loaded without pickle."""
    if values.dtype.kind == "O" and all(isinstance(v, int | float | np.number) for v in values) and values.size:
        values = np.array(values.tolist())  # nullable columns of pandas
    if values.dtype.kind in "biufU":
        return to_storable_dtype(values)
    if all(isinstance(v, str) for v in values):
        return np.array(values.tolist(), dtype=np.str_)
    if (empty := np.flatnonzero(pd.isna(values))).size:
        raise InputError(f"Column {column!r} is missing in rows {listed(empty)}: give text there, such as 'unknown'.")
    kinds = dict.fromkeys(type(value).__name__ for value in values)
    content = f"values of several types ({listed(kinds)})" if len(kinds) > 1 else f"{next(iter(kinds))} objects"
    raise InputError(f"Column {column!r} holds {content}, which the layout cannot store: use numbers or strings.")
