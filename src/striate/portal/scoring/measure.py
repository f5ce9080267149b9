"""Measure predictions against the live truth: metrics, intervals, and what compares rows with each other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.competition import LiveTruth
from striate.competition.rules import LIVE
from striate.metrics import (
    Repeats,
    bootstrap,
    cc_max,
    evaluate,
    jackknife_oracle,
    single_trial_ceiling,
    split_half,
)
from striate.metrics.evaluate import METRICS
from striate.metrics.feve import too_few_images
from striate.submissions.keyed import Keys
from striate.submissions.match import match
from striate.submissions.scorecard import NORMALISED


@dataclass(frozen=True)
class Measured:
    """What predictions are worth on the live test.

    Attributes
    ----------
    value
        The mean that ranks; None where it is not defined.
    metrics
        By metric: ``mean``, ``low``, ``high``, ``reason``.
    draws : (1 + B,)
        The mean that ranks, on the images as they are and in each resample.
    """

    value: float | None
    metrics: dict[str, dict[str, float | str | None]]
    draws: NDArray[np.float64]


def measure(predictions: NDArray[np.float32], keys: Keys, live: LiveTruth, track: str) -> Measured:
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
    own = match(keys, truth, LIVE).take(predictions)
    responses, repeats = truth.responses[rows], Repeats(truth.image_id[rows])
    found = evaluate(responses, own, repeats)
    ranking = rules.ranking
    drawn = bootstrap(responses, own, repeats, resamples=ranking.resamples, seed=ranking.seed, level=ranking.level)
    metrics: dict[str, dict[str, float | str | None]] = {}
    for name in (*METRICS, *NORMALISED):
        mean = found.means[name] if name in METRICS else found.cc_norm.mean
        reason = {"feve": found.feve.reason, "cc_norm": found.cc_norm.reason}.get(name)
        interval = getattr(drawn, name).interval
        if name == "feve" and interval:
            reason = too_few_images(mean, interval.low, interval.high, len(repeats.images))
            if reason:
                mean = interval = None
        metrics[name] = {
            "mean": mean,
            "low": interval.low if interval else None,
            "high": interval.high if interval else None,
            "reason": reason if mean is None else None,
        }
    metric = rules.track(track).metric
    resampled = getattr(drawn, metric)
    first = np.nan if resampled.value is None else resampled.value
    return Measured(found.means[metric], metrics, np.concatenate([[first], resampled.samples]))


def ceilings(live: LiveTruth, track: str) -> dict[str, float | None]:
    """Ceilings of a model of the image alone on the live test, the oracle predictor, and the split-half reliability."""
    truth = live.truths[track]
    rows = truth.rows(LIVE)
    responses, repeats = truth.responses[rows], Repeats(truth.image_id[rows])
    return {
        "single_trial_ceiling": single_trial_ceiling(responses, repeats).mean,
        "cc_max": cc_max(responses, repeats).mean,
        "jackknife_oracle": jackknife_oracle(responses, repeats).mean,
        "split_half": split_half(responses, repeats, seed=live.rules.ranking.seed).mean,
    }
