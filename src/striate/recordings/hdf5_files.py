"""Readers of HDF5 files, including MATLAB files of version 7.3."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.errors import InputError, shortened

Array = NDArray[Any]

_MAX_PATHS = 10_000  # nested links to the same group can make exponentially many paths
_MATLAB_HEADER = b"MATLAB 7.3 MAT-file"
_MATLAB_CLASS = "MATLAB_class"


def read_hdf5(source: Path) -> tuple[dict[str, Array], bool]:
    """Read all datasets of an HDF5 file.

    Parameters
    ----------
    source
        Path of an HDF5 file or a MATLAB file of version 7.3.

    Returns
    -------
    arrays : dict
        Arrays by path, with text as Unicode strings. The axes of MATLAB arrays have the order of ``size`` in MATLAB, the
        reverse of the order in HDF5.
    from_matlab : bool
        Whether MATLAB wrote the file, by its header or the attribute ``MATLAB_class`` of a dataset.

    Raises
    ------
    InputError
        If the file cannot be read, or a dataset contains neither numbers nor text.

    Examples
    --------
    >>> import tempfile
    >>> import h5py
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with h5py.File(Path(folder, "mouse.h5"), "w") as file:
    ...         file["neurons/x"] = np.zeros(3)
    ...     arrays, from_matlab = read_hdf5(Path(folder, "mouse.h5"))
    >>> list(arrays), from_matlab
    (['neurons/x'], False)
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
    """Iterate over the datasets of an open file, each under one of its paths. Links into other files are not followed.

    ``visititems`` is not used, because it reads the sizes of groups and never ends for damaged files with cyclic pages.
    """
    import h5py

    visited: set[Any] = set()
    pending = [("", file)]
    while pending:
        prefix, group = pending.pop()
        for name in group:
            if isinstance(group.get(name, getlink=True), h5py.ExternalLink):
                continue
            item = group.get(name)
            try:
                if item is None or item.id in visited:
                    continue
                visited.add(item.id)
            except TypeError:  # damaged objects cannot be compared
                continue
            if isinstance(item, h5py.Dataset):
                yield f"{prefix}{name}", item
            elif isinstance(item, h5py.Group):
                pending.append((f"{prefix}{name}/", item))


def _datasets(group: Any, prefix: str, ancestors: tuple[Any, ...], paths: Iterator[int]) -> Iterator[tuple[str, Any]]:
    """Iterate over all paths of datasets, including links. ``visititems`` would give only one path of each dataset."""
    import h5py

    for name in group:
        path = f"{prefix}{name}"
        if path.startswith("#"):  # "#refs#" contains the cells of MATLAB
            continue
        if next(paths) >= _MAX_PATHS:
            raise InputError(
                f"{shortened(group.file.filename, 80)} holds more than {_MAX_PATHS:,} datasets and groups, or links to them: give a file "
                "with images, responses and the columns of neurons and trials alone."
            )
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            raise InputError(
                f"{shortened(group.file.filename, 80)} holds {path!r} as a link into {link.filename!r}: copy the linked data into this file."
            )
        item = group.get(name)
        if item is None:
            raise InputError(
                f"{shortened(group.file.filename, 80)} holds {path!r} as a broken link: remove or repair it."
            )
        if isinstance(item, h5py.Dataset):
            yield path, item
        elif isinstance(item, h5py.Group) and item.id not in ancestors:  # a link may lead to an ancestor
            yield from _datasets(item, f"{path}/", (*ancestors, group.id), paths)


def decode_text(values: Any) -> Array:
    """Return an array with byte strings and objects converted to Unicode strings."""
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
    for index in range(filters.get_nfilters()):
        number, _flags, _values, name = filters.get_filter(index)
        if not h5py.h5z.filter_avail(number):
            label = f"{number}, {name.decode(errors='replace')}" if name else f"{number}"
            raise InputError(
                f"{where} compressed by a filter that is not installed here (number {label}): write the file again "
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
