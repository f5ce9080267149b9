"""Fraction of explainable variance (FEV), and fraction of explainable variance explained (FEVE)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate.errors import listed
from striate.metrics.repeated_images import Repeats
from striate.metrics.sufficient_statistics import trial_scores
from striate.metrics.validation import Floats, validate_same_shape, validate_trials_by_neurons

FEV_THRESHOLD = 0.15  # smallest FEV of an included neuron, by the benchmark's convention


@dataclass(frozen=True)
class FEVE:
    """Fraction of explainable variance explained, of each neuron and on average.

    Attributes
    ----------
    values : (N,)
        FEVE of each neuron, not clipped; NaN for excluded neurons.
    fev : (N,)
        Fraction of explainable variance of each neuron; NaN if it is not defined, for example for a constant neuron.
    neuron_mask : (N,) bool
        Whether each neuron is included: its FEV reaches the threshold.
    mean
        Mean over the included neurons, or None if FEVE is not defined.
    reason
        Why `mean` is None; None if it is defined.

    Examples
    --------
    >>> import numpy as np
    >>> from striate.metrics import feve
    >>> responses = np.array([[1.0, 1.0], [2.0, 2.0], [5.0, 1.0], [6.0, 2.0]])  # the second neuron ignores the image
    >>> feve(responses, responses, image_ids=[0, 0, 1, 1]).neuron_mask.tolist()
    [True, False]
    """

    values: Floats
    fev: Floats
    neuron_mask: NDArray[np.bool_]
    mean: float | None
    reason: str | None

    @classmethod
    def from_scores(cls, values: Floats, fev: Floats, repeats: Repeats, threshold: float = FEV_THRESHOLD) -> "FEVE":
        """Exclude the neurons below the threshold, with a reason if no neuron remains."""
        neuron_mask = reaches_threshold(fev, threshold)
        reason = unrepeated_images_reason(repeats)
        if reason is None and not neuron_mask.any():
            reason = f"no neuron has a fraction of explainable variance of {threshold} or more"
        mean = None if reason else float(values[neuron_mask].mean())
        return cls(np.where(neuron_mask, values, np.nan), fev, neuron_mask, mean, reason)


def reaches_threshold(fev: Floats, threshold: float) -> NDArray[np.bool_]:
    """Return whether each FEV reaches the threshold; False for NaN."""
    with np.errstate(invalid="ignore"):
        mask: NDArray[np.bool_] = fev >= threshold
    return mask


def unrepeated_images_reason(repeats: Repeats) -> str | None:
    """Explain why the noise variance is not defined (some image has no repeats); None if it is defined."""
    once = repeats.unrepeated_images
    if not once.size:
        return None
    images = "image" if once.size == 1 else "images"
    return f"{once.size} {images} ({listed(once.tolist())}) shown only once, and the noise needs at least two repeats of each"


def fraction_explainable_variance(responses: ArrayLike, image_ids: ArrayLike | Repeats) -> Floats:
    """Compute the fraction of each neuron's variance that the image explains: FEV = (total − noise) / total.

    The noise variance is the mean over images of the variance over repeats (ddof 1). The total variance is the variance over
    all trials (ddof 1) [1]_.

    Parameters
    ----------
    responses : (T, N)
        Responses in any unit; FEV does not depend on their scale.
    image_ids : (T,)
        Id of the image shown in each trial, or the `Repeats` made of these ids.

    Returns
    -------
    (N,) float64
        At most 1. It can be negative for a neuron without a signal, because the noise variance is an estimate. NaN for a
        constant neuron, and for all neurons if any image was shown only once.

    Raises
    ------
    InputError
        If the shapes of the arrays do not match.

    References
    ----------
    .. [1] Cadena et al. (2019), Deep convolutional models improve predictions of macaque V1 responses to natural images,
       PLOS Computational Biology 15(4).

    Examples
    --------
    >>> import numpy as np
    >>> from striate.metrics import fraction_explainable_variance
    >>> responses = np.array([[1.0], [2.0], [5.0], [6.0]])  # two images, two repeats
    >>> fraction_explainable_variance(responses, [0, 0, 1, 1]).round(3)
    array([0.912])
    """
    r = validate_trials_by_neurons(responses, "responses")
    return feve(r, r, image_ids).fev


def feve(
    responses: ArrayLike, predictions: ArrayLike, image_ids: ArrayLike | Repeats, threshold: float = FEV_THRESHOLD
) -> FEVE:
    """Compute the fraction of explainable variance explained (FEVE) of each neuron.

    FEVE = 1 − (mean((r − p)²) − noise) / (total − noise), with the noise variance and the total variance of
    `fraction_explainable_variance`. It is 1 for a model that predicts the expected response to each image, 0 for one that
    predicts the mean response, and negative for worse predictions. Unlike a correlation, it depends on scale and offset of
    the predictions.

    Parameters
    ----------
    responses, predictions : (T, N)
        Standardised responses and their predictions.
    image_ids : (T,)
        Id of the image shown in each trial, or the `Repeats` made of these ids. The number of repeats may differ between
        images.
    threshold
        Neurons with a smaller `fraction_explainable_variance` are excluded.

    Returns
    -------
    FEVE
        Its `mean` is None, with a reason, if an image was shown only once or every neuron is excluded.

    Raises
    ------
    InputError
        If the shapes of the arrays do not match.

    Examples
    --------
    >>> import numpy as np
    >>> from striate.metrics import feve
    >>> responses = np.array([[1.0], [2.0], [5.0], [6.0]])  # two images, two repeats
    >>> round(feve(responses, np.array([[1.5], [1.5], [4.5], [4.5]]), [0, 0, 1, 1]).mean, 3)
    0.952
    """
    r, p = validate_same_shape(responses, predictions)
    repeats = Repeats.from_image_ids(image_ids, len(r))
    scores = trial_scores(r, p, repeats)
    return FEVE.from_scores(scores.feve, scores.fraction_explainable_variance, repeats, threshold)
