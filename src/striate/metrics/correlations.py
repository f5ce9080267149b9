"""Single-trial correlation and correlation to average."""

import numpy as np
from numpy.typing import ArrayLike

from striate.metrics.repeated_images import Repeats
from striate.metrics.sufficient_statistics import pearson, scores_of_trials
from striate.metrics.validation import Floats, neuron_blocks, same_shape


def single_trial_correlation(responses: ArrayLike, predictions: ArrayLike) -> Floats:
    """Correlation of responses and predictions over all trials, for each neuron.

    Pearson's correlation with population standard deviations, 1e-8 added to each [1]_. A constant prediction (or
    response) has correlation 0.

    Parameters
    ----------
    responses, predictions : (T, N)
        Standardised responses and their predictions. Computed in float64, in blocks of neurons.

    Returns
    -------
    (N,) float64
        NaN where a value is not finite.

    Raises
    ------
    InputError
        If the shapes differ or are not trials × neurons.

    References
    ----------
    .. [1] Willeke et al. (2022), The Sensorium competition on predicting large-scale mouse primary visual cortex
       activity, arXiv:2206.08666.
    """
    r, p = same_shape(responses, predictions)
    result = np.empty(r.shape[1])
    with np.errstate(invalid="ignore"):
        for columns in neuron_blocks(r.shape[1], len(r)):
            x, y = _deviations(r[:, columns]), _deviations(p[:, columns])
            squares = np.einsum("tn,tn->n", x, x), np.einsum("tn,tn->n", y, y), np.einsum("tn,tn->n", x, y)
            result[columns] = pearson(*squares, len(r))
    return result


def correlation_to_average(responses: ArrayLike, predictions: ArrayLike, image_ids: ArrayLike | Repeats) -> Floats:
    """Correlation over images of the mean response and the mean prediction over the repeats of each, for each neuron.

    Parameters
    ----------
    responses, predictions : (T, N)
        Standardised responses and their predictions. The predictions of an image may differ between its repeats
        (by behaviour); they are averaged likewise.
    image_ids : (T,)
        Image shown in each trial, or the trials grouped already.

    Returns
    -------
    (N,) float64
        Pearson's correlation as in `single_trial_correlation`, each image counting once however often it was shown.

    Raises
    ------
    InputError
        If the shapes do not agree.
    """
    r, p = same_shape(responses, predictions)
    return scores_of_trials(r, p, Repeats.of(image_ids, len(r))).correlation_to_average


def _deviations(values: ArrayLike) -> Floats:
    """Deviations from the mean over trials; exact zeros for a constant."""
    wide = np.asarray(values, dtype=np.float64)
    deviations: Floats = wide - wide[0]
    deviations -= deviations.mean(axis=0)
    return deviations
