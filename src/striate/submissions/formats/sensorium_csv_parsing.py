"""Lists of numbers in the cells of a CSV, as the form of 2022 has them: ``"[0.1, 0.25]"``. No Python object a number.

PyArrow splits rows and lists and parses the numbers, a few rows at a time: some 60 ns a number instead of 400.
"""

import re
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from striate.errors import InputError

_SEPARATOR = b", "
_SPACES = " \t\r\n"


def write_lists(values: NDArray[np.float32]) -> Iterator[bytes]:
    """Write each row of `values` as Python writes a list of floats, every digit that the float64 of it has.

    Parameters
    ----------
    values : (T, N)
        Finite float32.

    Yields
    ------
    bytes
        ``[0.1, 0.25]``, one for each row.
    """
    neurons = values.shape[1]
    for start in range(0, len(values), 32):
        block = values[start : start + 32].astype(np.float64)
        texts = pa.array(block.reshape(-1)).cast(pa.string())
        # Whole, very small and very large numbers are spelt otherwise by PyArrow.
        size = np.abs(block.reshape(-1))
        otherwise = (block.reshape(-1) % 1 == 0) | (size < 1e-4) | (size >= 1e16)
        if otherwise.any():
            spelt = [repr(v) for v in block.reshape(-1)[otherwise].tolist()]
            texts = pc.replace_with_mask(texts, pa.array(otherwise), pa.array(spelt))
        ends = pa.array(np.arange(0, block.size + 1, neurons, dtype=np.int32))
        rows = pc.binary_join(pa.ListArray.from_arrays(ends, texts.cast(pa.binary())), _SEPARATOR)
        for row in rows:
            yield b"[" + row.as_buffer().to_pybytes() + b"]"


def read_floats(cells: pa.Array, neurons: int) -> NDArray[np.float32]:
    """Parse the lists of a few rows.

    Parameters
    ----------
    cells
        Binary array, one list a row.
    neurons
        How many numbers each list must have, N.

    Returns
    -------
    (rows, N) float32

    Raises
    ------
    InputError
        If a cell is not a list of N finite numbers.
    """
    try:
        texts, lengths = _split(cells, _SEPARATOR)
        numbers = texts.cast(pa.float32())
    except pa.ArrowInvalid:
        texts, lengths = _split_anyhow(cells)
        numbers = _floats(texts)
    if (lengths != neurons).any():
        other = lengths[lengths != neurons][0]
        raise InputError(f"there are {other} values for {neurons} unit ids; each neuron needs one value")
    values: NDArray[np.float32] = numbers.to_numpy(zero_copy_only=False)
    finite = np.isfinite(values)
    if not finite.all():
        wrong = _plain(texts[int(np.argmin(finite))])
        raise InputError(f"one value is {_shown(wrong)}; every value must be a finite number")
    return values.reshape(len(cells), neurons)


def read_integers(cell: bytes) -> NDArray[np.int64]:
    """Parse one list of integers.

    Raises
    ------
    InputError
        If the cell is not a list of integers.
    """
    texts, _ = _split_anyhow(pa.array([cell], type=pa.binary()))
    try:
        integers: NDArray[np.int64] = texts.cast(pa.int64()).to_numpy()
    except pa.ArrowInvalid:
        wrong = next((t for t in map(_plain, texts) if not t.removeprefix(b"-").isdigit()), b"one id of over 64 bits")
        raise InputError(f"{_shown(wrong)} is not a unit id; ids are integers{float_hint(wrong)}") from None
    return integers


def float_hint(text: bytes) -> str:
    """Return a clause for an id that is a whole float, ``130.0``, as pandas writes integers beside missing values."""
    whole = re.fullmatch(rb"(-?[0-9]+)\.0*", text)
    return f", and this is a float: write {whole[1].decode()[:20]} (in pandas, astype(int))" if whole else ""


def _split(cells: pa.Array, separator: bytes) -> tuple[pa.Array, NDArray[np.int32]]:
    """The elements of all lists, as one string array, and how many each list has."""
    bracketed = pc.and_(pc.starts_with(cells, b"["), pc.ends_with(cells, b"]"))
    if not pc.all(bracketed).as_py():
        raise pa.ArrowInvalid("not a list")
    lists = pc.split_pattern(pc.binary_slice(cells, 1, -1), separator)
    return lists.flatten().view(pa.string()), np.diff(lists.offsets.to_numpy())


def _split_anyhow(cells: pa.Array) -> tuple[pa.Array, NDArray[np.int32]]:
    """As `_split`, with any spaces around lists and elements."""
    trimmed = pc.ascii_trim(cells.view(pa.string()), _SPACES).view(pa.binary())
    try:
        texts, lengths = _split(trimmed, b",")
    except pa.ArrowInvalid:
        wrong = next(t for t in map(_plain, trimmed) if not (t.startswith(b"[") and t.endswith(b"]")))
        raise InputError(f"a list is {_shown(wrong)}; expected numbers in brackets, [0.1, 0.2]") from None
    return pc.ascii_trim(texts, _SPACES), lengths


def _floats(texts: pa.Array) -> pa.Array:
    """What PyArrow takes for numbers, or Python does; else say which is the first that is none."""
    try:
        return texts.cast(pa.float32())
    except pa.ArrowInvalid:
        values = []
    for text in map(_plain, texts):
        try:
            values.append(float(text))
        except ValueError:
            hint = ": write plain floats, as predictions.tolist() gives them" if b"np." in text else ""
            raise InputError(f"{_shown(text)} is not a number{hint}") from None
    return pa.array(values, type=pa.float64()).cast(pa.float32())


def _plain(text: pa.Scalar) -> bytes:
    return bytes(text.as_buffer())


def _shown(text: bytes) -> str:
    whole = text.decode(errors="replace")
    return repr(whole if len(whole) <= 40 else whole[:37] + "...")
