"""One CSV of the form of 2022: four columns, a row a trial, two of the cells lists of numbers.

A file of 1,000 trials × 7,776 neurons has 200 MB, of which 50 MB are the same list of unit ids a thousand times: only a few
rows of text are held at a time, and a list of ids is parsed only where it differs from the one before.
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
from striate.submissions.formats.sensorium_csv_parsing import float_hint, read_floats, read_integers, write_lists
from striate.submissions.trial_table import MOST_TRIALS, MOST_VALUES, Ids, printable

TRIALS, IMAGES, NEURONS = "trial_indices", "image_ids", "neuron_ids"

_LEAST_BLOCK = 2**20  # bytes of text read at once
_LONGEST_ROW = 2**26
_LONGEST_HEADER = 2**12
_INTEGER = re.compile(rb"-?[0-9]{1,18}")


@dataclass(frozen=True)
class Rows:
    """What one CSV holds.

    Attributes
    ----------
    trial_idx, image_id : (T,)
        As integers where all of them are, else as strings.
    unit_ids : (N,)
        Of the first row; the values of other rows are in the same order.
    values : (T, N)
        float32.
    """

    trial_idx: Ids
    image_id: Ids
    unit_ids: NDArray[np.int64]
    values: NDArray[np.float32]


def write_file(path: Path, column: str, rows: Rows, *, overwrite: bool) -> None:
    """Write a CSV, whole or not at all; `column` is the name of the values, ``prediction`` or ``responses``."""
    unit_ids = str(rows.unit_ids.tolist())
    trials, images = _cells(rows.trial_idx), _cells(rows.image_id)
    with atomic_write(path, overwrite=overwrite) as aside, aside.open("wb") as file:
        file.write(f"{TRIALS},{IMAGES},{column},{NEURONS}\n".encode())
        for trial, image, values in zip(trials, images, write_lists(rows.values), strict=True):
            file.write(b'%s,%s,"%s","%s"\n' % (trial.encode(), image.encode(), values, unit_ids.encode()))


def read_file(path: Path, column: str) -> Rows:
    """Read a CSV without trusting it; `column` is the name of the values, ``prediction`` or ``responses``.

    Raises
    ------
    InputError
        If it is not a whole CSV of this form: the sentence names the file, where possible the trial, and how to mend it.
    """
    try:
        return _read(path, column)
    except pa.ArrowInvalid as error:
        raise InputError(
            f"{path} is not a whole CSV of {TRIALS}, {IMAGES}, {column}, {NEURONS} ({printable(str(error))}): write or copy it again."
        ) from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}).") from error


def columns_of(unit_ids: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.intp] | None:
    """Columns of `unit_ids` in the order of `wanted`; None if they are not the same ids."""
    order = np.argsort(unit_ids)
    if not np.array_equal(unit_ids[order], np.sort(wanted)):
        return None
    columns: NDArray[np.intp] = order[np.argsort(np.argsort(wanted))]
    return columns


def _read(path: Path, column: str) -> Rows:
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
        if len(trials) > MOST_TRIALS or len(trials) * len(unit_ids) > MOST_VALUES:
            raise InputError(
                f"{path} has too many rows: at most {MOST_TRIALS} trials and {MOST_VALUES} values are read."
            )
    if unit_ids is None:
        raise InputError(f"{path} has no rows; a row is needed for each trial.")
    return Rows(_ids(path, trials, TRIALS), _ids(path, images, IMAGES), unit_ids, np.concatenate(parts))


def _check_start(path: Path, column: str) -> int:
    """Check the header; say how large blocks must be to hold a row."""
    if not path.is_file():
        if path.exists():
            raise wrong_file_type(path, "a CSV of 2022", "give a CSV of 2022", recording=False)
        raise InputError(f"{path} does not exist; give a CSV of 2022.")
    with path.open("rb") as file:
        header = file.readline(_LONGEST_HEADER)
        first = len(file.readline(_LONGEST_ROW))
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
            often = f"has {names.count(name)} columns" if name in names else "has no column"
            raise InputError(f"{path} {often} {name!r}, and one is needed: {nearest(name, names)}.")
    if first >= _LONGEST_ROW:
        raise InputError(f"{path}: the first row is longer than {_LONGEST_ROW} bytes; it is not a CSV of 2022.")
    return max(_LEAST_BLOCK, 2 * first)


def _batches(path: Path, column: str, block: int) -> Iterator[pa.RecordBatch]:
    columns = [TRIALS, IMAGES, column, NEURONS]
    with path.open("rb") as file:  # PyArrow takes no paths that are not UTF-8
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
        for row, trial in enumerate(trials):  # which one was it?
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
    columns = columns_of(ids, wanted)
    if columns is None:
        differ = np.setxor1d(ids, wanted).tolist()
        raise InputError(
            f"{path}, trial {_text(trial)}: its unit ids are not those of the first row "
            f"({listed(differ) if differ else 'one is doubled'}); every row needs the same neurons."
        )
    return columns


def _ids(path: Path, cells: list[bytes], column: str) -> Ids:
    if all(_INTEGER.fullmatch(cell) for cell in cells):
        return np.array([int(cell) for cell in cells], dtype=np.int64)
    if (whole := next((cell for cell in cells if float_hint(cell)), None)) is not None:
        raise InputError(f"{path}: {column} {_text(whole)} is not an integer{float_hint(whole)}.")
    texts = [cell.decode(errors="replace").strip() for cell in cells]
    if not all(texts):
        raise InputError(f"{path}: row {texts.index('') + 1} has an empty {column}; each row needs one.")
    return np.array(texts)


def _cells(ids: Ids) -> list[str]:
    return [f'"{t.replace(chr(34), chr(34) * 2)}"' if set(t) & set(',"\r\n') else t for t in map(str, ids.tolist())]


def _text(cell: bytes) -> str:
    return printable(cell.decode(errors="replace"), 60)
