"""Ceilings of a model that sees the image alone, and how well the responses predict themselves."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate.errors import InputError, validate_seed
from striate.metrics.repeated_images import Group, Repeats
from striate.metrics.sufficient_statistics import Moments, Scores, Spread, centred, pearson, scores_of_trials
from striate.metrics.validation import Floats, neuron_blocks, trials_by_neurons

SPLITS = 20


@dataclass(frozen=True)
class Reliability:
    """How well the responses of N neurons predict themselves.

    Attributes
    ----------
    values : (N,)
        One value for each neuron; NaN where it is not defined.
    mean
        Mean over neurons, or None where it is not defined.
    reason
        Why it is not defined; None where it is.
    """

    values: Floats
    mean: float | None
    reason: str | None

    @classmethod
    def undefined(cls, neurons: int, reason: str) -> Self:
        """Return the values for trials from which it cannot be computed."""
        return cls(np.full(neurons, np.nan), None, reason)


@dataclass(frozen=True)
class Ceiling(Reliability):
    """The highest correlation that a model of N neurons can expect if it sees the image alone.

    A model that also sees what differs between the repeats of an image, such as behaviour, can exceed it.
    """

    @classmethod
    def single_trial(cls, scores: Scores, repeats: Repeats) -> "Ceiling":
        """Ceiling of the single-trial correlation, from scores that are computed already."""
        return cls._of(scores.single_trial_ceiling, repeats, images=1)

    @classmethod
    def of_averages(cls, scores: Scores, repeats: Repeats) -> "Ceiling":
        """Ceiling of the correlation to average, from scores that are computed already."""
        return cls._of(scores.cc_max, repeats, images=2)

    @classmethod
    def _of(cls, values: Floats, repeats: Repeats, images: int) -> "Ceiling":
        reason = why_noise_is_unknown(repeats)
        if reason is None and len(repeats.images) < images:
            reason = "there is only one image"
        return cls.undefined(len(values), reason) if reason else cls(values, float(values.mean()), None)


def why_noise_is_unknown(repeats: Repeats) -> str | None:
    """Why the variance over repeats cannot be estimated from any image; None where it can."""
    return None if (repeats.counts > 1).any() else "no image was shown more than once"


def single_trial_ceiling(responses: ArrayLike, image_ids: ArrayLike | Repeats) -> Ceiling:
    """Highest single-trial correlation that a model of the image alone can expect, √FEV, for each neuron.

    The best such model predicts the expected response to each image. Its squared correlation with single trials is the
    share of their variance that the images explain (see `fraction_explainable_variance`). The noise variance is the mean
    over the images that were shown at least twice; the total variance is that of all trials.

    Parameters
    ----------
    responses : (T, N)
        Responses; the ceiling does not depend on their scale.
    image_ids : (T,)
        Image shown in each trial, or the trials grouped already. Images may be repeated unequally often.

    Returns
    -------
    Ceiling
        0 for a neuron whose signal variance is estimated as 0 or less, and for a constant neuron. Not defined where no
        image was shown twice.

    Raises
    ------
    InputError
        If the shapes do not agree.

    Examples
    --------
    >>> import numpy as np
    >>> from striate.metrics import single_trial_ceiling
    >>> responses = np.array([[1.0], [2.0], [5.0], [6.0]])  # two images, two repeats
    >>> single_trial_ceiling(responses, [0, 0, 1, 1]).values.round(3)
    array([0.955])
    """
    r = trials_by_neurons(responses, "responses")
    repeats = Repeats.of(image_ids, len(r))
    return Ceiling.single_trial(scores_of_trials(r, r, repeats), repeats)


def cc_max(responses: ArrayLike, image_ids: ArrayLike | Repeats) -> Ceiling:
    """Highest correlation to average that a model of the image alone can expect, CC_max [1]_, for each neuron.

    CC_max = √(SP / V), where V is the variance over images (ddof 1) of the mean response, and SP, the signal power, is V
    minus the mean over images of the variance over repeats (ddof 1) divided by the number of repeats. With equally many
    repeats this is the SP of [1]_, averaged over all ways to number the repeats of each image. An image that was shown
    once has the mean variance of the others.

    Parameters
    ----------
    responses : (T, N)
        Responses; the ceiling does not depend on their scale.
    image_ids : (T,)
        Image shown in each trial, or the trials grouped already. Images may be repeated unequally often.

    Returns
    -------
    Ceiling
        0 for a neuron whose signal power is estimated as 0 or less, and for a constant neuron. Not defined where no
        image was shown twice, or there is only one image.

    Raises
    ------
    InputError
        If the shapes do not agree.

    References
    ----------
    .. [1] Schoppe, Harper, Willmore, King & Schnupp (2016), Measuring the performance of neural models, Frontiers in
       Computational Neuroscience 10:10.
    """
    r = trials_by_neurons(responses, "responses")
    repeats = Repeats.of(image_ids, len(r))
    return Ceiling.of_averages(scores_of_trials(r, r, repeats), repeats)


def jackknife_oracle(responses: ArrayLike, image_ids: ArrayLike | Repeats) -> Reliability:
    """Correlation of each trial with the mean of the other repeats of its image, over all trials, for each neuron.

    This *oracle predictor* is a strong predictor, and not a ceiling: the mean of the other repeats is noisy itself, so a
    good model of the image exceeds it. The ceiling is `single_trial_ceiling`. Images that were shown once are left out.

    Parameters
    ----------
    responses : (T, N)
        Standardised responses.
    image_ids : (T,)
        Image shown in each trial, or the trials grouped already.

    Raises
    ------
    InputError
        If the shapes do not agree.
    """
    r = trials_by_neurons(responses, "responses")
    repeats = Repeats.of(image_ids, len(r))
    repeated = repeats.counts > 1
    if not repeated.any():
        return Reliability.undefined(r.shape[1], "no image was shown more than once")
    k = repeats.counts[repeated].astype(np.float64)[:, None]
    values = np.empty(r.shape[1])
    with np.errstate(invalid="ignore"):
        for columns in neuron_blocks(r.shape[1], len(r)):
            moments = Moments.of(r[:, columns], r[:, columns], repeats)
            mean, squares = centred(moments.response_mean[repeated], k), moments.response_squares[repeated]
            # A trial that lies d from its image's mean leaves the others a mean that lies d / (k − 1) on the other side.
            between = k * mean**2
            trial = (between + squares).sum(axis=0)
            others = (between + squares / (k - 1) ** 2).sum(axis=0)
            products = (between - squares / (k - 1)).sum(axis=0)
            total = (k * mean).sum(axis=0)
            values[columns] = Spread.of(k.sum(), total, total, trial, others, products).correlation()
    return Reliability(values, float(values.mean()), None)


def split_half(
    responses: ArrayLike, image_ids: ArrayLike | Repeats, splits: int = SPLITS, seed: int = 0
) -> Reliability:
    """Reliability of the average response to an image: split-half correlation, corrected by Spearman and Brown.

    The repeats of each image are split at random into two halves; ρ is the correlation over images of the averages of
    the halves, averaged over splits; the reliability of the average over all repeats is 2ρ / (1 + ρ) [1]_, not below −1.
    Its square root is another estimate of `cc_max`. Images that were shown once are left out.

    Parameters
    ----------
    responses : (T, N)
        Standardised responses.
    image_ids : (T,)
        Image shown in each trial, or the trials grouped already.
    splits
        Number of random splits.
    seed
        Of the random splits, which are the same for every neuron.

    Raises
    ------
    InputError
        If the shapes do not agree, or there is not at least one split.

    References
    ----------
    .. [1] Spearman (1910), Correlation calculated from faulty data, British Journal of Psychology 3(3);
       Brown (1910), Some experimental results in the correlation of mental abilities, ibid.
    """
    r = trials_by_neurons(responses, "responses")
    repeats = Repeats.of(image_ids, len(r))
    if splits < 1:
        raise InputError(
            f"Split-half reliability was asked for with {splits} splits; it needs at least one, usually {SPLITS}."
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


def _random_halves(group: Group, splits: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which repeats form the first half, shape (images, splits, repeats)."""
    halves = np.zeros((len(group.images), splits, group.repeats), dtype=bool)
    halves[..., : group.repeats // 2] = True
    return rng.permuted(halves, axis=2)


def _half_averages(responses: NDArray[np.generic], group: Group, first: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Averages of both halves, each of shape (images, splits, n)."""
    values = responses[group.rows].astype(np.float64)
    values -= values[0, 0].copy()  # exact zeros for a constant neuron
    k = group.repeats
    half = first @ values
    rest = values.sum(axis=1)[:, None] - half
    return half / (k // 2), rest / (k - k // 2)
