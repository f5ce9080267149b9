"""Single-trial correlation and correlation to average."""

import numpy as np
from numpy.typing import ArrayLike

from striate.metrics.repeated_images import Repeats
from striate.metrics.sufficient_statistics import pearson, trial_scores
from striate.metrics.validation import Floats, neuron_blocks, validate_same_shape


def single_trial_correlation(responses: ArrayLike, predictions: ArrayLike) -> Floats:
    """Compute the correlation of responses and predictions over all trials, of each neuron.

    This is Pearson's correlation with population standard deviations (ddof 0), to each of which 1e-8 is added [1]_. It is 0
    if the prediction or the response is constant.

    Parameters
    ----------
    responses, predictions : (T, N)
        Standardised responses and their predictions. The correlation is computed in float64, in blocks of neurons.

    Returns
    -------
    (N,) float64
        Correlation of each neuron; NaN if any of its values is not finite.

    Raises
    ------
    InputError
        If the shapes differ or are not (trials, neurons).

    References
    ----------
    .. [1] Willeke et al. (2022), The Sensorium competition on predicting large-scale mouse primary visual cortex
       activity, arXiv:2206.08666.

    Examples
    --------
    >>> import numpy as np
    >>> from striate.metrics import single_trial_correlation
    >>> responses = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 4.0]])  # 3 trials, 2 neurons
    >>> predictions = np.array([[0.0, 5.0], [2.0, 5.0], [4.0, 5.0]])
    >>> single_trial_correlation(responses, predictions).round(3)
    array([1., 0.])
    """
    r, p = validate_same_shape(responses, predictions)
    result = np.empty(r.shape[1])
    with np.errstate(invalid="ignore"):
        for columns in neuron_blocks(r.shape[1], len(r)):
            x, y = _deviations(r[:, columns]), _deviations(p[:, columns])
            squares = np.einsum("tn,tn->n", x, x), np.einsum("tn,tn->n", y, y), np.einsum("tn,tn->n", x, y)
            result[columns] = pearson(*squares, len(r))
    return result


def correlation_to_average(responses: ArrayLike, predictions: ArrayLike, image_ids: ArrayLike | Repeats) -> Floats:
    """Compute the correlation of mean responses and mean predictions over images, of each neuron.

    Responses and predictions are averaged over the repeats of each image before they are correlated over images.

    Parameters
    ----------
    responses, predictions : (T, N)
        Standardised responses and their predictions. Predictions may differ between the repeats of an image, for example
        if the model sees behaviour.
    image_ids : (T,)
        Id of the image shown in each trial, or the `Repeats` made of these ids.

    Returns
    -------
    (N,) float64
        Pearson's correlation as in `single_trial_correlation`. Every image has the same weight, whatever its number of
        repeats.

    Raises
    ------
    InputError
        If the shapes of the arrays do not match.

    Examples
    --------
    >>> import numpy as np
    >>> from striate.metrics import correlation_to_average
    >>> responses = np.array([[0.0], [2.0], [5.0], [6.0], [2.0]])
    >>> predictions = np.array([[1.0], [1.0], [2.0], [2.0], [3.0]])
    >>> correlation_to_average(responses, predictions, image_ids=[7, 7, 8, 8, 9]).round(3)
    array([0.212])
    """
    r, p = validate_same_shape(responses, predictions)
    return trial_scores(r, p, Repeats.from_image_ids(image_ids, len(r))).correlation_to_average


def _deviations(values: ArrayLike) -> Floats:
    """Return deviations from the mean over trials, exactly 0 for a constant neuron."""
    wide = np.asarray(values, dtype=np.float64)
    deviations: Floats = wide - wide[0]
    deviations -= deviations.mean(axis=0)
    return deviations
