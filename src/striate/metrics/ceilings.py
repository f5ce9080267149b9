"""Ceilings of the correlations for a model that sees only the image, and reliability of the responses."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate.errors import InputError, validate_seed
from striate.metrics.repeated_images import RepeatGroup, Repeats
from striate.metrics.sufficient_statistics import CentredSums, Moments, Scores, centre_means, pearson, trial_scores
from striate.metrics.validation import Floats, neuron_blocks, validate_trials_by_neurons

DEFAULT_SPLITS = 20


@dataclass(frozen=True)
class Reliability:
    """Reliability of the responses of N neurons: how well some repeats of an image predict the others.

    Attributes
    ----------
    values : (N,)
        Reliability of each neuron; NaN if it is not defined.
    mean
        Mean over neurons, or None if it is not defined.
    reason
        Why `mean` is None; None if it is defined.

    Examples
    --------
    >>> from striate.metrics import jackknife_oracle
    >>> jackknife_oracle([[1.0], [2.0], [5.0], [6.0]], image_ids=[0, 1, 2, 3]).reason
    'no image was shown more than once'
    """

    values: Floats
    mean: float | None
    reason: str | None

    @classmethod
    def undefined(cls, neurons: int, reason: str) -> Self:
        """Return a result without values, for trials from which it cannot be computed."""
        return cls(np.full(neurons, np.nan), None, reason)


@dataclass(frozen=True)
class Ceiling(Reliability):
    """The highest correlation expected of a model that sees only the image, for each of N neurons.

    A model that also sees what differs between the repeats of an image, such as behaviour, can exceed it. The attributes are
    those of `Reliability`.

    Examples
    --------
    >>> from striate.metrics import cc_max
    >>> ceiling = cc_max([[1.0, 1.0], [2.0, 2.0], [5.0, 1.0], [6.0, 2.0]], image_ids=[0, 0, 1, 1])
    >>> ceiling.values.round(3), round(ceiling.mean, 3)  # the second neuron ignores the image
    (array([0.984, 0.   ]), 0.492)
    """

    @classmethod
    def for_single_trials(cls, scores: Scores, repeats: Repeats) -> "Ceiling":
        """Return the ceiling of the single-trial correlation from scores of all trials."""
        return cls._from_values(scores.single_trial_ceiling, repeats, minimum_images=1)

    @classmethod
    def for_averages(cls, scores: Scores, repeats: Repeats) -> "Ceiling":
        """Return the ceiling of the correlation to average from scores of all trials."""
        return cls._from_values(scores.cc_max, repeats, minimum_images=2)

    @classmethod
    def _from_values(cls, values: Floats, repeats: Repeats, minimum_images: int) -> "Ceiling":
        reason = no_repeats_reason(repeats)
        if reason is None and len(repeats.images) < minimum_images:
            reason = "there is only one image"
        return cls.undefined(len(values), reason) if reason else cls(values, float(values.mean()), None)


def no_repeats_reason(repeats: Repeats) -> str | None:
    """Explain why the noise variance cannot be estimated (no image has repeats); None if it can."""
    return None if (repeats.counts > 1).any() else "no image was shown more than once"


def single_trial_ceiling(responses: ArrayLike, image_ids: ArrayLike | Repeats) -> Ceiling:
    """Compute the highest single-trial correlation expected of a model that sees only the image, √FEV, of each neuron.

    The best such model predicts the expected response to each image. Its squared correlation with single trials is the
    fraction of their variance that the images explain (see `fraction_explainable_variance`). The noise variance is the mean
    over the images that were shown at least twice. The total variance is the variance of all trials.

    Parameters
    ----------
    responses : (T, N)
        Responses in any unit; the ceiling does not depend on their scale.
    image_ids : (T,)
        Id of the image shown in each trial, or the `Repeats` made of these ids. The number of repeats may differ between
        images.

    Returns
    -------
    Ceiling
        0 for a neuron whose estimated signal variance is 0 or less, and for a constant neuron. Not defined if no image was
        shown more than once.

    Raises
    ------
    InputError
        If the shapes of the arrays do not match.

    Examples
    --------
    >>> import numpy as np
    >>> from striate.metrics import single_trial_ceiling
    >>> responses = np.array([[1.0], [2.0], [5.0], [6.0]])  # two images, two repeats
    >>> single_trial_ceiling(responses, [0, 0, 1, 1]).values.round(3)
    array([0.955])
    """
    r = validate_trials_by_neurons(responses, "responses")
    repeats = Repeats.from_image_ids(image_ids, len(r))
    return Ceiling.for_single_trials(trial_scores(r, r, repeats), repeats)


def cc_max(responses: ArrayLike, image_ids: ArrayLike | Repeats) -> Ceiling:
    """Compute the highest correlation to average expected of a model that sees only the image, CC_max [1]_, of each neuron.

    CC_max = √(SP / V). V is the variance over images (ddof 1) of the mean response. SP, the signal power, is V minus the mean
    over images of the variance over repeats (ddof 1) divided by the number of repeats. If all images have the same number of
    repeats, this equals the SP of [1]_ averaged over all orders of the repeats. For an image that was shown once, the
    variance over repeats is taken to be the mean variance of the other images.

    Parameters
    ----------
    responses : (T, N)
        Responses in any unit; the ceiling does not depend on their scale.
    image_ids : (T,)
        Id of the image shown in each trial, or the `Repeats` made of these ids. The number of repeats may differ between
        images.

    Returns
    -------
    Ceiling
        0 for a neuron whose estimated signal power is 0 or less, and for a constant neuron. Not defined if no image was
        shown more than once, or if there is only one image.

    Raises
    ------
    InputError
        If the shapes of the arrays do not match.

    References
    ----------
    .. [1] Schoppe, Harper, Willmore, King & Schnupp (2016), Measuring the performance of neural models, Frontiers in
       Computational Neuroscience 10:10.

    Examples
    --------
    >>> import numpy as np
    >>> from striate.metrics import cc_max
    >>> responses = np.array([[1.0], [2.0], [5.0], [6.0]])  # two images, two repeats
    >>> cc_max(responses, [0, 0, 1, 1]).values.round(3)
    array([0.984])
    """
    r = validate_trials_by_neurons(responses, "responses")
    repeats = Repeats.from_image_ids(image_ids, len(r))
    return Ceiling.for_averages(trial_scores(r, r, repeats), repeats)


def jackknife_oracle(responses: ArrayLike, image_ids: ArrayLike | Repeats) -> Reliability:
    """Correlate each trial with the mean of the other repeats of its image, over all trials, for each neuron.

    This *oracle predictor* is not a ceiling: the mean of the other repeats is noisy itself, so that a good model of the image
    can exceed it. The ceiling is `single_trial_ceiling`. Images that were shown only once are left out.

    Parameters
    ----------
    responses : (T, N)
        Standardised responses.
    image_ids : (T,)
        Id of the image shown in each trial, or the `Repeats` made of these ids.

    Returns
    -------
    Reliability
        Not defined if no image was shown more than once.

    Raises
    ------
    InputError
        If the shapes of the arrays do not match.

    Examples
    --------
    >>> import numpy as np
    >>> from striate.metrics import jackknife_oracle
    >>> responses = np.array([[1.0], [2.0], [5.0], [6.0]])  # two images, two repeats
    >>> jackknife_oracle(responses, [0, 0, 1, 1]).values.round(3)
    array([0.882])
    """
    r = validate_trials_by_neurons(responses, "responses")
    repeats = Repeats.from_image_ids(image_ids, len(r))
    repeated = repeats.counts > 1
    if not repeated.any():
        return Reliability.undefined(r.shape[1], "no image was shown more than once")
    k = repeats.counts[repeated].astype(np.float64)[:, None]
    values = np.empty(r.shape[1])
    with np.errstate(invalid="ignore"):
        for columns in neuron_blocks(r.shape[1], len(r)):
            moments = Moments.from_trials(r[:, columns], r[:, columns], repeats)
            mean, squares = centre_means(moments.response_mean[repeated], k), moments.response_squares[repeated]
            # If a trial deviates by d from the mean of its image, the mean of the other repeats deviates by −d / (k − 1).
            between = k * mean**2
            trial = (between + squares).sum(axis=0)
            others = (between + squares / (k - 1) ** 2).sum(axis=0)
            products = (between - squares / (k - 1)).sum(axis=0)
            total = (k * mean).sum(axis=0)
            values[columns] = CentredSums.from_raw_sums(k.sum(), total, total, trial, others, products).correlation()
    return Reliability(values, float(values.mean()), None)


def split_half(
    responses: ArrayLike, image_ids: ArrayLike | Repeats, splits: int = DEFAULT_SPLITS, seed: int = 0
) -> Reliability:
    """Compute the split-half reliability of the mean response to an image, with the Spearman-Brown correction.

    The repeats of each image are split at random into two halves. ρ is the correlation over images of the means of the two
    halves, averaged over splits. The reliability of the mean over all repeats is 2ρ / (1 + ρ) [1]_, with −1 as its lower
    bound. Its square root is another estimate of `cc_max`. Images that were shown only once are left out.

    Parameters
    ----------
    responses : (T, N)
        Standardised responses.
    image_ids : (T,)
        Id of the image shown in each trial, or the `Repeats` made of these ids.
    splits
        Number of random splits.
    seed
        Seed of the random splits, which are the same for every neuron.

    Returns
    -------
    Reliability
        Not defined if fewer than two images were shown more than once.

    Raises
    ------
    InputError
        If the shapes of the arrays do not match, or `splits` is less than 1.

    References
    ----------
    .. [1] Spearman (1910), Correlation calculated from faulty data, British Journal of Psychology 3(3);
       Brown (1910), Some experimental results in the correlation of mental abilities, ibid.

    Examples
    --------
    >>> import numpy as np
    >>> from striate.metrics import split_half
    >>> responses = np.array([[1.0], [2.0], [5.0], [6.0], [3.0], [4.0]])  # three images, two repeats
    >>> split_half(responses, [0, 0, 1, 1, 2, 2]).mean > 0.9
    True
    """
    r = validate_trials_by_neurons(responses, "responses")
    repeats = Repeats.from_image_ids(image_ids, len(r))
    if splits < 1:
        raise InputError(
            f"Split-half reliability was asked for with {splits} splits; it needs at least one, usually {DEFAULT_SPLITS}."
        )
    groups = [group for group in repeats.groups if group.repeats > 1]
    images = sum(len(group.images) for group in groups)
    if images < 2:
        return Reliability.undefined(r.shape[1], "fewer than two images were shown more than once")
    rng = np.random.default_rng(validate_seed(seed))
    halves = [_random_halves(group, splits, rng) for group in groups]
    values = np.empty(r.shape[1])
    with np.errstate(invalid="ignore"):
        for columns in neuron_blocks(r.shape[1], max(len(r), images * splits)):
            of_groups = [_half_averages(r[:, columns], *pair) for pair in zip(groups, halves, strict=True)]
            one, other = (np.concatenate(parts) for parts in zip(*of_groups, strict=True))  # (images, splits, n)
            one -= one.mean(axis=0)
            other -= other.mean(axis=0)
            squares = (one * one).sum(axis=0), (other * other).sum(axis=0), (one * other).sum(axis=0)
            correlation = pearson(*squares, images).mean(axis=0)
            corrected = 2 * correlation / np.maximum(1 + correlation, 1e-8)
            values[columns] = np.maximum(corrected, -1.0)
    return Reliability(values, float(values.mean()), None)


def _random_halves(group: RepeatGroup, splits: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return a mask of the repeats in the first half, of shape (images, splits, repeats)."""
    halves = np.zeros((len(group.images), splits, group.repeats), dtype=bool)
    halves[..., : group.repeats // 2] = True
    return rng.permuted(halves, axis=2)


def _half_averages(
    responses: NDArray[np.generic], group: RepeatGroup, first: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Return the mean responses of both halves, each of shape (images, splits, n)."""
    values = responses[group.rows].astype(np.float64)
    values -= values[0, 0].copy()  # exact zeros for a constant neuron
    k = group.repeats
    half = first @ values
    rest = values.sum(axis=1)[:, None] - half
    return half / (k // 2), rest / (k - k // 2)
