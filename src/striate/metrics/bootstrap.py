"""Bootstrap over images: confidence intervals of the mean metrics for another choice of test images."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate.errors import InputError, validate_seed
from striate.metrics.feve import FEV_THRESHOLD, reaches_threshold, unrepeated_images_reason
from striate.metrics.normalised_correlation import normalised_correlations
from striate.metrics.repeated_images import Repeats
from striate.metrics.sufficient_statistics import Moments, resampled_scores
from striate.metrics.validation import Floats, neuron_blocks, validate_same_shape

DEFAULT_RESAMPLES = 1000
CONFIDENCE_LEVEL = 0.95
_MAX_THREADS = 4  # each thread holds the scores of a block of neurons in all resamples, about 40 MB


@dataclass(frozen=True)
class Interval:
    """Confidence interval of a mean metric, or of the difference of two.

    Attributes
    ----------
    low, high
        Lower and upper bound.
    level
        Confidence level: the fraction of resamples within the interval, such as 0.95.

    Examples
    --------
    >>> interval = Interval(low=0.51, high=0.57, level=0.95)
    >>> round(interval.high - interval.low, 2)
    0.06
    """

    low: float
    high: float
    level: float


@dataclass(frozen=True)
class BootstrapEstimate:
    """One mean metric, or the difference of two, of the original images and of each of B resamples.

    Attributes
    ----------
    value
        Value for the original images; None if it is not defined.
    samples : (B,)
        Value for each resample of the images; NaN if it is not defined for that resample.
    level
        Confidence level of the interval.

    Examples
    --------
    >>> samples = np.linspace(0.4, 0.6, 201)
    >>> estimate = BootstrapEstimate(value=0.5, samples=samples, level=0.95)
    >>> round(estimate.interval.low, 3), round(estimate.interval.high, 3), estimate.excludes_zero
    (0.405, 0.595, True)
    """

    value: float | None
    samples: Floats
    level: float

    @property
    def interval(self) -> Interval | None:
        """Percentile interval of the resamples, corrected for bias; None if the metric is not defined.

        The interval is shifted by the difference of `value` and the median of the samples. Resamples contain some images
        twice and are therefore less varied than the original images, so that an uncorrected interval may not contain the
        score. The median is used because one resample with a denominator near 0 can change the mean of a ratio arbitrarily.
        """
        return self.interval_at(self.level)

    def interval_at(self, level: float) -> Interval | None:
        """Return the interval with another confidence level.

        Parameters
        ----------
        level
            Confidence level, between 0 and 1.
        """
        defined = self.samples[np.isfinite(self.samples)]
        if self.value is None or not defined.size:
            return None
        low, median, high = np.quantile(defined, [(1 - level) / 2, 0.5, (1 + level) / 2])
        return Interval(float(low - median + self.value), float(high - median + self.value), level)

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval excludes 0. For a difference: whether one prediction is significantly better."""
        interval = self.interval
        return interval is not None and (interval.low > 0 or interval.high < 0)


@dataclass(frozen=True)
class Bootstrap:
    """Bootstrap estimates of all mean metrics, or of their differences between two predictions.

    Attributes
    ----------
    single_trial_correlation, correlation_to_average, feve, cc_norm
        Estimate of each metric, averaged over the included neurons.
    single_trial_ceiling, cc_max
        Estimate of each ceiling, averaged over neurons. None for a difference, because the ceilings depend on the responses
        only.

    Examples
    --------
    >>> from striate.metrics import bootstrap
    >>> estimates = bootstrap([[1.0], [2.0], [5.0]], [[1.0], [2.0], [3.0]], image_ids=[0, 1, 2], resamples=10)
    >>> estimates.feve.value is None, len(estimates.single_trial_correlation.samples)
    (True, 10)
    """

    single_trial_correlation: BootstrapEstimate
    correlation_to_average: BootstrapEstimate
    feve: BootstrapEstimate
    cc_norm: BootstrapEstimate
    single_trial_ceiling: BootstrapEstimate | None = None
    cc_max: BootstrapEstimate | None = None


def bootstrap(
    responses: ArrayLike,
    predictions: ArrayLike,
    image_ids: ArrayLike | Repeats,
    *,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    level: float = CONFIDENCE_LEVEL,
    threshold: float = FEV_THRESHOLD,
) -> Bootstrap:
    """Compute confidence intervals of all mean metrics by resampling images with replacement.

    Each image is drawn with all its repeats, and an image that is drawn twice counts as two images. Which neurons reach the
    threshold of FEVE is decided separately in each resample. Every metric follows from a few sums per image, so that a
    resample costs a matrix product instead of a pass over the trials.

    Parameters
    ----------
    responses, predictions : (T, N)
        Standardised responses of one tier and their predictions.
    image_ids : (T,)
        Id of the image shown in each trial, or the `Repeats` made of these ids.
    resamples
        Number of resamples B.
    seed
        Random seed. The same images and seed give the same resamples, whatever the order of trials.
    level
        Confidence level of the intervals, between 0 and 1.
    threshold
        Smallest fraction of explainable variance of the neurons that FEVE and CC_norm include.

    Returns
    -------
    Bootstrap
        Estimates of all metrics and ceilings.

    Raises
    ------
    InputError
        If the shapes of the arrays do not match, `resamples` is less than 1, or `level` is not between 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> from striate.metrics import bootstrap
    >>> rng = np.random.default_rng(0)
    >>> signal = np.repeat(rng.normal(size=(20, 5)), 10, axis=0)  # 20 images, 10 repeats, 5 neurons
    >>> responses = signal + rng.normal(size=signal.shape)
    >>> estimate = bootstrap(responses, signal, np.repeat(np.arange(20), 10), resamples=100).correlation_to_average
    >>> estimate.interval.low < estimate.value < estimate.interval.high
    True
    """
    r, p = validate_same_shape(responses, predictions)
    repeats = Repeats.from_image_ids(image_ids, len(r))
    image_counts = _image_counts(repeats, resamples, seed, level)
    means = _means(r, p, repeats, image_counts, threshold)
    return Bootstrap(**{name: _estimate(values, level) for name, values in means.items()})


def paired_bootstrap(
    responses: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    image_ids: ArrayLike | Repeats,
    *,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    level: float = CONFIDENCE_LEVEL,
    threshold: float = FEV_THRESHOLD,
) -> Bootstrap:
    """Compute confidence intervals of the differences between two predictions of the same responses.

    Both predictions are scored on the same resamples of the images. Images that are hard to predict are hard for both, so
    that the interval of the difference is usually much narrower than the intervals of the two scores.

    Parameters
    ----------
    responses, first, second : (T, N)
        Standardised responses of one tier and the two predictions.
    image_ids, resamples, seed, level, threshold
        As in `bootstrap`.

    Returns
    -------
    Bootstrap
        Estimates of the differences, first − second.

    Raises
    ------
    InputError
        As in `bootstrap`.

    Examples
    --------
    >>> import numpy as np
    >>> from striate.metrics import paired_bootstrap
    >>> rng = np.random.default_rng(0)
    >>> signal, image_ids = np.repeat(rng.normal(size=(20, 5)), 10, axis=0), np.repeat(np.arange(20), 10)
    >>> responses, worse = signal + rng.normal(size=signal.shape), signal + rng.normal(size=signal.shape)
    >>> paired_bootstrap(responses, signal, worse, image_ids, resamples=100).single_trial_correlation.excludes_zero
    True
    """
    r, a = validate_same_shape(responses, first)
    _, b = validate_same_shape(responses, second)
    repeats = Repeats.from_image_ids(image_ids, len(r))
    image_counts = _image_counts(repeats, resamples, seed, level)
    means_a, means_b = (_means(r, p, repeats, image_counts, threshold) for p in (a, b))
    metrics = [name for name in means_a if name not in ("single_trial_ceiling", "cc_max")]
    return Bootstrap(**{name: _estimate(means_a[name] - means_b[name], level) for name in metrics})


def draw_image_counts(images: int, resamples: int, seed: int) -> Floats:
    """Draw how often each image occurs in each resample, of shape (resamples, images).

    Raises
    ------
    InputError
        If `resamples` is less than 1.
    """
    if resamples < 1:
        raise InputError(f"A bootstrap of {resamples} resamples was asked for; it needs at least one, usually 1000.")
    rng = np.random.default_rng(validate_seed(seed))
    image_counts: NDArray[np.int64] = rng.multinomial(images, np.full(images, 1 / images), size=resamples)
    return image_counts.astype(np.float64)


def _image_counts(repeats: Repeats, resamples: int, seed: int, level: float) -> Floats:
    """Return a row of ones for the original images, then a row for each resample, of shape (1 + resamples, images)."""
    if not 0 < level < 1:
        raise InputError(f"The level of an interval is {level}; it must lie between 0 and 1, for example 0.95.")
    images = len(repeats.images)
    return np.concatenate([np.ones((1, images)), draw_image_counts(images, resamples, seed)])


def _means(
    r: NDArray[np.generic], p: NDArray[np.generic], repeats: Repeats, image_counts: Floats, threshold: float
) -> dict[str, Floats]:
    """Return the mean over neurons of each field of `Bootstrap` in each resample, (B,); NaN if it is not defined."""
    neurons = r.shape[1]

    def sums(columns: slice) -> Floats:
        """Return the sums over a block of neurons, and the numbers of neurons included in FEVE and CC_norm, (8, B)."""
        with np.errstate(invalid="ignore"):
            block = resampled_scores(Moments.from_trials(r[:, columns], p[:, columns], repeats), image_counts)
            explained = reaches_threshold(block.fraction_explainable_variance, threshold)
            cc_norm = normalised_correlations(block, threshold)
            included = ~np.isnan(cc_norm)
            return np.stack(
                [
                    block.single_trial_correlation.sum(axis=1),
                    block.correlation_to_average.sum(axis=1),
                    np.where(explained, block.feve, 0.0).sum(axis=1),
                    np.where(included, cc_norm, 0.0).sum(axis=1),
                    block.single_trial_ceiling.sum(axis=1),
                    block.cc_max.sum(axis=1),
                    explained.sum(axis=1, dtype=np.float64),
                    included.sum(axis=1, dtype=np.float64),
                ]
            )

    summed = np.zeros((8, len(image_counts)))
    blocks = list(neuron_blocks(neurons, max(len(image_counts), len(r))))
    # NumPy releases the GIL. `map` keeps the order of the blocks, so that the rounding of the sum is reproducible.
    with ThreadPoolExecutor(max(1, min(_MAX_THREADS, os.cpu_count() or 1, len(blocks)))) as pool:
        for block_sums in pool.map(sums, blocks):
            summed += block_sums
    single, average, feve, cc_norm, single_ceiling, average_ceiling, explained, included = summed
    return {
        "single_trial_correlation": single / neurons,
        "correlation_to_average": average / neurons,
        "feve": _ratio(feve, np.where(unrepeated_images_reason(repeats) is None, explained, 0.0)),
        "cc_norm": _ratio(cc_norm, included),
        "single_trial_ceiling": single_ceiling / neurons,
        "cc_max": average_ceiling / neurons,
    }


def _ratio(sums: Floats, counts: Floats) -> Floats:
    ratio: Floats = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)
    return ratio


def _estimate(values: Floats, level: float) -> BootstrapEstimate:
    """Make an estimate of the value for the original images, which comes first, and of those for the resamples."""
    return BootstrapEstimate(float(values[0]) if np.isfinite(values[0]) else None, values[1:], level)
