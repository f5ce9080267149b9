"""Spearman's rank correlation of single trials."""

import numpy as np

from striate.metrics import describe_metric, single_trial_correlation
from striate.registry import metrics


@metrics.register("spearman")
@describe_metric("rank correlation")
def spearman(responses, predictions, repeats):
    """Spearman's rank correlation of responses and predictions over all trials.

    It does not depend on how predictions are scaled, only on their order, and a few large responses do not dominate it.
    """
    return single_trial_correlation(ranks(responses), ranks(predictions))


def ranks(values):
    """Return the rank of each trial for each neuron, (T, N); equal values have their mean rank."""
    result = np.empty(values.shape)
    for column, of_neuron in zip(result.T, values.T, strict=True):
        _, position, counts = np.unique(of_neuron, return_inverse=True, return_counts=True)
        column[:] = (np.cumsum(counts) - (counts - 1) / 2)[position]
    return result
