"""Lists of numbers in the cells of a CSV, as the form of 2022 has them: ``"[0.1, 0.25]"``. No Python object a number.

PyArrow splits rows and lists and parses the numbers, a few rows at a time: some 60 ns a number instead of 400.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from striate.errors import InputError

_SEPARATOR = b", "
_SPACES = b" \t\r\n"


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


def read_floats(cells: pa.Array) -> NDArray[np.float32]:
    """Parse the lists of a few rows.

    Parameters
    ----------
    cells
        Binary array, one list a row.

    Returns
    -------
    (rows, N) float32

    Raises
    ------
    InputError
        If a cell is not a list of finite numbers, or the lists differ in length.
    """
    lists = _split(cells)
    lengths = np.diff(lists.offsets.to_numpy())
    if (lengths != lengths[0]).any():
        other = lengths[lengths != lengths[0]][0]
        raise InputError(f"one row has {lengths[0]} values and another {other}; each needs one for each neuron")
    try:
        numbers = lists.flatten().cast(pa.string()).cast(pa.float32()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        numbers = _plain_floats(lists.flatten().to_pylist())
    finite = np.isfinite(numbers)
    if not finite.all():
        text = lists.flatten()[int(np.argmin(finite))].as_py().decode(errors="replace")
        raise InputError(f"one value is {_shown(text)}; every value must be a finite number")
    values: NDArray[np.float32] = numbers.reshape(len(cells), int(lengths[0]))
    return values


def read_integers(cell: bytes) -> NDArray[np.int64]:
    """Parse one list of integers.

    Raises
    ------
    InputError
        If the cell is not a list of integers.
    """
    texts = _split(pa.array([cell], type=pa.binary())).flatten()
    try:
        integers: NDArray[np.int64] = texts.cast(pa.string()).cast(pa.int64()).to_numpy()
    except pa.ArrowInvalid:
        wrong = next((t for t in texts.to_pylist() if not t.strip().lstrip(b"-").isdigit()), b"an empty list")
        raise InputError(f"{_shown(wrong.decode(errors='replace'))} is not a unit id; ids are integers") from None
    return integers


def _split(cells: pa.Array) -> pa.ListArray:
    """Split lists at their commas, whatever the spaces."""
    if cells.null_count or not pc.all(pc.and_(pc.starts_with(cells, b"["), pc.ends_with(cells, b"]"))).as_py():
        trimmed = [(cell or b"").strip(_SPACES) for cell in cells.to_pylist()]
        wrong = next((c for c in trimmed if not (c.startswith(b"[") and c.endswith(b"]") and len(c) > 1)), None)
        if wrong is not None:
            raise InputError(
                f"a list is {_shown(wrong.decode(errors='replace'))}; expected numbers in brackets, [0.1, 0.2]"
            )
        cells = pa.array(trimmed, type=pa.binary())
    inner = pc.binary_slice(cells, 1, -1)
    lists = pc.split_pattern(inner, _SEPARATOR)
    if pc.any(pc.match_substring(lists.flatten(), b",")).as_py():  # commas without spaces
        tight = [bytes(text.translate(None, _SPACES)) for text in inner.to_pylist()]
        lists = pc.split_pattern(pa.array(tight, type=pa.binary()), b",")
    return lists


def _plain_floats(texts: list[bytes]) -> NDArray[np.float32]:
    """What PyArrow would not take: numbers that Python reads nonetheless, else the first that is none."""
    values = np.empty(len(texts), dtype=np.float32)
    for i, text in enumerate(texts):
        try:
            values[i] = float(text)
        except ValueError:
            shown = _shown(text.decode(errors="replace"))
            hint = " (write plain floats: predictions.tolist() before the list is written)" if b"np." in text else ""
            raise InputError(f"{shown} is not a number{hint}") from None
    return values


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
