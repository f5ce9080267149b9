"""Summaries of the scores of one tier: each mean with its confidence interval, or the reason why there is no mean.

Scorecards, reports, leaderboards and competition results all take their scores from `summarise_scores`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from striate.metrics.bootstrap import CONFIDENCE_LEVEL, Bootstrap, BootstrapEstimate, Interval
from striate.metrics.evaluate import METRICS, NORMALISED_METRICS, MetricSet
from striate.metrics.registered import registered_info

TOO_FEW_IMAGES = "too few images"
METRIC_CEILINGS = {"single_trial_correlation": "single_trial_ceiling", "correlation_to_average": "cc_max"}
# Metrics whose denominator near 0 can make their intervals arbitrarily wide.
RATIO_METRICS = tuple(name for name in (*METRICS, *NORMALISED_METRICS) if registered_info(name).ratio)


@dataclass(frozen=True)
class ScoreSummary:
    """The mean of a metric over neurons, as tables show it and leaderboards rank it.

    Attributes
    ----------
    mean
        Mean over the included neurons; None if it is not defined or there are too few images.
    interval
        Confidence interval from a bootstrap over images; None without a mean or without a bootstrap.
    reason
        Why `mean` is None; None if it is defined.
    """

    mean: float | None
    interval: Interval | None
    reason: str | None

    @property
    def too_few(self) -> bool:
        """Whether there is no mean because there are too few images."""
        return is_too_few_images(self.reason)


def summarise_scores(metrics: MetricSet, intervals: Bootstrap | None, images: int) -> dict[str, ScoreSummary]:
    """Summarise each metric, the normalised correlation included.

    Parameters
    ----------
    metrics
        Metrics of all trials.
    intervals
        Bootstrap of the same metrics. If it is None, there are no intervals, and too few images cannot be detected.
    images
        Number of images.

    Returns
    -------
    dict
        A summary for each name in `striate.metrics.evaluate.METRICS` and `striate.metrics.evaluate.NORMALISED_METRICS`.

    Examples
    --------
    >>> from striate.metrics import evaluate
    >>> metrics = evaluate([[1.0], [2.0], [5.0]], [[1.0], [2.0], [4.0]], image_ids=["a", "b", "c"])
    >>> summarise_scores(metrics, None, images=3)["cc_norm"].reason
    'no image was shown more than once'
    """
    means = {**metrics.means, "cc_norm": metrics.cc_norm.mean}
    reasons = {"feve": metrics.feve.reason, "cc_norm": metrics.cc_norm.reason}
    return {
        name: _summarise(name, means[name], reasons.get(name), getattr(intervals, name, None), images)
        for name in (*METRICS, *NORMALISED_METRICS)
    }


def _summarise(
    name: str, mean: float | None, reason: str | None, estimate: BootstrapEstimate | None, images: int
) -> ScoreSummary:
    if mean is None:
        return ScoreSummary(None, None, reason)
    if not np.isfinite(mean):
        return ScoreSummary(None, None, "it is not a number")
    if estimate is None:
        return ScoreSummary(mean, None, None)
    few = too_few_images_reason(estimate, images) if name in RATIO_METRICS else None
    return ScoreSummary(None, None, few) if few else ScoreSummary(mean, estimate.interval, None)


def too_few_images_reason(estimate: BootstrapEstimate, images: int) -> str | None:
    """Explain why there are too few images for FEVE or CC_norm, although a value exists; None if there are enough.

    Both metrics are ratios, whose denominators come close to 0 in some resamples if there are few images. On their scale, 0
    is a model that ignores the image and 1 is a perfect model. If the 95 % interval is wider than 1, and wider than the
    distance from the score to 1, it separates the model neither from one that ignores the image nor from a perfect one. A
    resample without any included neuron could have any value: with more than 5 % of them, the interval is unbounded.

    Parameters
    ----------
    estimate
        Bootstrap estimate of the mean ratio.
    images
        Number of images.
    """
    interval = estimate.interval_at(CONFIDENCE_LEVEL)
    if estimate.value is None or interval is None:
        return None
    undefined = 1 - float(np.isfinite(estimate.samples).mean())
    if undefined > 1 - CONFIDENCE_LEVEL:
        return f"{TOO_FEW_IMAGES}: no neuron counts in {100 * undefined:.0f} % of the resamples of the {images}"
    if interval.high - interval.low > max_interval_width(estimate.value):
        return f"{TOO_FEW_IMAGES}: {images} leave an interval that is wider than the distance to a perfect model"
    return None


def max_interval_width(mean: float) -> float:
    """Return the largest width of a 95 % interval with which FEVE or CC_norm is still reported."""
    return max(1.0, 1 - mean)


def is_too_few_images(reason: str | None) -> bool:
    """Return whether the reason for a missing score is that there are too few images."""
    return reason is not None and reason.startswith(TOO_FEW_IMAGES)


def missing_score_text(reason: str | None) -> str:
    """Return the text that tables show for a missing score: that it is not defined, or that there are too few images."""
    return str(reason) if is_too_few_images(reason) else f"not defined: {reason}"


def ceilings_by_metric(ceilings: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return the highest score expected of a model that sees only the image, for each metric; None if it is not known.

    Parameters
    ----------
    ceilings
        Mean values of ``single_trial_ceiling`` (√FEV) and ``cc_max``. The ceiling of FEVE and of CC_norm is 1 by definition.
        The oracle predictor and the split-half reliability are not ceilings.

    Examples
    --------
    >>> ceilings_by_metric({"single_trial_ceiling": 0.5, "cc_max": 0.9})
    {'single_trial_correlation': 0.5, 'correlation_to_average': 0.9, 'feve': 1.0, 'cc_norm': 1.0}
    """
    known = any(ceilings.get(name) is not None for name in METRIC_CEILINGS.values())
    of_correlations = {metric: ceilings.get(name) for metric, name in METRIC_CEILINGS.items()}
    return {name: of_correlations.get(name, 1.0 if known else None) for name in (*METRICS, *NORMALISED_METRICS)}
