"""Correlation to average, normalised by its ceiling."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from striate.metrics.ceilings import Ceiling
from striate.metrics.feve import FEV_THRESHOLD, reaches_threshold
from striate.metrics.repeated_images import Repeats
from striate.metrics.sufficient_statistics import Scores, trial_scores
from striate.metrics.validation import Floats, validate_same_shape


@dataclass(frozen=True)
class NormalisedCorrelation:
    """Correlation to average, divided by the ceiling of a model that sees only the image.

    Attributes
    ----------
    values : (N,)
        CC_norm of each neuron, not clipped; NaN for excluded neurons.
    mean
        Mean over the included neurons, or None if there are none.
    reason
        Why `mean` is None; None if it is defined.

    Examples
    --------
    >>> import numpy as np
    >>> from striate.metrics import cc_norm
    >>> responses = np.array([[1.0], [2.0], [5.0], [6.0]])
    >>> cc_norm(responses, responses, image_ids=[0, 1, 2, 3]).reason
    'no image was shown more than once'
    """

    values: Floats
    mean: float | None
    reason: str | None

    @classmethod
    def from_scores(cls, scores: Scores, repeats: Repeats, threshold: float = FEV_THRESHOLD) -> "NormalisedCorrelation":
        """Compute CC_norm from scores of all trials, with a reason if no neuron is included."""
        values = normalised_correlations(scores, threshold)
        included = ~np.isnan(values)
        reason = Ceiling.for_averages(scores, repeats).reason
        if reason is None and not included.any():
            reason = f"in no neuron do images explain {100 * threshold:g} % of the variance of single trials"
        return cls(values, None if reason else float(values[included].mean()), reason)


def normalised_correlations(scores: Scores, threshold: float) -> Floats:
    """Return CC_norm of each resample and neuron; NaN for excluded neurons."""
    with np.errstate(divide="ignore", invalid="ignore"):
        included = reaches_threshold(scores.signal_fraction, threshold) & (scores.cc_max > 0)
        return np.where(included, scores.correlation_to_average / scores.cc_max, np.nan)


def cc_norm(
    responses: ArrayLike, predictions: ArrayLike, image_ids: ArrayLike | Repeats, threshold: float = FEV_THRESHOLD
) -> NormalisedCorrelation:
    """Compute the correlation to average divided by its ceiling, CC_norm = CC_abs / CC_max [1]_, of each neuron.

    A perfect model of the image is expected to reach 1. A model that also sees behaviour can exceed 1. For neurons with a
    weak signal, CC_max is close to 0 and the ratio is mostly noise. Neurons are therefore included as for FEVE: those for
    which the images explain at least 15 % of the variance of single trials.

    Parameters
    ----------
    responses, predictions : (T, N)
        Standardised responses and their predictions.
    image_ids : (T,)
        Id of the image shown in each trial, or the `Repeats` made of these ids. The number of repeats may differ between
        images.
    threshold
        Smallest fraction of explainable variance of an included neuron. Neurons with a CC_max of 0 are excluded, too.

    Returns
    -------
    NormalisedCorrelation
        Value of each neuron and the mean over the included neurons.

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
    >>> from striate.metrics import cc_norm
    >>> responses = np.array([[1.0], [2.0], [5.0], [6.0], [3.0], [4.0]])  # three images, two repeats
    >>> predictions = np.array([[1.0], [1.0], [6.0], [6.0], [3.0], [3.0]])
    >>> round(cc_norm(responses, predictions, [0, 0, 1, 1, 2, 2]).mean, 3)
    1.026
    """
    r, p = validate_same_shape(responses, predictions)
    repeats = Repeats.from_image_ids(image_ids, len(r))
    return NormalisedCorrelation.from_scores(trial_scores(r, p, repeats), repeats, threshold)
