"""Models side by side on one truth: scores with intervals, and whether the images tell them apart."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from striate.benchmarks.protocols import PROTOCOLS, sees_image_alone
from striate.metrics import Bootstrap, paired_bootstrap
from striate.metrics.bootstrap import DEFAULT_RESAMPLES
from striate.metrics.evaluate import METRICS, NORMALISED_METRICS
from striate.metrics.score_summary import METRIC_CEILINGS, is_too_few_images
from striate.submissions import Scorecard, Submission, Truth, score
from striate.submissions.alignment import align
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

    @property
    def protocol(self) -> str | None:
        """What the model sees; None where its submission does not say."""
        return self.submission.protocol

    def predictions(self, truth: Truth, tier: str) -> NDArray[np.float32]:
        """Predictions of one tier in the order of the truth's rows and columns, (T, N)."""
        return align(self.submission, truth, tier).reorder(self.submission.predictions)


def contend(
    name: str, submission: Submission, truth: Truth, *, bootstrap: int = DEFAULT_RESAMPLES, seed: int = 0
) -> Contender:
    """Score a submission, to be set beside others on the same truth."""
    return Contender(name, submission, score(submission, truth, bootstrap=bootstrap, seed=seed))


def by_protocol(contenders: Iterable[Contender]) -> dict[str | None, list[Contender]]:
    """Group contenders by what they see, from the image alone upwards; models of different groups are never compared."""
    grouped: dict[str | None, list[Contender]] = {}
    for contender in contenders:
        grouped.setdefault(contender.protocol, []).append(contender)
    order = [*PROTOCOLS, None]
    return dict(sorted(grouped.items(), key=lambda pair: order.index(pair[0])))


def protocol_title(protocol: str | None) -> str:
    """Return what tables call a protocol."""
    return "protocol not stated" if protocol is None else f"protocol {protocol}"


def by_strength(contenders: Sequence[Contender]) -> list[Contender]:
    """Order contenders by protocol, and within each from the weakest to the strongest.

    The strength is the correlation to average on the first tier, or the single-trial correlation where no image is repeated.
    """

    def strength(contender: Contender) -> float:
        scores = next(iter(contender.scorecard.tiers.values()))
        means = (scores.correlation_to_average.mean, scores.single_trial_correlation.mean)
        return next((mean for mean in means if mean is not None), float("-inf"))

    return [each for group in by_protocol(contenders).values() for each in sorted(group, key=strength)]


@dataclass(frozen=True)
class Difference:
    """How much better one contender is than another on one tier, from the same resamples of the images."""

    better: str
    worse: str
    tier: str
    metrics: Bootstrap


def differences(
    contenders: Sequence[Contender], truth: Truth, *, resamples: int = DEFAULT_RESAMPLES, seed: int = 0
) -> list[Difference]:
    """Compare each contender with the one before it of the same protocol, on every tier of the truth.

    Parameters
    ----------
    contenders
        From the weakest to the strongest, as the user orders them. Models of different protocols are not compared.
    truth
        What all predict.
    resamples, seed
        Of the paired bootstrap over images.
    """
    found = []
    pairs = [pair for group in by_protocol(contenders).values() for pair in pairwise(group)]
    for tier in truth.tiers:
        rows = truth.rows(tier)
        responses, image_ids = truth.responses[rows], truth.image_id[rows]
        for worse, better in pairs:
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
        for metric in metric_labels():
            result = getattr(contender.scorecard.tiers[tier], metric)
            if result.mean is not None:
                interval = result.interval
                low, high = (interval.low, interval.high) if interval else (result.mean, result.mean)
                rows[contender.name][metric] = (result.mean, low, high)
    return rows


def metric_labels() -> dict[str, str]:
    """Return the metrics of a comparison and what tables call them."""
    return {metric: LABELS[metric] for metric in (*METRICS, *NORMALISED_METRICS)}


def ceiling_scores(contenders: Sequence[Contender], tier: str) -> dict[str, tuple[float, float, float]]:
    """Mean and interval of the ceiling of each metric, for models of the image alone; what is not defined is left out."""
    scores = contenders[0].scorecard.tiers[tier]
    found: dict[str, tuple[float, float, float]] = {}
    for metric, name in METRIC_CEILINGS.items():
        ceiling = getattr(scores, name)
        if ceiling.mean is not None:
            low, high = (ceiling.interval.low, ceiling.interval.high) if ceiling.interval else (ceiling.mean,) * 2
            found[metric] = (ceiling.mean, low, high)
    return found


def ceiling_note(protocol: str | None) -> str:
    """Say what the ceilings bound, and that behaviour can lift a model above them where a protocol has it."""
    note = "The ceiling is what a model of the image alone can expect: √FEV for single trials, CC_max for averages."
    if not sees_image_alone(protocol):
        note += " Behaviour can lift a model above it."
    return note


def too_few(contenders: Sequence[Contender], difference: "Difference", metric: str) -> bool:
    """Whether one of two scores has too few images, so that their difference says nothing either."""
    pair = (difference.better, difference.worse)
    scores = [getattr(c.scorecard.tiers[difference.tier], metric) for c in contenders if c.name in pair]
    return any(is_too_few_images(score.reason) for score in scores)
