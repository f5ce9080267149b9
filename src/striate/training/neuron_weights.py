"""Weights of the neurons in the loss: from a table, or from arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from striate._internal.arrays import as_array
from striate._internal.parquet_files import read_table
from striate._internal.paths import expand_path
from striate.errors import InputError, describe_type, listed, nearest, shortened

if TYPE_CHECKING:
    from striate.data import Loaders, SessionLoaders

_COLUMNS = ("session", "unit_id", "weight")
_LARGEST_FILE = 2**28  # bytes

NeuronWeights = dict[str, NDArray[np.float32]]


def neuron_weights(source: str | Path | Mapping[str, Any] | None, data: SessionLoaders) -> NeuronWeights | None:
    """Return the loss weights of the neurons of each recording.

    Parameters
    ----------
    source
        Path of a table (``.csv`` or ``.parquet``) with the columns ``session``, ``unit_id`` and ``weight``, or a mapping from each
        session to the weights of its neurons: an array in the order of the recording's neurons, or a Series by unit id. None if all
        weights are 1.
    data
        Loaders of the recordings.

    Returns
    -------
    dict or None
        Weights of the predicted neurons by session, (N,) float32.

    Raises
    ------
    InputError
        If the table cannot be read, a neuron has no weight or two, a weight is negative, NaN or infinite, or a recording has no
        weight above 0.
    """
    if source is None:
        return None
    if isinstance(source, Mapping):
        if unknown := [str(session) for session in source if session not in data]:
            raise InputError(f"neuron_weights has an unknown session {unknown[0]!r}: {nearest(unknown[0], data)}.")
        if missing := [session for session in data if session not in source]:
            raise InputError(f"neuron_weights lacks the recording {missing[0]}: give the weights of its neurons, too.")
        given = {session: _from_array(source[session], loaders) for session, loaders in data.items()}
        name = "neuron_weights"
    elif isinstance(source, str | Path):
        table = _read(expand_path(source))
        name = str(source)
        given = {session: _from_table(table, name, loaders) for session, loaders in data.items()}
    else:
        raise InputError(f"neuron_weights is {describe_type(source)}; expected a mapping from sessions to weights.")
    for session, weights in given.items():
        if not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
            raise InputError(
                f"{name}: the weights of {session} must be finite and not negative, and some above 0; they lie between {weights.min():g} "
                f"and {weights.max():g}."
            )
    return given


def hash_of(weights: NeuronWeights | None) -> str | None:
    """Return the SHA-256 hash of neuron weights, for the provenance of a run.

    Examples
    --------
    >>> len(hash_of({"mouse": np.ones(3, np.float32)}))
    64
    """
    if weights is None:
        return None
    digest = hashlib.sha256()
    for values in weights.values():
        digest.update(np.ascontiguousarray(values, dtype="<f4").tobytes())
    return digest.hexdigest()


def _from_array(given: Any, loaders: Loaders) -> NDArray[np.float32]:
    """Return the weights of the predicted neurons; an array may be for these, or for all neurons of the recording."""
    name, everyone = f"neuron_weights[{loaders.session!r}]", loaders.recording.unit_ids
    if not isinstance(given, pd.Series):
        weights = as_array(given, name).astype(np.float32)
        if weights.shape == loaders.unit_ids.shape != everyone.shape:
            return weights
        if weights.shape != everyone.shape:
            raise InputError(
                f"{name} has shape {weights.shape}; expected one weight for each of the {len(everyone)} neurons of the recording."
            )
        given = pd.Series(weights, index=everyone)
    table = pd.DataFrame({"session": loaders.session, "unit_id": given.index, "weight": given.to_numpy()})
    return _from_table(table, name, loaders)


def _from_table(table: pd.DataFrame, name: str, loaders: Loaders) -> NDArray[np.float32]:
    rows = table[table["session"].astype(str) == loaders.session]
    if doubled := rows.loc[rows["unit_id"].duplicated(), "unit_id"].tolist():
        raise InputError(f"{name}: unit {doubled[0]} of {loaders.session} has several weights; give one.")
    weights = rows.set_index("unit_id")["weight"].reindex(loaders.unit_ids)
    missing = sorted(set(loaders.unit_ids.tolist()) - set(rows["unit_id"].tolist()))
    if missing:
        raise InputError(
            f"{name} has no weight for units {listed(missing)} of {loaders.session}: give one for each neuron."
        )
    try:
        return weights.to_numpy(dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{name}: the column weight of {loaders.session} holds something else than numbers."
        ) from error


def _read(path: Path) -> pd.DataFrame:
    hint = f"give a .csv or .parquet file with the columns {', '.join(_COLUMNS)}"
    if not path.is_file():
        raise InputError(f"There is no table of neuron weights at {path}: {hint}.")
    if path.stat().st_size > _LARGEST_FILE:
        raise InputError(
            f"{path} has more than {_LARGEST_FILE // 2**20} MiB, which is no table of neuron weights: {hint}."
        )
    if path.suffix.lower() == ".parquet":
        table = read_table(path, hint)
    else:
        try:
            table = pd.read_csv(path, dtype={"session": str})
        except (OSError, ValueError, pd.errors.ParserError) as error:
            raise InputError(f"{path} cannot be read as a table ({shortened(error, 80)}): {hint}.") from error
    if missing := [column for column in _COLUMNS if column not in table]:
        raise InputError(f"{path} has no column {missing[0]!r}: {hint}.")
    return table
