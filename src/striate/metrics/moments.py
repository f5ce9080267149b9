"""What of the trials the metrics depend on: for each image, means and sums of squares over its repeats.

All three metrics, the jackknife oracle and each bootstrap resample follow from these few numbers an image, so the trials
are read once, and a resample of images is a product of these with the number of times that each image was drawn.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.metrics.arrays import Floats, neuron_blocks
from striate.metrics.repeats import Repeats

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
    """The metrics of each neuron, each of shape (resamples, neurons); NaN where not defined."""

    single_trial_correlation: Floats
    correlation_to_average: Floats
    fraction_explainable_variance: Floats
    feve: Floats


def scores(moments: Moments, drawn: Floats) -> Scores:
    """The three metrics, for each of several resamples of the images.

    Parameters
    ----------
    moments
        Of a block of n neurons.
    drawn : (B, I)
        How often each image stands in each resample, with all its repeats; one row of ones for the trials as they are.

    Returns
    -------
    Scores
        Of shape (B, n). Where an image was shown once, the noise and so FEV and FEVE are NaN.
    """
    k = moments.counts[:, None]
    r, p = centred(moments.response_mean, k), centred(moments.prediction_mean, k)
    trials = drawn @ k
    images = drawn.sum(axis=1, keepdims=True)

    difference = moments.response_mean - moments.prediction_mean
    squared_error = moments.response_squares - 2 * moments.products + moments.prediction_squares + k * difference**2
    with np.errstate(divide="ignore", invalid="ignore"):  # k = 1: NaN
        variance_over_repeats = moments.response_squares / (k - 1)

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
    )
    over_trials = Spread.of(trials, *sums[:5])
    over_images = Spread.of(images, *sums[6:11])
    mean_squared_error, noise = sums[5] / trials, sums[11] / images
    with np.errstate(divide="ignore", invalid="ignore"):  # a constant neuron: 0/0
        total = over_trials.x_squares / (trials - 1)
        explainable = total - noise
        fev = explainable / total
        feve = 1 - (mean_squared_error - noise) / explainable
    return Scores(over_trials.correlation(), over_images.correlation(), fev, feve)


def _drawn_sums(drawn: Floats, *of_images: Floats) -> list[Floats]:
    """Sums over the drawn images of several quantities: one matrix product, as many small ones would wait for threads."""
    return np.split(drawn @ np.concatenate(of_images, axis=1), len(of_images), axis=1)


def scores_of_trials(responses: NDArray[Any], predictions: NDArray[Any], repeats: Repeats) -> Scores:
    """The three metrics of the trials as they are, each of shape (N,); blocks of neurons bound the memory."""
    trials, neurons = responses.shape
    result = Scores(*(np.empty(neurons) for _ in range(4)))
    as_they_are = np.ones((1, len(repeats.images)))
    with np.errstate(invalid="ignore"):  # a value that is not finite makes its neuron NaN
        for columns in neuron_blocks(neurons, trials):
            block = scores(Moments.of(responses[:, columns], predictions[:, columns], repeats), as_they_are)
            result.single_trial_correlation[columns] = block.single_trial_correlation[0]
            result.correlation_to_average[columns] = block.correlation_to_average[0]
            result.fraction_explainable_variance[columns] = block.fraction_explainable_variance[0]
            result.feve[columns] = block.feve[0]
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
