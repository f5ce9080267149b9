"""Scores of parts of a population: means over the neurons of each brain area, and of each stretch of depth.

They are made of the final test alone, at the close: means over parts of the live test would let a team climb by trying.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from striate.competition.manifest import Manifest
from striate.competition.tables import Track
from striate.errors import InputError
from striate.metrics import Repeats, estimate_metrics
from striate.metrics.score_summary import ScoreSummary
from striate.submissions import Truth

DEPTH_STEP = 50  # µm
_UNKNOWN = "unknown"


class PartResult(BaseModel):
    """Scores of a part of the neurons.

    Attributes
    ----------
    kind
        ``"area"`` or ``"depth"``.
    name
        Of the area, such as ``V1``; or the stretch of depth, such as ``150–200 µm``.
    neurons
        How many it has.
    scores
        By metric the mean over its neurons; None where it is not defined.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    kind: Literal["area", "depth"]
    name: str
    neurons: int
    scores: dict[str, float | None]


def neurons_of(folder: Path, track: Track) -> pd.DataFrame:
    """Neurons of a track's public recording: ``unit_id``, ``area``, ``z`` (µm)."""
    from striate.recordings import open as open_recording

    archive = folder / Manifest.read(folder).archive(track.session).path
    return open_recording(archive).neurons[["unit_id", "area", "z"]]


def final_parts(
    predictions: NDArray[np.float32], truth: Truth, tier: str, neurons: pd.DataFrame, said: Mapping[str, ScoreSummary]
) -> list[PartResult]:
    """Score predictions for each part of the neurons, by the metrics that were stated of all neurons.

    Parameters
    ----------
    predictions : (T, N)
        In the order of the truth's rows of the tier.
    truth
        The responses.
    tier
        Its tier that is scored.
    neurons
        As of `neurons_of`.
    said
        What was stated of all neurons; where that has no mean, the parts have none.

    Returns
    -------
    list of PartResult
        Areas in the order of their names, then depths from the surface down.

    Raises
    ------
    InputError
        If a neuron of the truth is not among them.
    """
    rows = truth.rows(tier)
    repeats = Repeats(truth.image_id[rows])
    found = estimate_metrics([*said], truth.responses[rows], predictions, repeats, resamples=0, allow_failures=True)
    about = neurons.set_index("unit_id")
    if not set(truth.unit_ids.tolist()) <= set(about.index):
        raise InputError("The public recording lacks neurons that the truth has: it is not the one that was built.")
    about = about.loc[truth.unit_ids]
    return [
        PartResult(
            kind=kind,
            name=name,
            neurons=int(members.sum()),
            scores={
                metric: None if each.mean is None else _mean(found[metric].values[members])
                for metric, each in said.items()
            },
        )
        for kind, name, members in _members(about)
    ]


def _members(neurons: pd.DataFrame) -> Iterator[tuple[Literal["area", "depth"], str, NDArray[np.bool_]]]:
    area = neurons["area"].astype(str).to_numpy()
    for name in sorted(set(area) - {_UNKNOWN}):
        yield "area", name, area == name
    depth = neurons["z"].to_numpy(np.float64)
    known = np.isfinite(depth)
    if not known.any() or np.ptp(depth[known]) == 0:  # not measured: the same number was written for all
        return
    stretch = np.floor(np.where(known, depth, 0) / DEPTH_STEP).astype(np.int64)
    for step in np.unique(stretch[known]):
        yield "depth", f"{step * DEPTH_STEP}–{(step + 1) * DEPTH_STEP} µm", known & (stretch == step)


def _mean(values: NDArray[np.float64]) -> float | None:
    counting = values[np.isfinite(values)]
    return float(counting.mean()) if counting.size else None
