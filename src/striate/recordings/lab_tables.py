"""Tables of neurons and trials from a lab, converted to the columns of the layout."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from striate._internal.arrays import as_array, refuse_masked, to_int64
from striate.errors import InputError, listed
from striate.recordings import layout
from striate.recordings.table_labels import index_as_columns

Array = NDArray[Any]
Table = pd.DataFrame | Mapping[str, ArrayLike]

# Alternative names of columns, compared without case and surrounding spaces.
_NEURON_ALIASES = {
    **{name: name for name in ("x", "y", "z", "unit_id", "area", "layer", "animal_id", "session", "scan_idx")},
    **dict.fromkeys((layout.COORDINATES, "coordinates", "positions"), "coordinates"),
    "unit_ids": "unit_id",
    "id": "unit_id",
    "animal_ids": "animal_id",
    "sessions": "session",
}
_TRIAL_ALIASES = {
    **{name: name for name in ("tier", "image_id", "trial_idx", *layout.OTHER_KNOWN_TRIAL_FIELDS)},
    "tiers": "tier",
    "frame_image_id": "image_id",
    "image_ids": "image_id",
    "trial_index": "trial_idx",
}


def _as_table(table: Table, name: str, aliases: Mapping[str, str]) -> pd.DataFrame:
    """Return a table with the column names of striate; refuse two columns with the same meaning."""
    if isinstance(table, pd.DataFrame):
        if table.columns.nlevels > 1:
            raise InputError(
                f"{name} has columns of {table.columns.nlevels} levels, such as {table.columns[0]}: give each one name."
            )
        frame = index_as_columns(table, aliases)
    else:
        frame = _table_of_columns(table, name)
    for index, dtype in enumerate(frame.dtypes):  # HDF5 and NumPy return text as bytes
        if dtype.kind == "O":
            values = frame.iloc[:, index].tolist()
            frame.isetitem(index, [v.decode(errors="replace") if isinstance(v, bytes) else v for v in values])
    names = [str(column).strip() for column in frame.columns]
    known = [aliases.get(column.casefold(), column) for column in names]
    if "unit_id" in [column.casefold() for column in names]:  # then "id" is a different column of the lab
        known = [column if column.casefold() == "id" else meaning for column, meaning in zip(names, known, strict=True)]
    column_by_meaning: dict[str, str] = {}
    for column, meaning in zip(names, known, strict=True):
        if meaning in column_by_meaning:
            both = (
                f"columns {column_by_meaning[meaning]!r} and {column!r}"
                if column_by_meaning[meaning] != column
                else f"two columns {column!r}"
            )
            raise InputError(f"{name} has {both}, which both mean {meaning}: leave one out, or rename it.")
        column_by_meaning[meaning] = column
    axes = [column_by_meaning[axis] for axis in "xyz" if axis in column_by_meaning]
    if "coordinates" in column_by_meaning and axes:
        raise InputError(
            f"{name} has columns {column_by_meaning['coordinates']!r} and {axes[0]!r}, which both mean positions: leave one out."
        )
    return frame.set_axis(known, axis="columns")


def _table_of_columns(table: Mapping[str, ArrayLike], name: str) -> pd.DataFrame:
    columns: dict[str, Any] = {}
    lengths: dict[str, int] = {}
    for key, values in table.items():
        refuse_masked(values, f"{name}' {key}")
        try:
            array = np.asarray(values)
        except ValueError as error:
            raise InputError(f"{name}' {key} is no regular array ({error}): give rows of equal length.") from None
        if array.ndim == 2 and 1 in array.shape and _NEURON_ALIASES.get(str(key).casefold()) != "coordinates":
            array = array.reshape(-1)  # column and row vectors of MATLAB
        columns[key] = list(array) if array.ndim > 1 else array if array.ndim else values
        if array.ndim:
            lengths[key] = len(array)
    if len(set(lengths.values())) > 1:
        summary = ", ".join(f"{key} {length}" for key, length in lengths.items())
        raise InputError(f"{name} has columns of different lengths: {summary}.")
    return pd.DataFrame(columns, index=range(next(iter(lengths.values()), 1)))


def trial_table(trials: Table | None, count: int) -> pd.DataFrame:
    """Return the table of trials (`count` rows), with the given columns only. Ids are integers or text."""
    table = pd.DataFrame(index=range(count)) if trials is None else _as_table(trials, "trials", _TRIAL_ALIASES)
    if len(table) != count:
        raise InputError(f"trials has {len(table)} rows, responses has {count}: each row of responses is one trial.")
    table = table.copy()
    for name, advice in (
        ("image_id", "give one for each trial, or leave the column out, and equal pixels get the same"),
        ("trial_idx", "give one for each trial, or leave the column out for the order of the rows"),
    ):
        if name in table:
            table[name] = _ids(table[name], f"trials' {name}", advice, allow_text=True)
    return table


def neuron_table(neurons: Table, count: int, trials: int) -> pd.DataFrame:
    """Return the table of neurons (`count` rows) with the columns ``unit_id``, ``x``, ``y`` and ``z``.

    `trials` is the number of trials, which shows whether the responses are transposed.
    """
    table = _as_table(neurons, "neurons", _NEURON_ALIASES)
    if len(table) != count:
        hint = (
            " Rows of responses are trials, columns are neurons: if responses are transposed, give response_axes, NT."
            if len(table) == trials
            else ""
        )
        raise InputError(f"neurons has {len(table)} rows, responses has {count} columns.{hint}")
    if "coordinates" in table:
        positions = as_array(table["coordinates"].tolist(), "neurons' coordinates").astype(np.float64)
        if positions.shape != (count, 3):
            raise InputError(
                f"neurons' coordinates have shape {positions.shape}: give x, y, z of {count} neurons in µm."
            )
        table = table.drop(columns="coordinates").assign(x=positions[:, 0], y=positions[:, 1], z=positions[:, 2])
    if missing := [c for c in ("x", "y", "z") if c not in table]:
        raise InputError(
            f"neurons has no {', '.join(missing)} (it has {', '.join(map(str, table.columns))}): give cortical positions in µm."
        )
    table = table.assign(**{axis: _positions(table[axis], axis) for axis in "xyz"})
    if "unit_id" not in table:
        table = table.assign(unit_id=np.arange(1, count + 1))
    advice = f"leave the column out for 1 to {count}, and keep names of your own in another column"
    return table.assign(unit_id=_ids(table["unit_id"], "neurons' unit_id", advice, allow_text=False))


_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")


def _positions(values: pd.Series, axis: str) -> Array:
    """Validate one coordinate of all neurons, in µm."""
    texts = [value.strip() for value in values.tolist() if isinstance(value, str)]
    if commas := next((text for text in texts if _DECIMAL_COMMA.fullmatch(text)), None):
        raise InputError(f"neurons' {axis} has decimal commas, such as {commas!r}: save the table with decimal points.")
    if texts:
        raise InputError(f"neurons' {axis} holds {texts[0]!r}: give cortical positions as numbers, in µm.")
    numbers = as_array(values.to_numpy(dtype=np.float64, na_value=np.nan), f"neurons' {axis}")
    if not np.isfinite(numbers).all():
        raise InputError("neurons' x, y, z are not all finite: give a position for each neuron, in µm.")
    return numbers


def _ids(values: pd.Series, name: str, advice: str, *, allow_text: bool) -> Array:
    """Return ids as integers, or as text if `allow_text`."""
    if (empty := np.flatnonzero(values.isna())).size:
        raise InputError(f"{name} is missing in rows {listed(empty)}: {advice}.")
    array = values.to_numpy()
    if allow_text and all(isinstance(value, str) for value in array):
        return array
    try:
        return to_int64(array)
    except InputError as error:
        kind = "whole numbers or text" if allow_text else "whole numbers"
        raise InputError(f"{name} must be {kind}, {error}: {advice}.") from None


def get_unit_ids(neurons: Any) -> list[Any] | None:
    """Return the unit ids of a lab's table of neurons, or None if it has no unit ids."""
    if not isinstance(neurons, pd.DataFrame | Mapping):
        return None
    table = _as_table(neurons, "neurons", _NEURON_ALIASES)
    return table["unit_id"].tolist() if "unit_id" in table else None


def get_trial_ids(trials: Table) -> list[list[Any]]:
    """Return a list with the trial indices of a lab's table of trials, or an empty list if it has no trial indices."""
    table = _as_table(trials, "trials", _TRIAL_ALIASES)
    return [table["trial_idx"].tolist()] if "trial_idx" in table else []
