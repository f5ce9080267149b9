"""Sufficient statistics of the metrics: for each image, means and sums of squares over its repeats.

All metrics, their ceilings, the jackknife oracle and every bootstrap resample follow from these few values per image. The trials
are therefore read once, and a resample is a product of these values with the number of times that each image was drawn.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.metrics.repeated_images import Repeats
from striate.metrics.validation import Floats, neuron_blocks

# A centred sum of squares below this fraction of the raw sum of squares is rounding error: the values are constant.
_ROUNDING = 1e-13

# Added to each standard deviation of a correlation, by the benchmark's convention.
_EPSILON = 1e-8


@dataclass(frozen=True)
class Moments:
    """Moments of responses and predictions over the repeats of each image, each of shape (images, neurons).

    Attributes
    ----------
    counts : (I,)
        Number of repeats of each image.
    response_mean, prediction_mean : (I, n)
        Means over the repeats.
    response_squares, prediction_squares : (I, n)
        Σ (x − mean)² over the repeats; exactly 0 if all repeats are equal.
    products : (I, n)
        Σ (r − mean r)(p − mean p) over the repeats.
    """

    counts: Floats
    response_mean: Floats
    prediction_mean: Floats
    response_squares: Floats
    prediction_squares: Floats
    products: Floats

    @classmethod
    def from_trials(cls, responses: NDArray[Any], predictions: NDArray[Any], repeats: Repeats) -> "Moments":
        """Compute the moments of a block of neurons.

        Parameters
        ----------
        responses, predictions : (T, n)
            Values of any real type. The moments are computed in float64.
        repeats
            The T trials, grouped by image.
        """
        shape = (len(repeats.images), responses.shape[1])
        r_mean, p_mean, r_squares, p_squares, products = (np.empty(shape) for _ in range(5))
        for group in repeats.groups:
            # Subtract the first repeat: equal repeats then give exact zeros, and a large offset costs no precision.
            r, r_first = _subtract_first_repeat(responses[group.rows])
            p, p_first = _subtract_first_repeat(predictions[group.rows])
            k, images = group.repeats, group.images
            r_sum, p_sum = r.sum(axis=1), p.sum(axis=1)
            r_mean[images] = r_first + r_sum / k
            p_mean[images] = p_first + p_sum / k
            r_squares[images] = np.einsum("ikn,ikn->in", r, r) - r_sum * r_sum / k
            p_squares[images] = np.einsum("ikn,ikn->in", p, p) - p_sum * p_sum / k
            products[images] = np.einsum("ikn,ikn->in", r, p) - r_sum * p_sum / k
        np.maximum(r_squares, 0, out=r_squares)
        np.maximum(p_squares, 0, out=p_squares)
        return cls(repeats.counts.astype(np.float64), r_mean, p_mean, r_squares, p_squares, products)


@dataclass(frozen=True)
class Scores:
    """Metrics and ceilings of each neuron, each of shape (resamples, neurons); NaN if not defined.

    Attributes
    ----------
    single_trial_correlation, correlation_to_average, feve
        The metrics.
    fraction_explainable_variance
        FEV by the benchmark's definition; NaN if an image was shown only once.
    signal_fraction
        FEV with the noise variance of those images that were shown at least twice.
    single_trial_ceiling, cc_max
        Ceilings of a model that sees only the image, for single trials and for means over repeats.
    """

    single_trial_correlation: Floats
    correlation_to_average: Floats
    fraction_explainable_variance: Floats
    feve: Floats
    signal_fraction: Floats
    single_trial_ceiling: Floats
    cc_max: Floats


def resampled_scores(moments: Moments, image_counts: Floats) -> Scores:
    """Compute metrics and ceilings for each of B resamples of the images.

    Parameters
    ----------
    moments
        Moments of a block of n neurons.
    image_counts : (B, I)
        How often each image, with all its repeats, occurs in each resample. A row of ones gives the original images.

    Returns
    -------
    Scores
        Arrays of shape (B, n). FEV and FEVE are NaN if any image was shown only once, the ceilings if every image was.
    """
    k = moments.counts[:, None]
    r, p = centre_means(moments.response_mean, k), centre_means(moments.prediction_mean, k)
    trials = image_counts @ k
    images = image_counts.sum(axis=1, keepdims=True)

    difference = moments.response_mean - moments.prediction_mean
    squared_error = moments.response_squares - 2 * moments.products + moments.prediction_squares + k * difference**2
    repeated = moments.counts > 1
    variance_over_repeats = moments.response_squares / np.maximum(k - 1, 1)  # 0 for an image that was shown once

    sums = _resampled_sums(
        image_counts,
        # over trials
        k * r,
        k * p,
        moments.response_squares + k * r * r,
        moments.prediction_squares + k * p * p,
        moments.products + k * r * p,
        squared_error,
        # over images
        r,
        p,
        r * r,
        p * p,
        r * p,
        variance_over_repeats,
        variance_over_repeats / k,
    )
    over_trials = CentredSums.from_raw_sums(trials, *sums[:5])
    over_images = CentredSums.from_raw_sums(images, *sums[6:11])
    mean_squared_error = sums[5] / trials
    with np.errstate(divide="ignore", invalid="ignore"):  # a constant neuron: 0/0; a resample without repeats: NaN
        total = over_trials.x_squares / (trials - 1)
        noise = sums[11] / (image_counts @ repeated.astype(np.float64)[:, None])
        signal_fraction = (total - noise) / total
        # The mean of an image that was shown once has the noise variance of a single trial, estimated from the other images.
        shown_once = image_counts @ (~repeated).astype(np.float64)[:, None]
        noise_of_means = (sums[12] + shown_once * noise) / images
        variance_of_means = over_images.x_squares / (images - 1)
        cc_max = _root_of_share(variance_of_means - noise_of_means, variance_of_means)
        single_trial_ceiling = _root_of_share(total - noise, total)
        if not repeated.all():
            noise = np.full_like(noise, np.nan)
        explainable = total - noise
        fev = explainable / total
        feve = 1 - (mean_squared_error - noise) / explainable
    return Scores(
        over_trials.correlation(),
        over_images.correlation(),
        fev,
        feve,
        signal_fraction,
        single_trial_ceiling,
        cc_max,
    )


def _root_of_share(part: Floats, whole: Floats) -> Floats:
    """Return √(part / whole): 0 if the part is not positive, NaN if it is NaN."""
    ceiling: Floats = np.where((part <= 0) | (whole == 0), 0.0, np.sqrt(np.maximum(part, 0) / whole))
    return np.where(np.isnan(part), np.nan, ceiling)


def _resampled_sums(image_counts: Floats, *quantities: Floats) -> list[Floats]:
    """Sum several quantities over the images of each resample, in one matrix product, which is faster than many small ones."""
    return np.split(image_counts @ np.concatenate(quantities, axis=1), len(quantities), axis=1)


def trial_scores(responses: NDArray[Any], predictions: NDArray[Any], repeats: Repeats) -> Scores:
    """Compute metrics and ceilings of the original trials, each of shape (N,), in blocks of neurons to limit memory."""
    trials, neurons = responses.shape
    result = Scores(*(np.empty(neurons) for _ in fields(Scores)))
    every_image_once = np.ones((1, len(repeats.images)))
    with np.errstate(invalid="ignore"):  # a neuron with a value that is not finite gets NaN
        for columns in neuron_blocks(neurons, trials):
            moments = Moments.from_trials(responses[:, columns], predictions[:, columns], repeats)
            block = resampled_scores(moments, every_image_once)
            for field in fields(Scores):
                getattr(result, field.name)[columns] = getattr(block, field.name)[0]
    return result


def pearson(x_squares: Floats, y_squares: Floats, products: Floats, count: Floats | float) -> Floats:
    """Compute Pearson's correlation from centred sums, adding 1e-8 to each (population) standard deviation."""
    x_std, y_std = np.sqrt(x_squares / count), np.sqrt(y_squares / count)
    correlation: Floats = products / count / ((x_std + _EPSILON) * (y_std + _EPSILON))
    return correlation


@dataclass(frozen=True)
class CentredSums:
    """Centred sums of squares and products of `count` pairs (x, y); exactly 0 for a constant."""

    x_squares: Floats
    y_squares: Floats
    products: Floats
    count: Floats | float

    @classmethod
    def from_raw_sums(
        cls, count: Floats | float, x: Floats, y: Floats, xx: Floats, yy: Floats, xy: Floats
    ) -> "CentredSums":
        """Centre the raw sums of x, y, x², y² and xy."""
        x_squares, y_squares = _or_zero(xx - x * x / count, xx), _or_zero(yy - y * y / count, yy)
        products = np.where((x_squares == 0) | (y_squares == 0), 0.0, xy - x * y / count)
        return cls(x_squares, y_squares, products, count)

    def correlation(self) -> Floats:
        """Return Pearson's correlation, with 1e-8 added to each standard deviation."""
        return pearson(self.x_squares, self.y_squares, self.products, self.count)


def _or_zero(squares: Floats, terms: Floats) -> Floats:
    kept: Floats = np.where(squares <= _ROUNDING * terms, 0.0, squares)
    return kept


def _subtract_first_repeat(repeats: NDArray[Any]) -> tuple[Floats, Floats]:
    values = repeats.astype(np.float64)
    first = values[:, 0].copy()
    values -= first[:, None]
    return values, first


def centre_means(means: Floats, counts: Floats) -> Floats:
    """Subtract the mean over trials from the image means; exactly 0 for a constant neuron."""
    shifted: Floats = means - means[0]
    shifted -= (counts * shifted).sum(axis=0) / counts.sum()
    return shifted
