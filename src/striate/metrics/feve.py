"""Fraction of explainable variance (FEV) and the fraction of it that is explained (FEVE)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate.errors import listed
from striate.metrics.repeated_images import Repeats
from striate.metrics.sufficient_statistics import scores_of_trials
from striate.metrics.validation import Floats, same_shape, trials_by_neurons

THRESHOLD = 0.15  # of FEV, by the benchmark's convention


@dataclass(frozen=True)
class FEVE:
    """Fraction of explainable variance explained.

    Attributes
    ----------
    values : (N,)
        FEVE of each neuron, not clipped; NaN where the neuron is not kept.
    fev : (N,)
        Fraction of explainable variance of each neuron; NaN where it is 0/0 or not defined.
    kept : (N,) bool
        Neurons whose FEV reaches the threshold.
    mean
        Mean over the kept neurons, or None where FEVE is not defined.
    reason
        Why it is not defined; None where it is.
    """

    values: Floats
    fev: Floats
    kept: NDArray[np.bool_]
    mean: float | None
    reason: str | None

    @classmethod
    def of(cls, values: Floats, fev: Floats, repeats: Repeats, threshold: float = THRESHOLD) -> "FEVE":
        """Keep the neurons that pass, and say why if there are none."""
        kept = passes(fev, threshold)
        reason = why_undefined(repeats)
        if reason is None and not kept.any():
            reason = f"no neuron has a fraction of explainable variance of {threshold} or more"
        mean = None if reason else float(values[kept].mean())
        return cls(np.where(kept, values, np.nan), fev, kept, mean, reason)


def passes(fev: Floats, threshold: float) -> NDArray[np.bool_]:
    """Which neurons are kept; those without an FEV are not."""
    with np.errstate(invalid="ignore"):
        kept: NDArray[np.bool_] = fev >= threshold
    return kept


def why_undefined(repeats: Repeats) -> str | None:
    """Why the noise variance cannot be told from these trials; None where it can."""
    once = repeats.shown_once
    if not once.size:
        return None
    images = "image" if once.size == 1 else "images"
    return f"{once.size} {images} ({listed(once.tolist())}) shown only once, and the noise needs at least two repeats of each"


def fraction_explainable_variance(responses: ArrayLike, image_ids: ArrayLike | Repeats) -> Floats:
    """Fraction of the variance of each neuron that the image explains: FEV = (total − noise) / total.

    The noise is the mean over images of the variance over repeats (ddof 1), the total the variance over all trials
    (ddof 1) [1]_.

    Parameters
    ----------
    responses : (T, N)
        Responses; FEV does not depend on their scale.
    image_ids : (T,)
        Image shown in each trial, or the trials grouped already.

    Returns
    -------
    (N,) float64
        At most 1, and below 0 where noise prevails. NaN for a constant neuron, and for all where an image was shown
        only once.

    Raises
    ------
    InputError
        If the shapes do not agree.

    References
    ----------
    .. [1] Cadena et al. (2019), Deep convolutional models improve predictions of macaque V1 responses to natural images,
       PLOS Computational Biology 15(4).
    """
    r = trials_by_neurons(responses, "responses")
    return feve(r, r, image_ids).fev


def feve(
    responses: ArrayLike, predictions: ArrayLike, image_ids: ArrayLike | Repeats, threshold: float = THRESHOLD
) -> FEVE:
    """Fraction of explainable variance explained: FEVE = 1 − (mean((r − p)²) − noise) / (total − noise).

    Parameters
    ----------
    responses, predictions : (T, N)
        Standardised responses and their predictions.
    image_ids : (T,)
        Image shown in each trial, or the trials grouped already. Images may be repeated unequally often.
    threshold
        Neurons with a smaller `fraction_explainable_variance` are left out.

    Returns
    -------
    FEVE
        With mean None and a reason where an image was shown only once or no neuron passes.

    Raises
    ------
    InputError
        If the shapes do not agree.
    """
    r, p = same_shape(responses, predictions)
    repeats = Repeats.of(image_ids, len(r))
    scores = scores_of_trials(r, p, repeats)
    return FEVE.of(scores.feve, scores.fraction_explainable_variance, repeats, threshold)
