"""Bootstrap over images: how far the mean metrics would move had other images been shown."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate.errors import InputError, validate_seed
from striate.metrics.feve import THRESHOLD, passes, why_undefined
from striate.metrics.normalised_correlation import normalised
from striate.metrics.repeated_images import Repeats
from striate.metrics.sufficient_statistics import Moments, scores
from striate.metrics.validation import Floats, neuron_blocks, same_shape

RESAMPLES = 1000
LEVEL = 0.95
_MOST_THREADS = 4  # each holds the scores of a block of neurons in all resamples, some 40 MB


@dataclass(frozen=True)
class Interval:
    """An interval about a mean metric, or a difference of two.

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


@dataclass(frozen=True)
class Resampled:
    """One mean metric, or the difference of two, on the trials as they are and in each of B resamples.

    Attributes
    ----------
    value
        On the trials as they are; None where it is not defined.
    samples : (B,)
        In each resample of the images; NaN where it is not defined there.
    level
        Level of the interval.
    """

    value: float | None
    samples: Floats
    level: float

    @property
    def interval(self) -> Interval | None:
        """Percentiles of the resamples, moved by the bias of their median; None where the metric is not defined.

        Without the move the interval would lie aside of the score: images drawn twice make every resample less varied
        than the images are. The move is by the median, not the mean, so that the score lies within its interval: a single
        resample whose denominator is near 0 can bring the mean of a ratio anywhere.
        """
        return self.interval_at(self.level)

    def interval_at(self, level: float) -> Interval | None:
        """Return the interval of another level."""
        defined = self.samples[np.isfinite(self.samples)]
        if self.value is None or not defined.size:
            return None
        low, median, high = np.quantile(defined, [(1 - level) / 2, 0.5, (1 + level) / 2])
        return Interval(float(low - median + self.value), float(high - median + self.value), level)

    @property
    def decided(self) -> bool:
        """Whether the interval leaves out zero: of a difference, whether the images tell the two apart."""
        interval = self.interval
        return interval is not None and (interval.low > 0 or interval.high < 0)


@dataclass(frozen=True)
class Bootstrap:
    """The mean metrics over resamples of the images, or their differences between two predictions.

    Attributes
    ----------
    single_trial_correlation, correlation_to_average, feve, cc_norm
        Mean over the neurons that count, on the trials as they are and in each resample.
    single_trial_ceiling, cc_max
        Ceilings of a model of the image alone, likewise; None for a difference, as both predictions have the same.
    """

    single_trial_correlation: Resampled
    correlation_to_average: Resampled
    feve: Resampled
    cc_norm: Resampled
    single_trial_ceiling: Resampled | None = None
    cc_max: Resampled | None = None


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
    r, p = same_shape(responses, predictions)
    repeats = Repeats.of(image_ids, len(r))
    drawn = _as_they_are_and_drawn(repeats, resamples, seed, level)
    means = _means(r, p, repeats, drawn, threshold)
    return Bootstrap(**{name: _resampled(values, level) for name, values in means.items()})


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
) -> Bootstrap:
    """Compare two predictions of the same responses on the same resamples of the images.

    What makes an image hard makes it hard for both, so the interval of the difference is far narrower than the
    intervals of the two scores suggest.

    Parameters
    ----------
    responses, first, second : (T, N)
        Standardised responses of one tier and the two predictions.
    image_ids, resamples, seed, level, threshold
        As for `bootstrap`.

    Returns
    -------
    Bootstrap
        Of the differences, first − second.

    Raises
    ------
    InputError
        As for `bootstrap`.
    """
    r, a = same_shape(responses, first)
    _, b = same_shape(responses, second)
    repeats = Repeats.of(image_ids, len(r))
    drawn = _as_they_are_and_drawn(repeats, resamples, seed, level)
    ones, others = (_means(r, p, repeats, drawn, threshold) for p in (a, b))
    of_predictions = [name for name in ones if name not in ("single_trial_ceiling", "cc_max")]
    return Bootstrap(**{name: _resampled(ones[name] - others[name], level) for name in of_predictions})


def draw_images(images: int, resamples: int, seed: int) -> Floats:
    """How often each image is drawn in each resample, shape (resamples, images).

    Raises
    ------
    InputError
        If there is not at least one resample.
    """
    if resamples < 1:
        raise InputError(f"A bootstrap of {resamples} resamples was asked for; it needs at least one, usually 1000.")
    rng = np.random.default_rng(validate_seed(seed))
    drawn: NDArray[np.int64] = rng.multinomial(images, np.full(images, 1 / images), size=resamples)
    return drawn.astype(np.float64)


def _as_they_are_and_drawn(repeats: Repeats, resamples: int, seed: int, level: float) -> Floats:
    """One row of ones, then a row for each resample."""
    if not 0 < level < 1:
        raise InputError(f"The level of an interval is {level}; it must lie between 0 and 1, for example 0.95.")
    images = len(repeats.images)
    return np.concatenate([np.ones((1, images)), draw_images(images, resamples, seed)])


def _means(
    r: NDArray[np.generic], p: NDArray[np.generic], repeats: Repeats, drawn: Floats, threshold: float
) -> dict[str, Floats]:
    """Means over neurons of each field of `Bootstrap` in each resample, (B,); NaN where it is not defined."""
    neurons = r.shape[1]

    def sums(columns: slice) -> Floats:
        """Sums over a block of neurons, and how many neurons count for FEVE and CC_norm, (8, B)."""
        with np.errstate(invalid="ignore"):
            block = scores(Moments.of(r[:, columns], p[:, columns], repeats), drawn)
            explained = passes(block.fraction_explainable_variance, threshold)
            cc_norm = normalised(block, threshold)
            counting = ~np.isnan(cc_norm)
            return np.stack(
                [
                    block.single_trial_correlation.sum(axis=1),
                    block.correlation_to_average.sum(axis=1),
                    np.where(explained, block.feve, 0.0).sum(axis=1),
                    np.where(counting, cc_norm, 0.0).sum(axis=1),
                    block.single_trial_ceiling.sum(axis=1),
                    block.cc_max.sum(axis=1),
                    explained.sum(axis=1, dtype=np.float64),
                    counting.sum(axis=1, dtype=np.float64),
                ]
            )

    summed = np.zeros((8, len(drawn)))
    blocks = list(neuron_blocks(neurons, max(len(drawn), len(r))))
    # NumPy works without Python's lock. Added up in the order of the blocks, whichever is done first: the same to the last digit.
    with ThreadPoolExecutor(max(1, min(_MOST_THREADS, os.cpu_count() or 1, len(blocks)))) as pool:
        for of_block in pool.map(sums, blocks):
            summed += of_block
    single, average, feve, cc_norm, single_ceiling, average_ceiling, explained, counting = summed
    return {
        "single_trial_correlation": single / neurons,
        "correlation_to_average": average / neurons,
        "feve": _ratio(feve, np.where(why_undefined(repeats) is None, explained, 0.0)),
        "cc_norm": _ratio(cc_norm, counting),
        "single_trial_ceiling": single_ceiling / neurons,
        "cc_max": average_ceiling / neurons,
    }


def _ratio(sums: Floats, counts: Floats) -> Floats:
    ratio: Floats = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)
    return ratio


def _resampled(values: Floats, level: float) -> Resampled:
    """The first value is that of the trials as they are."""
    return Resampled(float(values[0]) if np.isfinite(values[0]) else None, values[1:], level)
