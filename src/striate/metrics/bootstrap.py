"""Bootstrap over images: how far the mean metrics would move had other images been shown."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate.errors import InputError
from striate.metrics.arrays import Floats, neuron_blocks, same_shape
from striate.metrics.feve import THRESHOLD, passes, why_undefined
from striate.metrics.moments import Moments, scores
from striate.metrics.repeats import Repeats

RESAMPLES = 1000
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A percentile interval.

    Attributes
    ----------
    low, high
        Its ends.
    level
        The share of resamples within it.
    """

    low: float
    high: float
    level: float

    @classmethod
    def of(cls, samples: Floats, level: float) -> "Interval | None":
        """Interval of the samples that are defined; None if none is."""
        defined = samples[np.isfinite(samples)]
        if not defined.size:
            return None
        low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
        return cls(float(low), float(high), level)


@dataclass(frozen=True)
class Bootstrap:
    """Mean metrics over neurons in each of B resamples of the images, with all their repeats.

    Attributes
    ----------
    single_trial_correlation, correlation_to_average, feve : (B,)
        FEVE is NaN in a resample where it is not defined.
    level
        Level of the intervals.
    """

    single_trial_correlation: Floats
    correlation_to_average: Floats
    feve: Floats
    level: float

    def interval(self, metric: str) -> Interval | None:
        """Percentile interval of one metric's mean; None where it is not defined.

        Parameters
        ----------
        metric
            ``single_trial_correlation``, ``correlation_to_average`` or ``feve``.
        """
        return Interval.of(getattr(self, metric), self.level)


@dataclass(frozen=True)
class Difference:
    """Difference of one mean metric between two predictions, first − second.

    Attributes
    ----------
    value
        Difference on the trials as they are.
    interval
        Percentile interval over the resamples.
    """

    value: float
    interval: Interval

    @property
    def decided(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.interval.low > 0 or self.interval.high < 0


@dataclass(frozen=True)
class PairedBootstrap:
    """Differences of the mean metrics of two predictions of the same responses, first − second.

    Attributes
    ----------
    single_trial_correlation, correlation_to_average, feve
        None where the metric is not defined.
    """

    single_trial_correlation: Difference | None
    correlation_to_average: Difference | None
    feve: Difference | None


def bootstrap(
    responses: ArrayLike,
    predictions: ArrayLike,
    image_ids: ArrayLike | Repeats,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
    threshold: float = THRESHOLD,
) -> Bootstrap:
    """Resample the images, each with all its repeats, and score every resample.

    An image that is drawn twice counts as two images. Which neurons pass the threshold of FEVE is decided anew in each
    resample. As every metric follows from a few sums an image, a resample costs a matrix product, not a pass over trials.

    Parameters
    ----------
    responses, predictions : (T, N)
        Standardised responses of one tier and their predictions.
    image_ids : (T,)
        Image shown in each trial, or the trials grouped already.
    resamples
        Number of resamples, B.
    seed
        Of the resamples: the same images and seed give the same resamples, whatever the order of trials.
    level
        Level of the intervals.
    threshold
        Least fraction of explainable variance of the neurons that count for FEVE.

    Raises
    ------
    InputError
        If the shapes do not agree, or `resamples` or `level` makes no sense.
    """
    _check_level(level)
    r, p = same_shape(responses, predictions)
    repeats = Repeats.of(image_ids, len(r))
    drawn = draw_images(len(repeats.images), resamples, seed)
    return Bootstrap(*_means(r, p, repeats, drawn, threshold), level)


def paired_bootstrap(
    responses: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    image_ids: ArrayLike | Repeats,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
    threshold: float = THRESHOLD,
) -> PairedBootstrap:
    """Compare two predictions of the same responses on the same resamples of the images.

    What makes an image hard makes it hard for both, so the interval of the difference is far narrower than the
    intervals of the two scores suggest.

    Parameters
    ----------
    responses, first, second : (T, N)
        Standardised responses of one tier and the two predictions.
    image_ids, resamples, seed, level, threshold
        As for `bootstrap`.

    Raises
    ------
    InputError
        As for `bootstrap`.
    """
    _check_level(level)
    r, a = same_shape(responses, first)
    _, b = same_shape(responses, second)
    repeats = Repeats.of(image_ids, len(r))
    once = np.ones((1, len(repeats.images)))
    drawn = np.concatenate([once, draw_images(len(repeats.images), resamples, seed)])
    means = zip(_means(r, a, repeats, drawn, threshold), _means(r, b, repeats, drawn, threshold), strict=True)
    return PairedBootstrap(*(_difference(x - y, level) for x, y in means))


def draw_images(images: int, resamples: int, seed: int) -> Floats:
    """How often each image is drawn in each resample, shape (resamples, images).

    Raises
    ------
    InputError
        If there is not at least one resample.
    """
    if resamples < 1:
        raise InputError(f"A bootstrap of {resamples} resamples was asked for; it needs at least one, usually 1000.")
    rng = np.random.default_rng(seed)
    drawn: NDArray[np.int64] = rng.multinomial(images, np.full(images, 1 / images), size=resamples)
    return drawn.astype(np.float64)


def _means(
    r: NDArray[np.generic], p: NDArray[np.generic], repeats: Repeats, drawn: Floats, threshold: float
) -> tuple[Floats, Floats, Floats]:
    """Means over neurons of the three metrics in each resample, each of shape (B,); NaN where FEVE is not defined."""
    single, average, feve, kept = (np.zeros(len(drawn)) for _ in range(4))
    neurons = r.shape[1]
    with np.errstate(invalid="ignore"):
        for columns in neuron_blocks(neurons, max(len(drawn), len(r))):
            block = scores(Moments.of(r[:, columns], p[:, columns], repeats), drawn)
            single += block.single_trial_correlation.sum(axis=1)
            average += block.correlation_to_average.sum(axis=1)
            passed = passes(block.fraction_explainable_variance, threshold)
            feve += np.where(passed, block.feve, 0.0).sum(axis=1)
            kept += passed.sum(axis=1)
    defined = (kept > 0) & (why_undefined(repeats) is None)
    return single / neurons, average / neurons, np.divide(feve, kept, out=np.full(len(drawn), np.nan), where=defined)


def _difference(values: Floats, level: float) -> Difference | None:
    """The first value is that of the trials as they are."""
    interval = Interval.of(values[1:], level)
    if interval is None or not np.isfinite(values[0]):
        return None
    return Difference(float(values[0]), interval)


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise InputError(f"The level of an interval is {level}; it must lie between 0 and 1, for example 0.95.")
