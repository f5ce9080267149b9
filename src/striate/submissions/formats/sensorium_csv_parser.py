"""One CSV in the format of 2022: a row for each trial and four columns, two of which hold lists of numbers such as ``"[0.1, 0.25]"``.

A file of 1,000 trials × 7,776 neurons has 200 MB, 50 MB of which are a thousand copies of the list of unit ids. Only a few rows of
text are therefore held in memory, and a list of ids is parsed only if it differs from the first one. PyArrow splits and parses the
lists, which takes about 60 ns per number; Python floats would take 400 ns.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from striate._internal.atomic_write import atomic_write
from striate._internal.file_types import wrong_file_type
from striate.errors import InputError, listed, nearest
from striate.submissions.trial_table import MAX_TRIALS, MAX_VALUES, IdArray, printable_text

TRIALS, IMAGES, NEURONS = "trial_indices", "image_ids", "neuron_ids"

_MIN_BLOCK_BYTES = 2**20  # bytes of text read at once
_MAX_ROW_BYTES = 2**26
_MAX_HEADER_BYTES = 2**12
_SEPARATOR = b", "
_SPACES = " \t\r\n"
_INTEGER = re.compile(rb"-?[0-9]{1,18}")


@dataclass(frozen=True)
class CsvRows:
    """Contents of one CSV.

    Attributes
    ----------
    trial_idx, image_id : (T,)
        Trial indices and image ids, as integers if all of them are integers, else as strings.
    unit_ids : (N,)
        Unit ids in the order of the first row.
    values : (T, N) float32
        Predictions or responses, with every row in the order of `unit_ids`.
    """

    trial_idx: IdArray
    image_id: IdArray
    unit_ids: NDArray[np.int64]
    values: NDArray[np.float32]


def write_file(path: Path, column: str, rows: CsvRows, *, overwrite: bool) -> None:
    """Write a CSV atomically. `column` is the name of the column of values, ``prediction`` or ``responses``."""
    unit_ids = str(rows.unit_ids.tolist())
    trials, images = _cells(rows.trial_idx), _cells(rows.image_id)
    with atomic_write(path, overwrite=overwrite) as temporary, temporary.open("wb") as file:
        file.write(f"{TRIALS},{IMAGES},{column},{NEURONS}\n".encode())
        for trial, image, values in zip(trials, images, write_lists(rows.values), strict=True):
            file.write(b'%s,%s,"%s","%s"\n' % (trial.encode(), image.encode(), values, unit_ids.encode()))


def read_file(path: Path, column: str) -> CsvRows:
    """Read a CSV from an untrusted source. `column` is the name of the column of values, ``prediction`` or ``responses``.

    Raises
    ------
    InputError
        If the file is not a complete CSV in this format. The message names the file, the trial if possible, and a remedy.
    """
    try:
        return _read(path, column)
    except pa.ArrowInvalid as error:
        raise InputError(
            f"{path} is not a complete CSV of {TRIALS}, {IMAGES}, {column}, {NEURONS} ({printable_text(str(error))}): write or copy it again."
        ) from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}).") from error


def column_order(unit_ids: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.intp] | None:
    """Return the positions in `unit_ids` of the ids in `wanted`; None if the ids are not the same."""
    order = np.argsort(unit_ids)
    if not np.array_equal(unit_ids[order], np.sort(wanted)):
        return None
    columns: NDArray[np.intp] = order[np.argsort(np.argsort(wanted))]
    return columns


def _read(path: Path, column: str) -> CsvRows:
    block = _check_start(path, column)
    trials: list[bytes] = []
    images: list[bytes] = []
    parts: list[NDArray[np.float32]] = []
    unit_ids: NDArray[np.int64] | None = None
    ids_text = b""
    for batch in _batches(path, column, block):
        trials += batch.column(TRIALS).to_pylist()
        images += batch.column(IMAGES).to_pylist()
        names = trials[-len(batch) :]
        ids = batch.column(NEURONS)
        if unit_ids is None:
            ids_text = ids[0].as_py()
            unit_ids = _ids_of_row(path, ids_text, names[0])
        values = _values(path, batch.column(column), len(unit_ids), names)
        differ = np.flatnonzero(~pc.equal(ids, pa.scalar(ids_text, pa.binary())).to_numpy(zero_copy_only=False))
        for row in differ.tolist():
            values = values if values.flags.writeable else values.copy()
            values[row] = values[row][_columns_of_row(path, ids[row].as_py(), unit_ids, names[row])]
        parts.append(values)
        if len(trials) > MAX_TRIALS or len(trials) * len(unit_ids) > MAX_VALUES:
            raise InputError(f"{path} has too many rows: at most {MAX_TRIALS} trials and {MAX_VALUES} values are read.")
    if unit_ids is None:
        raise InputError(f"{path} has no rows; a row is needed for each trial.")
    return CsvRows(_ids(path, trials, TRIALS), _ids(path, images, IMAGES), unit_ids, np.concatenate(parts))


def _check_start(path: Path, column: str) -> int:
    """Check the header, and return the block size that is large enough for a row."""
    if not path.is_file():
        if path.exists():
            raise wrong_file_type(path, "a CSV of 2022", "give a CSV of 2022", recording=False)
        raise InputError(f"{path} does not exist; give a CSV of 2022.")
    with path.open("rb") as file:
        header = file.readline(_MAX_HEADER_BYTES)
        first = len(file.readline(_MAX_ROW_BYTES))
    if not header:
        raise InputError(f"{path} is empty; write or copy it again.")
    try:
        names = next(csv.reader([header.decode("utf-8-sig")]))
    except (UnicodeDecodeError, csv.Error, StopIteration):
        names = []
    wanted = (TRIALS, IMAGES, column, NEURONS)
    if not set(names) & set(wanted):
        advice = f"its first line must name the columns {', '.join(wanted)}"
        raise wrong_file_type(path, "a CSV of 2022", advice, recording=False)
    for name in wanted:
        if names.count(name) != 1:
            problem = f"has {names.count(name)} columns" if name in names else "has no column"
            raise InputError(f"{path} {problem} {name!r}, and one is needed: {nearest(name, names)}.")
    if first >= _MAX_ROW_BYTES:
        raise InputError(f"{path}: the first row is longer than {_MAX_ROW_BYTES} bytes; it is not a CSV of 2022.")
    return max(_MIN_BLOCK_BYTES, 2 * first)


def _batches(path: Path, column: str, block: int) -> Iterator[pa.RecordBatch]:
    columns = [TRIALS, IMAGES, column, NEURONS]
    with path.open("rb") as file:  # PyArrow does not accept paths that are not UTF-8
        reader = pa_csv.open_csv(
            file,
            read_options=pa_csv.ReadOptions(block_size=block, use_threads=False),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.binary()), include_columns=columns, strings_can_be_null=False
            ),
        )
        with reader:
            yield from (batch for batch in reader if batch.num_rows)


def _values(path: Path, cells: pa.Array, neurons: int, trials: Sequence[bytes]) -> NDArray[np.float32]:
    try:
        return read_floats(cells, neurons)
    except InputError:
        for row, trial in enumerate(trials):  # find the invalid row
            try:
                read_floats(cells.slice(row, 1), neurons)
            except InputError as error:
                raise InputError(f"{path}, trial {_text(trial)}: {error}.") from None
        raise


def _ids_of_row(path: Path, text: bytes, trial: bytes) -> NDArray[np.int64]:
    try:
        return read_integers(text)
    except InputError as error:
        raise InputError(f"{path}, trial {_text(trial)}: {NEURONS}: {error}.") from None


def _columns_of_row(path: Path, text: bytes, wanted: NDArray[np.int64], trial: bytes) -> NDArray[np.intp]:
    ids = _ids_of_row(path, text, trial)
    columns = column_order(ids, wanted)
    if columns is None:
        differ = np.setxor1d(ids, wanted).tolist()
        raise InputError(
            f"{path}, trial {_text(trial)}: its unit ids are not those of the first row "
            f"({listed(differ) if differ else 'one occurs twice'}); every row needs the same neurons."
        )
    return columns


def _ids(path: Path, cells: list[bytes], column: str) -> IdArray:
    if all(_INTEGER.fullmatch(cell) for cell in cells):
        return np.array([int(cell) for cell in cells], dtype=np.int64)
    if (whole := next((cell for cell in cells if float_hint(cell)), None)) is not None:
        raise InputError(f"{path}: {column} {_text(whole)} is not an integer{float_hint(whole)}.")
    texts = [cell.decode(errors="replace").strip() for cell in cells]
    if not all(texts):
        raise InputError(f"{path}: row {texts.index('') + 1} has an empty {column}; each row needs one.")
    return np.array(texts)


def _cells(ids: IdArray) -> list[str]:
    return [f'"{t.replace(chr(34), chr(34) * 2)}"' if set(t) & set(',"\r\n') else t for t in map(str, ids.tolist())]


def _text(cell: bytes) -> str:
    return printable_text(cell.decode(errors="replace"), 60)


def write_lists(values: NDArray[np.float32]) -> Iterator[bytes]:
    """Format each row of `values` as Python formats a list of floats, with all digits of the float64 value.

    Parameters
    ----------
    values : (T, N)
        Finite values.

    Yields
    ------
    bytes
        A list such as ``[0.1, 0.25]`` for each row.
    """
    neurons = values.shape[1]
    for start in range(0, len(values), 32):
        block = values[start : start + 32].astype(np.float64)
        texts = pa.array(block.reshape(-1)).cast(pa.string())
        # PyArrow formats integers, very small and very large numbers differently from Python.
        size = np.abs(block.reshape(-1))
        differs = (block.reshape(-1) % 1 == 0) | (size < 1e-4) | (size >= 1e16)
        if differs.any():
            formatted = [repr(v) for v in block.reshape(-1)[differs].tolist()]
            texts = pc.replace_with_mask(texts, pa.array(differs), pa.array(formatted))
        ends = pa.array(np.arange(0, block.size + 1, neurons, dtype=np.int32))
        rows = pc.binary_join(pa.ListArray.from_arrays(ends, texts.cast(pa.binary())), _SEPARATOR)
        for row in rows:
            yield b"[" + row.as_buffer().to_pybytes() + b"]"


def read_floats(cells: pa.Array, neurons: int) -> NDArray[np.float32]:
    """Parse the lists of a few rows.

    Parameters
    ----------
    cells : (rows,)
        Binary array with one list per row.
    neurons
        Required length N of each list.

    Returns
    -------
    (rows, N) float32
        The numbers.

    Raises
    ------
    InputError
        If a cell is not a list of N finite numbers.
    """
    try:
        texts, lengths = _split(cells, _SEPARATOR)
        numbers = texts.cast(pa.float32())
    except pa.ArrowInvalid:
        texts, lengths = _split_with_spaces(cells)
        numbers = _floats(texts)
    if (lengths != neurons).any():
        other = lengths[lengths != neurons][0]
        raise InputError(f"there are {other} values for {neurons} unit ids; each neuron needs one value")
    values: NDArray[np.float32] = numbers.to_numpy(zero_copy_only=False)
    finite = np.isfinite(values)
    if not finite.all():
        wrong = _to_bytes(texts[int(np.argmin(finite))])
        raise InputError(f"one value is {_quote(wrong)}; every value must be a finite number")
    return values.reshape(len(cells), neurons)


def read_integers(cell: bytes) -> NDArray[np.int64]:
    """Parse one list of integers.

    Raises
    ------
    InputError
        If the cell is not a list of integers.
    """
    texts, _ = _split_with_spaces(pa.array([cell], type=pa.binary()))
    try:
        integers: NDArray[np.int64] = texts.cast(pa.int64()).to_numpy()
    except pa.ArrowInvalid:
        wrong = next(
            (t for t in map(_to_bytes, texts) if not t.removeprefix(b"-").isdigit()), b"one id of over 64 bits"
        )
        raise InputError(f"{_quote(wrong)} is not a unit id; ids are integers{float_hint(wrong)}") from None
    return integers


def float_hint(text: bytes) -> str:
    """Return advice for an id such as ``130.0``, which pandas writes for integers in a column with missing values."""
    whole = re.fullmatch(rb"(-?[0-9]+)\.0*", text)
    return f", and this is a float: write {whole[1].decode()[:20]} (in pandas, astype(int))" if whole else ""


def _split(cells: pa.Array, separator: bytes) -> tuple[pa.Array, NDArray[np.int32]]:
    """Return the elements of all lists as one string array, and the length of each list."""
    bracketed = pc.and_(pc.starts_with(cells, b"["), pc.ends_with(cells, b"]"))
    if not pc.all(bracketed).as_py():
        raise pa.ArrowInvalid("not a list")
    lists = pc.split_pattern(pc.binary_slice(cells, 1, -1), separator)
    return lists.flatten().view(pa.string()), np.diff(lists.offsets.to_numpy())


def _split_with_spaces(cells: pa.Array) -> tuple[pa.Array, NDArray[np.int32]]:
    """Split like `_split`, with any number of spaces around lists and elements."""
    trimmed = pc.ascii_trim(cells.view(pa.string()), _SPACES).view(pa.binary())
    try:
        texts, lengths = _split(trimmed, b",")
    except pa.ArrowInvalid:
        wrong = next(t for t in map(_to_bytes, trimmed) if not (t.startswith(b"[") and t.endswith(b"]")))
        raise InputError(f"a list is {_quote(wrong)}; expected numbers in brackets, [0.1, 0.2]") from None
    return pc.ascii_trim(texts, _SPACES), lengths


def _floats(texts: pa.Array) -> pa.Array:
    """Parse numbers with PyArrow, or else with Python; raise `InputError` for the first text that is not a number."""
    try:
        return texts.cast(pa.float32())
    except pa.ArrowInvalid:
        values = []
    for text in map(_to_bytes, texts):
        try:
            values.append(float(text))
        except ValueError:
            hint = ": write plain floats, as predictions.tolist() gives them" if b"np." in text else ""
            raise InputError(f"{_quote(text)} is not a number{hint}") from None
    return pa.array(values, type=pa.float64()).cast(pa.float32())


def _to_bytes(text: pa.Scalar) -> bytes:
    return bytes(text.as_buffer())


def _quote(text: bytes) -> str:
    whole = text.decode(errors="replace")
    return repr(whole if len(whole) <= 40 else whole[:37] + "...")
