"""Tables whose rows and columns have labels: matched by these, not by where they happen to stand."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from striate.arrays import as_array
from striate.errors import InputError, listed, nearest

# component -> other names for it; compared without case, spaces and underscores
BEHAVIOR: Mapping[str, Sequence[str]] = {
    "pupil_dilation": ("pupil dilation", "dilation", "pupil", "pupil size"),
    "pupil_dilation_derivative": ("derivative of pupil dilation", "derivative", "pupil derivative", "d_pupil"),
    "running_speed": ("running speed", "running", "speed", "treadmill"),
}
PUPIL_CENTER: Mapping[str, Sequence[str]] = {"horizontal": ("x", "pupil_x"), "vertical": ("y", "pupil_y")}


def has_names(values: Any) -> bool:
    """Whether the columns of something have names: a mapping or a table, unless its columns are only numbered."""
    if isinstance(values, pd.DataFrame):
        return not all(isinstance(label, int | np.integer) for label in values.columns)
    return isinstance(values, Mapping)


def components_by_name(name: str, given: Any, components: Mapping[str, Sequence[str]]) -> NDArray[np.float64]:
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


def matched(table: pd.DataFrame, what: str, *, rows: Any = None, columns: Sequence[Any] | None = None) -> pd.DataFrame:
    """Put the rows and columns of a table into the order of another, where their labels say that it differs.

    Labels that only number from 0 say nothing, and neither do those that the other does not have.

    Parameters
    ----------
    table
        Such as responses, (T, N).
    what
        What it holds, for messages.
    rows
        The other table with a row for each of its rows, if that has labels: the table of trials.
    columns
        What each of its columns is: the unit ids of the table of neurons, if those were given.

    Raises
    ------
    InputError
        If whole numbers name the columns, and some of them are no unit ids; or rows of both are numbered, and differently.
    """
    if isinstance(rows, pd.DataFrame) and not _only_numbers(rows.index) and not _only_numbers(table.index):
        there = rows.index
        if len(there) == len(table) and there.is_unique and table.index.is_unique and not there.equals(table.index):
            if (places := table.index.get_indexer(there)).min(initial=0) >= 0:
                table = table.iloc[places]
            elif pd.api.types.is_integer_dtype(there) and pd.api.types.is_integer_dtype(table.index):
                odd = sorted(set(there.tolist()) ^ set(table.index.tolist()))
                raise InputError(
                    f"The rows of {what} and of trials have other labels ({listed(odd)} are in one only): keep the same trials in "
                    "both, or number their rows anew with reset_index(drop=True)."
                )
    if columns is not None and len(columns) == table.shape[1] and not _only_numbers(table.columns):
        ids = pd.Index(columns)
        named = table.columns if pd.api.types.is_integer_dtype(table.columns) else _as_ids(table.columns)
        if named is not None and named.is_unique and ids.is_unique and not ids.equals(named):
            if (places := named.get_indexer(ids)).min(initial=0) < 0:
                odd = sorted(set(ids.tolist()) ^ set(named.tolist()))
                raise InputError(
                    f"The columns of {what} are no unit ids of neurons ({listed(odd)} are in one only): name them by unit_id, or "
                    f"give {what}.to_numpy() if they stand in the order of neurons."
                )
            table = table.iloc[:, places]
    return table


def _only_numbers(index: pd.Index) -> bool:
    """Whether an index counts from 0, as one that nobody has chosen does."""
    return pd.api.types.is_integer_dtype(index) and np.array_equal(index.to_numpy(), np.arange(len(index)))


def _as_ids(labels: pd.Index) -> pd.Index | None:
    """Whole numbers that stand as text, as column names read from a file do; None where they are names."""
    texts = [label.strip() for label in labels if isinstance(label, str)]
    if len(texts) != len(labels) or not all(text.isdecimal() for text in texts):
        return None
    return pd.Index([int(text) for text in texts])
