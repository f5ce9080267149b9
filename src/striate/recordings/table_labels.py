"""Tables whose rows and columns have labels: matched by these, not by where they happen to stand."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from striate._internal.arrays import as_array
from striate.errors import InputError, listed, nearest

# component -> other names for it; compared without case, spaces and underscores
BEHAVIOR: Mapping[str, Sequence[str]] = {
    "pupil_dilation": ("pupil dilation", "dilation", "pupil", "pupil size"),
    "pupil_dilation_derivative": ("derivative of pupil dilation", "derivative", "pupil derivative", "d_pupil"),
    "running_speed": ("running speed", "running", "speed", "treadmill"),
}
PUPIL_CENTER: Mapping[str, Sequence[str]] = {"horizontal": ("x", "pupil_x"), "vertical": ("y", "pupil_y")}


def has_column_names(values: Any) -> bool:
    """Whether the columns of something have names: a mapping or a table, unless its columns are only numbered."""
    if isinstance(values, pd.DataFrame):
        return not all(isinstance(label, int | np.integer) for label in values.columns)
    return isinstance(values, Mapping)


def stack_components(name: str, given: Any, components: Mapping[str, Sequence[str]]) -> NDArray[np.float64]:
    """Take the components of behaviour or eye position from a table or mapping, by their names.

    Parameters
    ----------
    name
        What they are, for messages, such as ``"behavior"``.
    given
        A DataFrame, a Series, or a mapping from names to numbers or columns of equal length. Columns of behaviour and eye position
        may stand side by side.
    components
        Each component and its other names: `BEHAVIOR` or `PUPIL_CENTER`.

    Returns
    -------
    (T, K)
        One column for each component, in their order.

    Raises
    ------
    InputError
        If one is missing, named twice or unknown, or lengths differ.
    """
    own = _plain_names(components)
    known = own | _plain_names(BEHAVIOR) | _plain_names(PUPIL_CENTER)
    columns: dict[str, NDArray[Any]] = {}
    for key in given.keys():  # noqa: SIM118 - of a DataFrame, iterating would be the same; of a Series, the values
        plain = _plain(str(key))
        if plain not in known:
            raise InputError(f"{name} has no component {key!r}: {nearest(str(key), components)}.")
        if plain in own:
            if own[plain] in columns:
                raise InputError(f"{name} names {own[plain]} twice: give it once.")
            columns[own[plain]] = np.atleast_1d(as_array(given[key], f"values of {key}").astype(np.float64))
    if missing := [component for component in components if component not in columns]:
        raise InputError(f"{name} lacks {', '.join(missing)}: it needs {', '.join(components)}.")
    try:
        return np.stack(np.broadcast_arrays(*(columns[component] for component in components)), axis=-1)
    except ValueError as error:
        lengths = ", ".join(f"{key} {len(values)}" for key, values in columns.items())
        raise InputError(
            f"{name} has columns of different lengths ({lengths}): give a value for each image."
        ) from error


def _plain(key: str) -> str:
    return re.sub(r"[\s_-]+", "", key).lower()


def _plain_names(components: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {_plain(name): component for component, names in components.items() for name in (component, *names)}


def index_as_columns(table: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """Make columns of the levels of an index that bear one of `names` (in any case), and number the rows from 0."""
    known = set(names)
    wanted = [level for level in table.index.names if level is not None and str(level).strip().casefold() in known]
    wanted = [level for level in wanted if level not in table.columns]
    return table.reset_index(level=wanted).reset_index(drop=True) if wanted else table.reset_index(drop=True)


def reorder_by_labels(
    table: pd.DataFrame, what: str, *, rows: Iterable[Any] = (), columns: Sequence[Any] | NDArray[Any] | None = None
) -> pd.DataFrame:
    """Put the rows and columns of a table into a wanted order, where their labels say that theirs is another.

    Labels that only number from 0 say nothing, and neither do labels of rows that are not wanted.

    Parameters
    ----------
    table
        Such as responses, (T, N).
    what
        What it holds, for messages.
    rows
        The labels that its rows may have, (T,), in the order that is wanted: trial ids, for example, or the index of the table of
        trials. The first that has the same labels counts.
    columns
        Unit ids of the neurons, (N,), in the order that is wanted; None where they are not known.

    Raises
    ------
    InputError
        If whole numbers name the columns, and some of them are no unit ids.
    """
    if not _only_numbers(table.index) and table.index.is_unique:
        for wanted in map(pd.Index, rows):
            if len(wanted) == len(table) and wanted.is_unique:
                places = table.index.get_indexer(wanted)
                if places.min(initial=0) >= 0:
                    table = table.iloc[places]
                    break
    if columns is not None and len(columns) == table.shape[1] and not _only_numbers(table.columns):
        ids = pd.Index(columns)
        named = table.columns if pd.api.types.is_integer_dtype(table.columns) else _as_ids(table.columns)
        if named is not None and named.is_unique and ids.is_unique:
            if (places := named.get_indexer(ids)).min(initial=0) < 0:
                odd = sorted(set(ids.tolist()) ^ set(named.tolist()))
                raise InputError(
                    f"The columns of {what} are no unit ids of the neurons ({listed(odd)} are in one only): name them by unit_id, "
                    f"or give an array (to_numpy) whose columns stand in the order of the neurons."
                )
            table = table.iloc[:, places]
    return table


def validate_row_labels(table: pd.DataFrame, trials: pd.DataFrame, what: str) -> None:
    """Raise `InputError` if two tables that shall have a row for each trial number their rows differently."""
    given, wanted = table.index, trials.index
    numbered = all(pd.api.types.is_integer_dtype(one) and not _only_numbers(one) for one in (given, wanted))
    if numbered and len(given) == len(wanted) and (odd := sorted(set(given.tolist()) ^ set(wanted.tolist()))):
        raise InputError(
            f"The rows of {what} and of trials have other labels ({listed(odd)} are in one only): keep the same trials in both, or "
            "number their rows anew with reset_index(drop=True)."
        )


def _only_numbers(index: pd.Index) -> bool:
    """Whether an index counts from 0, as one that nobody has chosen does."""
    return pd.api.types.is_integer_dtype(index) and np.array_equal(index.to_numpy(), np.arange(len(index)))


def _as_ids(labels: pd.Index) -> pd.Index | None:
    """Whole numbers that stand as text, as column names read from a file do; None where they are names."""
    texts = [label.strip() for label in labels if isinstance(label, str)]
    if len(texts) != len(labels) or not all(text.isdecimal() for text in texts):
        return None
    return pd.Index([int(text) for text in texts])
