"""Arrays and tables read from the files that labs keep them in: npy, npz, HDF5, CSV, Parquet."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from striate.errors import InputError, nearest, shortened
from striate.folders import expanded
from striate.parquet import read_table as read_parquet
from striate.recordings import npy
from striate.recordings.findings import UnreadableError

Array = NDArray[Any]

_LARGEST = 2**40  # bytes of all arrays in one file
_MAGIC = b"\x93NUMPY"  # how an .npy file begins


def read_arrays(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the arguments of `convert` from one file of arrays.

    Parameters
    ----------
    path
        ``.npz`` or HDF5 (``.h5``, ``.hdf5``) with the arrays ``images``, ``responses`` and, as names with a
        slash (``neurons/x``, ``trials/tier``; groups in HDF5), the columns of the tables; also
        ``behavior``, ``pupil_center``.

    Returns
    -------
    dict
        Keyword arguments of `convert`.

    Raises
    ------
    InputError
        If the file cannot be read, or holds names that are not known.
    """
    source = expanded(path)
    if not source.is_file():
        raise InputError(f"There is no file {source}: give an .npz or HDF5 file of arrays.")
    arrays = _read_hdf5(source) if source.suffix in (".h5", ".hdf5") else _read_npz(source)
    arguments: dict[str, Any] = {}
    allowed = ("images", "responses", "behavior", "pupil_center", "neurons", "trials")
    for name, values in arrays.items():
        table, _, column = name.partition("/")
        if table not in allowed or (column and table not in ("neurons", "trials")):
            raise InputError(f"{source} holds {name!r}: {nearest(table, allowed)} (columns as neurons/x, trials/tier).")
        if column:
            arguments.setdefault(table, {})[column] = values
        else:
            arguments[table] = values
    for name in ("images", "responses", "neurons"):
        if name not in arguments:
            raise InputError(f"{source} has no {name}: it needs images, responses and the columns neurons/x, /y, /z.")
    return arguments


def _read_npz(source: Path) -> dict[str, Array]:
    try:
        with source.open("rb") as file:
            if file.read(len(_MAGIC)) == _MAGIC:
                raise InputError(f"{source} holds a single array: give an .npz with images, responses and neurons.")
            file.seek(0)
            arrays = npy.read_npz(file, _LARGEST)
        return {name: _text(values) for name, values in arrays.items()}
    except (ValueError, OSError) as error:
        if isinstance(error, InputError) and str(error).startswith(str(source)):
            raise
        reason = shortened(str(error).rstrip("."), 100)
        raise InputError(
            f"{source} is no readable .npz of plain arrays ({reason}): save it again with numpy.savez."
        ) from None


def _read_hdf5(source: Path) -> dict[str, Array]:
    import h5py

    arrays: dict[str, Array] = {}

    def keep(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[name] = _text(item.asstr()[()] if h5py.check_string_dtype(item.dtype) else item[()])

    try:
        with h5py.File(source, "r") as file:
            file.visititems(keep)
    except (OSError, RuntimeError, TypeError) as error:
        raise InputError(f"{source} is no readable HDF5 file ({error}): write it again.") from None
    return arrays


def _text(values: Any) -> Array:
    array = np.asarray(values)
    if array.dtype.kind == "S":
        return np.char.decode(array, "utf-8")
    return array.astype(np.str_) if array.dtype.kind == "O" else array


def read_table(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a table of neurons or trials from CSV, TSV or Parquet.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    source = expanded(path)
    if not source.is_file():
        raise InputError(f"There is no table {source}: give a CSV, TSV or Parquet file.")
    try:
        if source.suffix.lower() == ".parquet":
            return read_parquet(source, "write it again")
        separator = "\t" if source.suffix.lower() == ".tsv" else ","
        table = pd.read_csv(source, sep=separator)
        header = pd.read_csv(source, sep=separator, header=None, nrows=1, dtype=str, keep_default_na=False)
    except (ValueError, OSError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InputError(
            f"{source} is no readable table ({error}): give CSV, TSV or Parquet with a header line."
        ) from None
    names = header.iloc[0].str.strip()
    if (doubled := names[names.duplicated() & (names != "")]).size:
        raise InputError(f"{source} has two columns {doubled.iloc[0]!r}: rename one, or leave it out.")
    if len(table.columns) == 1 and (found := next((s for s in ";\t|" if s in str(table.columns[0])), None)):
        raise InputError(
            f"{source} seems to be separated by {found!r}: save it with commas, or as TSV with a name that ends in .tsv."
        )
    return table


def read_array(path: str | os.PathLike[str]) -> Array:
    """Read one array from a ``.npy`` file, memory-mapped.

    Raises
    ------
    InputError
        If it cannot be read, or holds pickled objects.
    """
    source = expanded(path)
    if not source.is_file():
        raise InputError(f"There is no file {source}: give a .npy file.")
    try:
        with source.open("rb") as file:
            magic = file.read(len(_MAGIC))
        array = np.asarray(npy.mapped(source)) if magic == _MAGIC else None
    except (ValueError, OSError) as error:
        reason = error.finding.message if isinstance(error, UnreadableError) else str(error)
        raise InputError(
            f"{source} is no readable .npy array ({reason.rstrip('.')}): save it with numpy.save."
        ) from None
    if array is None:  # NumPy would take it for a pickle, and advise to load that
        raise InputError(
            f"{source} is no .npy array: save it with numpy.save. Only the tables of neurons and trials may be CSV."
        )
    return array
