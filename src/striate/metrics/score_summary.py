"""What is said of a tier: each mean with its interval, or why there is none.

Everything that shows scores (scorecards, reports, boards, results) takes them from `stated`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from striate.metrics.bootstrap import LEVEL, Bootstrap, Interval, Resampled
from striate.metrics.evaluate import METRICS, NORMALISED, MetricSet

TOO_FEW = "too few images"
CEILING_OF = {"single_trial_correlation": "single_trial_ceiling", "correlation_to_average": "cc_max"}
RATIOS = ("feve", "cc_norm")  # a denominator near 0 leaves their intervals without bounds


@dataclass(frozen=True)
class Stated:
    """A mean over neurons, as it is shown and ranked.

    Attributes
    ----------
    mean
        None where it is not defined, or the images are too few.
    interval
        Over resamples of the images; None without a mean, or without a bootstrap.
    reason
        Why there is no mean; None where there is one.
    """

    mean: float | None
    interval: Interval | None
    reason: str | None

    @property
    def too_few(self) -> bool:
        """Whether there is no mean because the images are too few."""
        return says_too_few(self.reason)


def stated(metrics: MetricSet, drawn: Bootstrap | None, images: int) -> dict[str, Stated]:
    """State the mean of each metric and of the normalised correlation.

    Parameters
    ----------
    metrics
        Of all trials.
    drawn
        The same in resamples of the images; None for none, and then nothing can tell that the images are too few.
    images
        How many images there are.

    Returns
    -------
    dict
        By name: `striate.metrics.evaluate.METRICS`, then `striate.metrics.evaluate.NORMALISED`.
    """
    means = {**metrics.means, "cc_norm": metrics.cc_norm.mean}
    reasons = {"feve": metrics.feve.reason, "cc_norm": metrics.cc_norm.reason}
    return {
        name: _stated(name, means[name], reasons.get(name), getattr(drawn, name, None), images)
        for name in (*METRICS, *NORMALISED)
    }


def _stated(name: str, mean: float | None, reason: str | None, resampled: Resampled | None, images: int) -> Stated:
    if mean is None:
        return Stated(None, None, reason)
    if not np.isfinite(mean):
        return Stated(None, None, "it is not a number")
    if resampled is None:
        return Stated(mean, None, None)
    few = too_few_images(resampled, images) if name in RATIOS else None
    return Stated(None, None, few) if few else Stated(mean, resampled.interval, None)


def too_few_images(resampled: Resampled, images: int) -> str | None:
    """Why FEVE or CC_norm says nothing although it can be computed; None where it says something.

    Both are ratios, whose denominators come near 0 in some resamples if there are few images. On their scale 0 is a model
    that knows nothing of the images and 1 a perfect one. A 95 % interval that is wider than this whole range, and wider than
    the distance from the score to 1, separates the model neither from one that knows nothing nor from a perfect one. A
    resample in which no neuron counts could have any value: if these are more than 5 %, the interval has no bounds.

    Parameters
    ----------
    resampled
        Mean of the ratio on all images, and in resamples of them.
    images
        How many images there are.
    """
    interval = resampled.interval_at(LEVEL)
    if resampled.value is None or interval is None:
        return None
    undefined = 1 - float(np.isfinite(resampled.samples).mean())
    if undefined > 1 - LEVEL:
        return f"{TOO_FEW}: no neuron counts in {100 * undefined:.0f} % of the resamples of the {images}"
    if interval.high - interval.low > most_width(resampled.value):
        return f"{TOO_FEW}: {images} leave an interval that is wider than the distance to a perfect model"
    return None


def most_width(mean: float) -> float:
    """Return the width of the widest interval that still says something of FEVE or CC_norm."""
    return max(1.0, 1 - mean)


def says_too_few(reason: str | None) -> bool:
    """Whether a reason says that the images are too few."""
    return reason is not None and reason.startswith(TOO_FEW)


def why_not(reason: str | None) -> str:
    """Say that a score is not defined, and why; or that the images are too few for it."""
    return str(reason) if says_too_few(reason) else f"not defined: {reason}"


def ceiling_row(ceilings: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return the highest score that a model of the image alone can expect, by metric; None where it is not known.

    Parameters
    ----------
    ceilings
        ``single_trial_ceiling`` (the mean of √FEV) and ``cc_max``. FEVE and the normalised correlation are 1 for a perfect
        model of the image by definition. The oracle predictor and the split-half reliability are not ceilings.
    """
    known = any(ceilings.get(name) is not None for name in CEILING_OF.values())
    of_correlations = {metric: ceilings.get(name) for metric, name in CEILING_OF.items()}
    return {name: of_correlations.get(name, 1.0 if known else None) for name in (*METRICS, *NORMALISED)}
