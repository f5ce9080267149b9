"""Measure predictions against the live truth: metrics, intervals, and what compares rows with each other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.competition import LiveTruth
from striate.metrics import Repeats, estimate_metrics
from striate.submissions.alignment import align
from striate.submissions.trial_table import TrialIds


@dataclass(frozen=True)
class Measured:
    """What predictions are worth on the live test.

    Attributes
    ----------
    value
        The mean that ranks; None where it is not defined, or the images are too few.
    metrics
        By metric: ``mean``, ``low``, ``high``, ``reason``.
    draws : (1 + B,)
        The mean that ranks, on the images as they are and in each resample.
    """

    value: float | None
    metrics: dict[str, dict[str, float | str | None]]
    draws: NDArray[np.float64]


def measure(predictions: NDArray[np.float32], keys: TrialIds, live: LiveTruth, track: str) -> Measured:
    """Score predictions of the keys' trials and neurons on the live test.

    Parameters
    ----------
    predictions : (T, N)
        In the order of the keys, of all tiers; only the live one is looked at.
    keys
        What they are predictions of.
    live
        The truth.
    track
        Whose.
    """
    truth, rules = live.truths[track], live.rules
    rows = truth.rows(rules.live_tier)
    own = align(keys, truth, rules.live_tier).reorder(predictions)
    responses, repeats = truth.responses[rows], Repeats(truth.image_id[rows])
    ranking = rules.ranking
    found = estimate_metrics(
        rules.benchmark.metrics.shown,
        responses,
        own,
        repeats,
        resamples=ranking.resamples,
        seed=ranking.seed,
        level=ranking.level,
        allow_failures=True,
    )
    said = {name: each.summary for name, each in found.items()}
    metrics: dict[str, dict[str, float | str | None]] = {
        name: {
            "mean": each.mean,
            "low": each.interval.low if each.interval else None,
            "high": each.interval.high if each.interval else None,
            "reason": each.reason,
        }
        for name, each in said.items()
    }
    metric = rules.track(track).metric
    resampled = found[metric].bootstrap
    draws = np.array([np.nan])
    if resampled is not None:
        draws = np.concatenate([[np.nan if resampled.value is None else resampled.value], resampled.samples])
    return Measured(said[metric].mean, metrics, draws)
