"""Arrays and texts read from HDF5 files, those of MATLAB included."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.errors import InputError, shortened

Array = NDArray[Any]

_MOST_PATHS = 10_000  # links to the same group, level upon level, make more than could ever be read
_MATLAB_HEADER = b"MATLAB 7.3 MAT-file"
_MATLAB_CLASS = "MATLAB_class"


def read_hdf5(source: Path) -> tuple[dict[str, Array], bool]:
    """Read all datasets of an HDF5 file.

    Parameters
    ----------
    source
        An HDF5 file, or a MATLAB file of version 7.3, which is one.

    Returns
    -------
    dict
        Arrays by path; texts as Unicode strings. Those that MATLAB wrote have the order of axes that ``size`` shows in
        MATLAB: HDF5 stores them the other way round.
    bool
        Whether MATLAB wrote the file, by its header or the attribute ``MATLAB_class`` of a dataset.

    Raises
    ------
    InputError
        If the file cannot be read, or holds what is neither numbers nor text.
    """
    import h5py

    with source.open("rb") as opened:
        from_matlab = opened.read(len(_MATLAB_HEADER)) == _MATLAB_HEADER
    try:
        with h5py.File(source, "r") as file:
            datasets = list(_datasets(file, "", (), count()))
            from_matlab = from_matlab or any(_MATLAB_CLASS in item.attrs for _, item in datasets)
            read = _read_matlab if from_matlab else _read_plain
            return {name: read(name, item) for name, item in datasets}, from_matlab
    except (OSError, RuntimeError, TypeError, KeyError, UnicodeDecodeError) as error:
        if isinstance(error, InputError):
            raise
        reason = shortened(error, 100)
        raise InputError(f"{source} is no readable HDF5 file ({reason}): write it again.") from None


def iterate_datasets(file: Any) -> Iterator[tuple[str, Any]]:
    """All datasets of an opened file, each under one of its paths; links into other files are not followed.

    ``visititems`` also asks for the sizes of groups, and a damaged file in which their pages lead in a circle would never end it.
    """
    import h5py

    seen: set[Any] = set()
    left = [("", file)]
    while left:
        place, group = left.pop()
        for name in group:
            if isinstance(group.get(name, getlink=True), h5py.ExternalLink):
                continue
            item = group.get(name)
            try:
                if item is None or item.id in seen:
                    continue
                seen.add(item.id)
            except TypeError:  # so damaged that it cannot be told from others
                continue
            if isinstance(item, h5py.Dataset):
                yield f"{place}{name}", item
            elif isinstance(item, h5py.Group):
                left.append((f"{place}{name}/", item))


def _datasets(group: Any, place: str, above: tuple[Any, ...], paths: Iterator[int]) -> Iterator[tuple[str, Any]]:
    """All datasets by path, those behind links included: ``visititems`` would leave out all but one path to each."""
    import h5py

    for name in group:
        path = f"{place}{name}"
        if path.startswith("#"):  # "#refs#" holds the contents of MATLAB's cells
            continue
        if next(paths) >= _MOST_PATHS:
            raise InputError(
                f"{shortened(group.file.filename, 80)} holds more than {_MOST_PATHS:,} datasets and groups, or links to them: give a file "
                "with images, responses and the columns of neurons and trials alone."
            )
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            raise InputError(
                f"{shortened(group.file.filename, 80)} holds {path!r} as a link into {link.filename!r}: copy what it names into this file."
            )
        item = group.get(name)
        if item is None:
            raise InputError(
                f"{shortened(group.file.filename, 80)} holds {path!r} as a link to what is not there: remove it, or mend it."
            )
        if isinstance(item, h5py.Dataset):
            yield path, item
        elif isinstance(item, h5py.Group) and item.id not in above:  # a link may lead back
            yield from _datasets(item, f"{path}/", (*above, group.id), paths)


def decode_text(values: Any) -> Array:
    """Return an array with byte strings and objects as Unicode strings."""
    array = np.asarray(values)
    if array.dtype.kind == "S":
        return np.char.decode(array, "utf-8")
    return array.astype(np.str_) if array.dtype.kind == "O" else array


def _read_plain(name: str, dataset: Any) -> Array:
    import h5py

    where = f"{shortened(dataset.file.filename, 80)} holds {name!r}"
    if dataset.shape is None:
        raise InputError(f"{where} without values: leave it out.")
    if dataset.dtype.kind == "O" and not h5py.check_string_dtype(dataset.dtype):
        raise InputError(f"{where} as references or rows of different lengths: save numbers or texts of one shape.")
    _refuse_unknown_filters(dataset, where)
    if h5py.check_string_dtype(dataset.dtype):
        return decode_text(dataset.asstr()[()])
    values = np.asarray(dataset[()])
    if (named := h5py.check_enum_dtype(dataset.dtype)) is not None:
        words = {number: word for word, number in named.items()}
        return np.array([words.get(number, str(number)) for number in values.ravel().tolist()]).reshape(values.shape)
    return decode_text(values)


def _refuse_unknown_filters(dataset: Any, where: str) -> None:
    import h5py

    filters = dataset.id.get_create_plist()
    for place in range(filters.get_nfilters()):
        number, _flags, _values, name = filters.get_filter(place)
        if not h5py.h5z.filter_avail(number):
            called = f"{number}, {name.decode(errors='replace')}" if name else f"{number}"
            raise InputError(
                f"{where} compressed by a filter that is not installed here (number {called}): write the file again "
                "with gzip, where the filter is installed."
            )


def _read_matlab(name: str, dataset: Any) -> Array:
    kind = dataset.attrs.get(_MATLAB_CLASS, b"")
    kind = kind.decode() if isinstance(kind, bytes) else str(kind)
    if dataset.attrs.get("MATLAB_empty", 0):
        return np.empty(0)
    if kind == "cell":
        return np.array([_cell(name, dataset.file[reference]) for reference in dataset[()].T.reshape(-1)])
    if kind == "char":
        return np.array([_characters(row) for row in np.atleast_2d(dataset[()].T)])
    values = dataset[()]
    if dataset.dtype.kind not in "biuf":
        raise InputError(
            f"{dataset.file.filename} holds {name!r} as MATLAB's type {kind or dataset.dtype}: save numbers, character "
            "arrays, or cells of character vectors (cellstr)."
        )
    return np.asarray(values).T


def _cell(name: str, content: Any) -> str | float:
    if content.attrs.get(_MATLAB_CLASS, b"") == b"char":
        return "" if content.attrs.get("MATLAB_empty", 0) else _characters(content[()].T.reshape(-1))
    if content.size != 1 or content.dtype.kind not in "biuf":
        raise InputError(
            f"{content.file.filename} holds {name!r} as a cell array of arrays: give numbers, or one word in each cell."
        )
    return float(content[()].reshape(-1)[0])


def _characters(codes: Array) -> str:
    return codes.astype("<u2").tobytes().decode("utf-16-le").rstrip("\0 ")
