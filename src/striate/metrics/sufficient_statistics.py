"""What of the trials the metrics depend on: for each image, means and sums of squares over its repeats.

All metrics, their ceilings, the jackknife oracle and each bootstrap resample follow from these few numbers an image, so the trials
are read once, and a resample of images is a product of these with the number of times that each image was drawn.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.metrics.repeated_images import Repeats
from striate.metrics.validation import Floats, neuron_blocks

# A sum of squares this small beside the terms that cancelled in it is rounding error of a constant.
_ROUNDING = 1e-13

# Added to each standard deviation of a correlation, by the benchmark's convention.
_EPSILON = 1e-8


@dataclass(frozen=True)
class Moments:
    """Moments of responses and predictions over the repeats of each image, each of shape (images, neurons).

    Attributes
    ----------
    counts : (I,)
        Repeats of each image.
    response_mean, prediction_mean
        Means over the repeats.
    response_squares, prediction_squares
        Σ (x − mean)² over the repeats; exactly 0 where all repeats are equal.
    products
        Σ (r − mean r)(p − mean p) over the repeats.
    """

    counts: Floats
    response_mean: Floats
    prediction_mean: Floats
    response_squares: Floats
    prediction_squares: Floats
    products: Floats

    @classmethod
    def of(cls, responses: NDArray[Any], predictions: NDArray[Any], repeats: Repeats) -> "Moments":
        """Read the trials of a block of neurons.

        Parameters
        ----------
        responses, predictions : (T, n)
            Any real type; computed in float64.
        repeats
            The grouping of the T trials.
        """
        shape = (len(repeats.images), responses.shape[1])
        r_mean, p_mean, r_squares, p_squares, products = (np.empty(shape) for _ in range(5))
        for group in repeats.groups:
            # Measured from the first repeat, so that equal repeats give exact zeros and large offsets cancel nothing.
            r, r_first = _from_first(responses[group.rows])
            p, p_first = _from_first(predictions[group.rows])
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
    """Metrics and ceilings of each neuron, each of shape (resamples, neurons); NaN where not defined.

    Attributes
    ----------
    single_trial_correlation, correlation_to_average, feve
        The metrics.
    fraction_explainable_variance
        FEV by the benchmark's definition, NaN where an image was shown only once.
    signal_share
        FEV with the noise variance of the images that were shown at least twice.
    single_trial_ceiling, cc_max
        Ceilings of a model that sees the image alone, for single trials and for averages over repeats.
    """

    single_trial_correlation: Floats
    correlation_to_average: Floats
    fraction_explainable_variance: Floats
    feve: Floats
    signal_share: Floats
    single_trial_ceiling: Floats
    cc_max: Floats


def scores(moments: Moments, drawn: Floats) -> Scores:
    """Metrics and ceilings for each of several resamples of the images.

    Parameters
    ----------
    moments
        Of a block of n neurons.
    drawn : (B, I)
        How often each image stands in each resample, with all its repeats; one row of ones for the trials as they are.

    Returns
    -------
    Scores
        Of shape (B, n). FEV and FEVE are NaN where an image was shown once, the ceilings where every image was.
    """
    k = moments.counts[:, None]
    r, p = centred(moments.response_mean, k), centred(moments.prediction_mean, k)
    trials = drawn @ k
    images = drawn.sum(axis=1, keepdims=True)

    difference = moments.response_mean - moments.prediction_mean
    squared_error = moments.response_squares - 2 * moments.products + moments.prediction_squares + k * difference**2
    repeated = moments.counts > 1
    variance_over_repeats = moments.response_squares / np.maximum(k - 1, 1)  # 0 where an image was shown once

    sums = _drawn_sums(
        drawn,
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
    over_trials = Spread.of(trials, *sums[:5])
    over_images = Spread.of(images, *sums[6:11])
    mean_squared_error = sums[5] / trials
    with np.errstate(divide="ignore", invalid="ignore"):  # a constant neuron: 0/0; a resample without repeats: NaN
        total = over_trials.x_squares / (trials - 1)
        noise = sums[11] / (drawn @ repeated.astype(np.float64)[:, None])
        signal_share = (total - noise) / total
        # An image that was shown once has all the noise of a trial in its mean; the other images say how much that is.
        shown_once = drawn @ (~repeated).astype(np.float64)[:, None]
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
        signal_share,
        single_trial_ceiling,
        cc_max,
    )


def _root_of_share(part: Floats, whole: Floats) -> Floats:
    """√(part / whole), and 0 where the part is not positive; NaN where it is not known."""
    ceiling: Floats = np.where((part <= 0) | (whole == 0), 0.0, np.sqrt(np.maximum(part, 0) / whole))
    return np.where(np.isnan(part), np.nan, ceiling)


def _drawn_sums(drawn: Floats, *of_images: Floats) -> list[Floats]:
    """Sums over the drawn images of several quantities: one matrix product, as many small ones would wait for threads."""
    return np.split(drawn @ np.concatenate(of_images, axis=1), len(of_images), axis=1)


def scores_of_trials(responses: NDArray[Any], predictions: NDArray[Any], repeats: Repeats) -> Scores:
    """Metrics and ceilings of the trials as they are, each of shape (N,); blocks of neurons bound the memory."""
    trials, neurons = responses.shape
    result = Scores(*(np.empty(neurons) for _ in fields(Scores)))
    as_they_are = np.ones((1, len(repeats.images)))
    with np.errstate(invalid="ignore"):  # a value that is not finite makes its neuron NaN
        for columns in neuron_blocks(neurons, trials):
            block = scores(Moments.of(responses[:, columns], predictions[:, columns], repeats), as_they_are)
            for field in fields(Scores):
                getattr(result, field.name)[columns] = getattr(block, field.name)[0]
    return result


def pearson(x_squares: Floats, y_squares: Floats, products: Floats, count: Floats | float) -> Floats:
    """Pearson's correlation from sums of squares about the mean, 1e-8 added to each (population) standard deviation."""
    x_std, y_std = np.sqrt(x_squares / count), np.sqrt(y_squares / count)
    correlation: Floats = products / count / ((x_std + _EPSILON) * (y_std + _EPSILON))
    return correlation


@dataclass(frozen=True)
class Spread:
    """Sums of squares and products about the mean, of `count` pairs (x, y); exactly 0 for a constant."""

    x_squares: Floats
    y_squares: Floats
    products: Floats
    count: Floats | float

    @classmethod
    def of(cls, count: Floats | float, x: Floats, y: Floats, xx: Floats, yy: Floats, xy: Floats) -> "Spread":
        """From plain sums of x, y, x², y², xy."""
        x_squares, y_squares = _or_zero(xx - x * x / count, xx), _or_zero(yy - y * y / count, yy)
        products = np.where((x_squares == 0) | (y_squares == 0), 0.0, xy - x * y / count)
        return cls(x_squares, y_squares, products, count)

    def correlation(self) -> Floats:
        """Pearson's correlation, 1e-8 added to each standard deviation."""
        return pearson(self.x_squares, self.y_squares, self.products, self.count)


def _or_zero(squares: Floats, terms: Floats) -> Floats:
    kept: Floats = np.where(squares <= _ROUNDING * terms, 0.0, squares)
    return kept


def _from_first(repeats: NDArray[Any]) -> tuple[Floats, Floats]:
    values = repeats.astype(np.float64)
    first = values[:, 0].copy()
    values -= first[:, None]
    return values, first


def centred(means: Floats, counts: Floats) -> Floats:
    """Image means about the mean over trials; exact zeros for a constant neuron."""
    shifted: Floats = means - means[0]
    shifted -= (counts * shifted).sum(axis=0) / counts.sum()
    return shifted
