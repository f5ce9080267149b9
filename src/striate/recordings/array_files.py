"""Readers of arrays and tables in common file formats: npy, npz, HDF5, MATLAB, CSV, Parquet."""

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from striate._internal.file_types import NPY_SIGNATURE, detect_file_type, wrong_file_type
from striate._internal.parquet_files import read_table as read_parquet
from striate._internal.paths import expand_path
from striate.benchmarks import Benchmark, BenchmarkSpec, load_benchmark
from striate.errors import InputError, nearest, shortened
from striate.recordings import npy_format
from striate.recordings.axis_order import infer_axes
from striate.recordings.checks.report import UnreadableError
from striate.recordings.hdf5_files import decode_text, read_hdf5

Array = NDArray[Any]

_MAX_BYTES = 2**40  # total size of the arrays in one file
_TEXT_COLUMNS = ("area", "layer", "tier", "tiers")  # columns of text, even if all values could mean a missing value
_ARRAY_FILE = "one file of arrays (.npz, HDF5, or MATLAB 7.3)"


def read_arrays(
    path: str | os.PathLike[str],
    *,
    image_axes: str | None = None,
    response_axes: str | None = None,
    benchmark: Benchmark | None = None,
) -> dict[str, Any]:
    """Read the arguments of `convert` from one file of arrays.

    Parameters
    ----------
    path
        ``.npz``, HDF5 or MATLAB 7.3 file with the arrays ``images`` and ``responses``, optionally ``behavior`` and
        ``pupil_center``, and the columns of the tables as ``neurons/x``, ``trials/tier`` and so on (datasets in groups for
        HDF5, fields of structs for MATLAB).
    image_axes, response_axes
        Order of the axes, as for `convert`, if it cannot be inferred from the file. For a MATLAB file, the order is that of
        ``size`` in MATLAB.
    benchmark
        Benchmark of the arrays, as for `convert`.

    Returns
    -------
    dict
        Keyword arguments of `convert`.

    Raises
    ------
    InputError
        If the file cannot be read, has unknown names, or the order of its axes is ambiguous.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     arrays = {"images": np.zeros((2, 4, 8)), "responses": np.zeros((2, 1)), "neurons/x": np.zeros(1)}
    ...     np.savez(Path(folder, "mouse.npz"), **arrays)
    ...     sorted(read_arrays(Path(folder, "mouse.npz")))
    ['images', 'neurons', 'responses']
    """
    source, spec = expand_path(path), load_benchmark(benchmark)
    if not source.exists():
        raise InputError(f"There is no file {source}: give an .npz or HDF5 file of arrays.")
    kind = detect_file_type(source)
    is_hdf5 = kind is not None and kind.name in ("hdf5", "matlab73")
    if kind is not None and kind.name not in ("hdf5", "matlab73", "npz", "zip", "damaged-zip", "npy", "text"):
        raise wrong_file_type(source, _ARRAY_FILE, "give one of these")
    arrays, from_matlab = read_hdf5(source) if is_hdf5 else (_read_npz(source), False)
    arguments: dict[str, Any] = {}
    allowed = ("images", "responses", "behavior", "pupil_center", "neurons", "trials")
    for name, values in arrays.items():
        table, _, column = name.partition("/")
        if table not in allowed or (column and table not in ("neurons", "trials")):
            raise InputError(f"{source} holds {name!r}: {nearest(table, allowed)} (columns as neurons/x, trials/tier).")
        if not column and table in ("neurons", "trials"):
            raise InputError(
                f"{source} holds {name!r} as one array: give its columns, as {name}/x in groups or structs."
            )
        if column:
            arguments.setdefault(table, {})[column] = values
        else:
            arguments[table] = values
    for name in ("images", "responses", "neurons"):
        if name not in arguments:
            raise InputError(f"{source} has no {name}: it needs images, responses and the columns neurons/x, /y, /z.")
    if from_matlab:
        _transpose_tables(arguments, spec)
    explicit = {"image_axes": image_axes, "response_axes": response_axes}
    arguments |= {name: axes for name, axes in explicit.items() if axes is not None}
    if is_hdf5 and None in explicit.values():
        try:
            inferred = infer_axes(arguments, from_matlab=from_matlab, channels=spec.image_channels)
        except InputError as error:
            raise InputError(f"{shortened(source, 80)}: {error}") from None
        arguments = {**inferred, **arguments}
    return arguments


def _transpose_tables(arguments: dict[str, Any], benchmark: BenchmarkSpec) -> None:
    """Transpose small MATLAB arrays whose last axis is trials or neurons."""
    for name, components in benchmark.components.items():
        if name in arguments and arguments[name].ndim == 2:
            arguments[name] = _rows_first(arguments[name], len(components), name)
    for column, values in arguments["neurons"].items():
        if values.ndim == 2 and 1 not in values.shape and 3 in values.shape:
            arguments["neurons"][column] = _rows_first(values, 3, f"neurons/{column}")


def _rows_first(values: Array, width: int, name: str) -> Array:
    if values.shape == (width, width):
        raise InputError(
            f"{name} has shape {values.shape}, so the order of its axes is ambiguous: save single columns."
        )
    return values.T if values.shape[0] == width else values


def _read_npz(source: Path) -> dict[str, Array]:
    try:
        with source.open("rb") as file:
            if file.read(len(NPY_SIGNATURE)) == NPY_SIGNATURE:
                raise InputError(f"{source} holds a single array: give an .npz with images, responses and neurons.")
            file.seek(0)
            arrays = npy_format.read_npz(file, _MAX_BYTES)
        return {name: decode_text(values) for name, values in arrays.items()}
    except (ValueError, OSError) as error:
        if isinstance(error, InputError) and str(error).startswith(str(source)):
            raise
        reason = shortened(str(error).rstrip("."), 100)
        raise InputError(
            f"{source} is no readable .npz of plain arrays ({reason}): save it again with numpy.savez."
        ) from None


def read_table(path: str | os.PathLike[str]) -> pd.DataFrame:
    r"""Read a table of neurons or trials from CSV, TSV or Parquet.

    Parameters
    ----------
    path
        Path of the file. Tab-separated files need a name that ends in ``.tsv``.

    Raises
    ------
    InputError
        If the file is missing or cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "neurons.csv")
    ...     _ = file.write_text("x,y,z,area\n1,2,3,V1\n")
    ...     read_table(file)["area"].tolist()
    ['V1']
    """
    source = expand_path(path)
    if not source.exists():
        raise InputError(f"There is no table {source}: give a CSV, TSV or Parquet file.")
    kind = detect_file_type(source)
    if kind is not None and kind.name not in ("table", "text", "parquet", "utf16"):
        raise wrong_file_type(source, "a table (CSV, TSV or Parquet)", "give one")
    try:
        if source.suffix.lower() == ".parquet" or (kind is not None and kind.name == "parquet"):
            return read_parquet(source, "write it again")
        separator = "\t" if source.suffix.lower() == ".tsv" else ","
        encoding = "utf-16" if kind is not None and kind.name == "utf16" else "utf-8"
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # a row with more fields than the header has names
            table = pd.read_csv(source, sep=separator, encoding=encoding, index_col=False)
            warnings.simplefilter("ignore", pd.errors.ParserWarning)
            texts = pd.read_csv(
                source, sep=separator, encoding=encoding, index_col=False, dtype=str, keep_default_na=False
            )
        header = pd.read_csv(
            source, sep=separator, encoding=encoding, header=None, nrows=1, dtype=str, keep_default_na=False
        )
    except pd.errors.ParserWarning:
        raise InputError(
            f"{source} has rows with more fields than its header has names: name every column in the first line."
        ) from None
    except (ValueError, OSError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InputError(
            f"{source} is no readable table ({shortened(error, 100)}): give CSV, TSV or Parquet with a header line, in UTF-8."
        ) from None
    names = header.iloc[0].str.strip()
    if (duplicates := names[names.duplicated() & (names != "")]).size:
        raise InputError(f"{source} has two columns {duplicates.iloc[0]!r}: rename one, or leave it out.")
    if len(table.columns) == 1 and (other := next((s for s in ";\t|" if s in str(table.columns[0])), None)):
        raise InputError(
            f"{source} seems to be separated by {other!r}: save it with commas, or as TSV with a name that ends in .tsv."
        )
    return _restore_text(_drop_trailing_empty_rows(table), texts)


def _drop_trailing_empty_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Drop the empty rows that spreadsheets append to a table."""
    filled = np.flatnonzero(table.notna().any(axis=1))
    return table.iloc[: filled[-1] + 1 if filled.size else 0]


def _restore_text(table: pd.DataFrame, texts: pd.DataFrame) -> pd.DataFrame:
    """Restore values of text columns that pandas reads as missing, such as an area "NA"."""
    for index, column in enumerate(table.columns):
        words = texts.iloc[: len(table), index]
        is_text = (
            pd.api.types.is_string_dtype(table.iloc[:, index].dtype) or str(column).strip().casefold() in _TEXT_COLUMNS
        )
        if is_text and (missing := table.iloc[:, index].isna() & (words.str.strip() != "")).any():
            table.isetitem(index, table.iloc[:, index].astype(object).mask(missing, words).tolist())
    return table


def read_array(path: str | os.PathLike[str]) -> Array:
    """Read one array from a ``.npy`` file as a read-only memory map.

    Parameters
    ----------
    path
        Path of the file.

    Raises
    ------
    InputError
        If the file is missing, cannot be read, or contains pickled objects.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(Path(folder, "responses.npy"), np.ones((2, 3)))
    ...     read_array(Path(folder, "responses.npy")).shape
    (2, 3)
    """
    source = expand_path(path)
    if not source.exists():
        raise InputError(f"There is no file {source}: give a .npy file.")
    kind = detect_file_type(source)
    if kind is None or kind.name != "npy":  # NumPy would suggest to load it as a pickle
        if kind is not None and kind.name in ("hdf5", "matlab73", "npz"):
            raise InputError(
                f"{source} is {kind.description}, not a .npy array: give it alone, as one file with all arrays."
            )
        if kind is None or kind.name in ("empty", "table", "text"):
            raise InputError(
                f"{source} is no .npy array: save it with numpy.save. Only the tables of neurons and trials may be CSV."
            )
        raise wrong_file_type(source, "a .npy array", "save the array with numpy.save")
    try:
        return np.asarray(npy_format.memory_map(source))
    except (ValueError, OSError) as error:
        reason = error.finding.message if isinstance(error, UnreadableError) else str(error)
        raise InputError(
            f"{source} is no readable .npy array ({reason.rstrip('.')}): save it with numpy.save."
        ) from None
