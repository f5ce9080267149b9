"""Models side by side on one truth: scores with intervals, and whether the images tell them apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from striate.metrics import Bootstrap, paired_bootstrap
from striate.metrics.bootstrap import RESAMPLES
from striate.metrics.evaluate import METRICS
from striate.submissions import Scorecard, Submission, Truth, score
from striate.submissions.match import match
from striate.submissions.scorecard import LABELS


@dataclass(frozen=True)
class Contender:
    """One model, or an oracle, and what it predicts.

    Attributes
    ----------
    name
        As tables and figures call it.
    submission
        Its predictions of every trial of the truth.
    scorecard
        Its scores.
    """

    name: str
    submission: Submission
    scorecard: Scorecard

    def predictions(self, truth: Truth, tier: str) -> NDArray[np.float32]:
        """Predictions of one tier in the order of the truth's rows and columns, (T, N)."""
        return match(self.submission, truth, tier).take(self.submission.predictions)


def contend(name: str, submission: Submission, truth: Truth, *, bootstrap: int = RESAMPLES, seed: int = 0) -> Contender:
    """Score a submission, to be set beside others on the same truth."""
    return Contender(name, submission, score(submission, truth, bootstrap=bootstrap, seed=seed))


def by_strength(contenders: Sequence[Contender]) -> list[Contender]:
    """From the weakest to the strongest, by the correlation to average on their first tier (or that of single trials, where no image is repeated)."""

    def strength(contender: Contender) -> float:
        scores = next(iter(contender.scorecard.tiers.values()))
        means = (scores.correlation_to_average.mean, scores.single_trial_correlation.mean)
        return next((mean for mean in means if mean is not None), float("-inf"))

    return sorted(contenders, key=strength)


@dataclass(frozen=True)
class Difference:
    """How much better one contender is than another on one tier, from the same resamples of the images."""

    better: str
    worse: str
    tier: str
    metrics: Bootstrap


def differences(
    contenders: Sequence[Contender], truth: Truth, *, resamples: int = RESAMPLES, seed: int = 0
) -> list[Difference]:
    """Compare each contender with the one before it, on every tier of the truth.

    Parameters
    ----------
    contenders
        From the weakest to the strongest, as the user orders them.
    truth
        What all predict.
    resamples, seed
        Of the paired bootstrap over images.
    """
    found = []
    for tier in truth.tiers:
        rows = truth.rows(tier)
        responses, image_ids = truth.responses[rows], truth.image_id[rows]
        for worse, better in pairwise(contenders):
            paired = paired_bootstrap(
                responses,
                better.predictions(truth, tier),
                worse.predictions(truth, tier),
                image_ids,
                resamples=resamples,
                seed=seed,
            )
            found.append(Difference(better.name, worse.name, tier, paired))
    return found


def score_rows(contenders: Sequence[Contender], tier: str) -> dict[str, dict[str, tuple[float, float, float]]]:
    """Mean and interval of each metric by contender and metric; what is not defined is left out."""
    rows: dict[str, dict[str, tuple[float, float, float]]] = {}
    for contender in contenders:
        rows[contender.name] = {}
        for metric in METRICS:
            result = getattr(contender.scorecard.tiers[tier], metric)
            if result.mean is not None:
                interval = result.interval
                low, high = (interval.low, interval.high) if interval else (result.mean, result.mean)
                rows[contender.name][metric] = (result.mean, low, high)
    return rows


def metric_labels() -> dict[str, str]:
    """The three metrics and what tables call them."""
    return {metric: LABELS[metric] for metric in METRICS}
