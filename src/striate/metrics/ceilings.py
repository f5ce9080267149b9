"""Noise ceilings: how well the responses predict themselves."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate.errors import InputError, checked_seed
from striate.metrics.arrays import Floats, neuron_blocks, trials_by_neurons
from striate.metrics.moments import Moments, Spread, centred, pearson
from striate.metrics.repeats import Group, Repeats

SPLITS = 20


@dataclass(frozen=True)
class Ceiling:
    """A noise ceiling of N neurons.

    Attributes
    ----------
    values : (N,)
        The ceiling of each neuron; NaN where it is not defined.
    mean
        Mean over neurons, or None where it is not defined.
    reason
        Why it is not defined; None where it is.
    """

    values: Floats
    mean: float | None
    reason: str | None

    @classmethod
    def undefined(cls, neurons: int, reason: str) -> "Ceiling":
        """A ceiling that cannot be told from the trials that there are."""
        return cls(np.full(neurons, np.nan), None, reason)


def jackknife_oracle(responses: ArrayLike, image_ids: ArrayLike | Repeats) -> Ceiling:
    """Correlation of each trial with the mean of the other repeats of its image, over all trials, for each neuron.

    The ceiling of the single-trial correlation of a model that knows the image alone (a little low, as the mean of the
    other repeats is noisy itself). Images that were shown once are left out.

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
        return Ceiling.undefined(r.shape[1], "no image was shown more than once")
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
    return Ceiling(values, float(values.mean()), None)


def split_half(responses: ArrayLike, image_ids: ArrayLike | Repeats, splits: int = SPLITS, seed: int = 0) -> Ceiling:
    """Reliability of the average response to an image: split-half correlation, corrected by Spearman and Brown.

    The repeats of each image are split at random into two halves; ρ is the correlation over images of the averages of
    the halves, averaged over splits; the reliability of the average over all repeats is 2ρ / (1 + ρ) [1]_, not below −1.
    Images that were shown once are left out.

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
        return Ceiling.undefined(r.shape[1], "fewer than two images were shown more than once")
    rng = np.random.default_rng(checked_seed(seed))
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
    return Ceiling(values, float(values.mean()), None)


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
