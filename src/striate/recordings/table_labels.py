"""Matching of rows and columns of tables by their labels instead of their positions."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from striate._internal.arrays import as_array
from striate.benchmarks import BenchmarkSpec
from striate.benchmarks.spec_tables import plain_name
from striate.errors import InputError, listed, nearest


def has_column_names(values: Any) -> bool:
    """Whether `values` is a mapping, or a table whose columns have names instead of numbers.

    Examples
    --------
    >>> has_column_names({"horizontal": [0.0], "vertical": [0.0]})
    True
    """
    if isinstance(values, pd.DataFrame):
        return not all(isinstance(label, int | np.integer) for label in values.columns)
    return isinstance(values, Mapping)


def stack_components(name: str, values: Any, benchmark: BenchmarkSpec) -> NDArray[np.float64]:
    """Stack the components of behaviour or eye position from a table or mapping by their names.

    Parameters
    ----------
    name
        Name of the variable, ``"behavior"`` or ``"pupil_center"``.
    values
        DataFrame, Series, or mapping from names to numbers or columns of equal length. It may have the components of both
        behaviour and eye position.
    benchmark
        Benchmark, which names the components. Alternative names are allowed, and case, spaces, ``_`` and ``-`` are ignored.

    Returns
    -------
    (T, K)
        One column per component, in the order of the benchmark.

    Raises
    ------
    InputError
        If a component is missing, given twice or unknown, or columns have different lengths.

    Examples
    --------
    >>> from striate.benchmarks import load_benchmark
    >>> stack_components("pupil_center", {"y": [1.0, 2.0], "x": [3.0, 4.0]}, load_benchmark()).tolist()
    [[3.0, 1.0], [4.0, 2.0]]
    """
    components = benchmark.components[name]
    names = {variable: _normalised_names(benchmark.component_aliases(variable)) for variable in benchmark.components}
    own, known = names[name], {each for of_variable in names.values() for each in of_variable}
    columns: dict[str, NDArray[Any]] = {}
    for key in values.keys():  # noqa: SIM118 - iterating over a Series gives its values
        normalised = plain_name(str(key))
        if normalised not in known:
            raise InputError(f"{name} has no component {key!r}: {nearest(str(key), components)}.")
        if normalised in own:
            if own[normalised] in columns:
                raise InputError(f"{name} names {own[normalised]} twice: give it once.")
            columns[own[normalised]] = np.atleast_1d(as_array(values[key], f"values of {key}").astype(np.float64))
    if missing := [component for component in components if component not in columns]:
        raise InputError(f"{name} lacks {', '.join(missing)}: it needs {', '.join(components)}.")
    try:
        return np.stack(np.broadcast_arrays(*(columns[component] for component in components)), axis=-1)
    except ValueError as error:
        lengths = ", ".join(f"{key} {len(column)}" for key, column in columns.items())
        raise InputError(
            f"{name} has columns of different lengths ({lengths}): give a value for each image."
        ) from error


def _normalised_names(components: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {plain_name(name): component for component, names in components.items() for name in (component, *names)}


def index_as_columns(table: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """Convert index levels whose name is one of `names` (in any case) to columns, and number the rows from 0."""
    known = set(names)
    wanted = [level for level in table.index.names if level is not None and str(level).strip().casefold() in known]
    wanted = [level for level in wanted if level not in table.columns]
    return table.reset_index(level=wanted).reset_index(drop=True) if wanted else table.reset_index(drop=True)


def reorder_by_labels(
    table: pd.DataFrame, name: str, *, rows: Iterable[Any] = (), columns: Sequence[Any] | NDArray[Any] | None = None
) -> pd.DataFrame:
    """Reorder the rows and columns of a table by their labels.

    Default labels, which number from 0, and row labels that match none of `rows` are ignored.

    Parameters
    ----------
    table
        Table of values, such as responses, (T, N).
    name
        Name of the values for error messages.
    rows
        Possible row labels, each (T,) in the requested order, such as trial indices or the index of the table of trials. The
        first one with the same labels is used.
    columns
        Unit ids of the neurons in the requested order, (N,); None if they are unknown.

    Raises
    ------
    InputError
        If column names are integers, but not the unit ids.

    Examples
    --------
    >>> table = pd.DataFrame([[1.0, 2.0]], columns=[12, 11])
    >>> reorder_by_labels(table, "responses", columns=[11, 12]).to_numpy().tolist()
    [[2.0, 1.0]]
    """
    if not _is_default_index(table.index) and table.index.is_unique:
        for target in map(pd.Index, rows):
            if len(target) == len(table) and target.is_unique:
                positions = table.index.get_indexer(target)
                if positions.min(initial=0) >= 0:
                    table = table.iloc[positions]
                    break
    if columns is not None and len(columns) == table.shape[1] and not _is_default_index(table.columns):
        ids = pd.Index(columns)
        named = table.columns if pd.api.types.is_integer_dtype(table.columns) else _as_ids(table.columns)
        if named is not None and named.is_unique and ids.is_unique:
            if (positions := named.get_indexer(ids)).min(initial=0) < 0:
                unmatched = sorted(set(ids.tolist()) ^ set(named.tolist()))
                raise InputError(
                    f"The columns of {name} are no unit ids of the neurons ({listed(unmatched)} are in one only): name them by unit_id, "
                    f"or give an array (to_numpy) whose columns are in the order of the neurons."
                )
            table = table.iloc[:, positions]
    return table


def validate_row_labels(table: pd.DataFrame, trials: pd.DataFrame, name: str) -> None:
    """Raise `InputError` if a table and the table of trials have different integer row labels."""
    labels, trial_labels = table.index, trials.index
    numbered = all(pd.api.types.is_integer_dtype(one) and not _is_default_index(one) for one in (labels, trial_labels))
    if (
        numbered
        and len(labels) == len(trial_labels)
        and (unmatched := sorted(set(labels.tolist()) ^ set(trial_labels.tolist())))
    ):
        raise InputError(
            f"The rows of {name} and of trials have different labels ({listed(unmatched)} are in one only): keep the same trials in both, or "
            "number their rows again with reset_index(drop=True)."
        )


def _is_default_index(index: pd.Index) -> bool:
    """Whether an index numbers from 0, as the default index does."""
    return pd.api.types.is_integer_dtype(index) and np.array_equal(index.to_numpy(), np.arange(len(index)))


def _as_ids(labels: pd.Index) -> pd.Index | None:
    """Convert labels that are integers as text, such as column names read from a file; None for other labels."""
    texts = [label.strip() for label in labels if isinstance(label, str)]
    if len(texts) != len(labels) or not all(text.isdecimal() for text in texts):
        return None
    return pd.Index([int(text) for text in texts])
