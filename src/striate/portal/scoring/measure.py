"""Measure predictions against the live truth: metrics, intervals, and what compares rows with each other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.competition import LiveTruth
from striate.competition.rules import LIVE
from striate.metrics import Repeats, bootstrap, evaluate
from striate.metrics.score_summary import summarise_scores
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
    rows = truth.rows(LIVE)
    own = align(keys, truth, LIVE).reorder(predictions)
    responses, repeats = truth.responses[rows], Repeats(truth.image_id[rows])
    found = evaluate(responses, own, repeats)
    ranking = rules.ranking
    drawn = bootstrap(responses, own, repeats, resamples=ranking.resamples, seed=ranking.seed, level=ranking.level)
    said = summarise_scores(found, drawn, len(repeats.images))
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
    resampled = getattr(drawn, metric)
    first = np.nan if resampled.value is None else resampled.value
    return Measured(said[metric].mean, metrics, np.concatenate([[first], resampled.samples]))
