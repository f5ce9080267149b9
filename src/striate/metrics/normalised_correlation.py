"""Correlation to average, normalised by its ceiling."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from striate.metrics.ceilings import Ceiling
from striate.metrics.feve import THRESHOLD, passes
from striate.metrics.repeated_images import Repeats
from striate.metrics.sufficient_statistics import Scores, scores_of_trials
from striate.metrics.validation import Floats, same_shape


@dataclass(frozen=True)
class NormalisedCorrelation:
    """Correlation to average, divided by the ceiling of a model that sees the image alone.

    Attributes
    ----------
    values : (N,)
        CC_norm of each neuron, not clipped; NaN where the neuron does not count.
    mean
        Mean over the neurons that count, or None where there are none.
    reason
        Why it is not defined; None where it is.
    """

    values: Floats
    mean: float | None
    reason: str | None

    @classmethod
    def of(cls, scores: Scores, repeats: Repeats, threshold: float = THRESHOLD) -> "NormalisedCorrelation":
        """Divide by the ceiling, and say why if no neuron counts."""
        values = normalised(scores, threshold)
        counting = ~np.isnan(values)
        reason = Ceiling.of_averages(scores, repeats).reason
        if reason is None and not counting.any():
            reason = f"in no neuron do images explain {100 * threshold:g} % of the variance of single trials"
        return cls(values, None if reason else float(values[counting].mean()), reason)


def normalised(scores: Scores, threshold: float) -> Floats:
    """CC_norm of each resample and neuron; NaN where the neuron does not count."""
    with np.errstate(divide="ignore", invalid="ignore"):
        counting = passes(scores.signal_share, threshold) & (scores.cc_max > 0)
        return np.where(counting, scores.correlation_to_average / scores.cc_max, np.nan)


def cc_norm(
    responses: ArrayLike, predictions: ArrayLike, image_ids: ArrayLike | Repeats, threshold: float = THRESHOLD
) -> NormalisedCorrelation:
    """Correlation to average divided by its ceiling, CC_norm = CC_abs / CC_max [1]_, for each neuron.

    1 is what a perfect model of the image expects; a model that sees behaviour can exceed it. Where the signal is weak,
    CC_max is close to 0 and the ratio says nothing, so only the neurons count that count for FEVE: those in which the
    images explain at least 15 % of the variance of single trials.

    Parameters
    ----------
    responses, predictions : (T, N)
        Standardised responses and their predictions.
    image_ids : (T,)
        Image shown in each trial, or the trials grouped already. Images may be repeated unequally often.
    threshold
        Neurons with a smaller share of explainable variance, or with a CC_max of 0, do not count.

    Raises
    ------
    InputError
        If the shapes do not agree.

    References
    ----------
    .. [1] Schoppe, Harper, Willmore, King & Schnupp (2016), Measuring the performance of neural models, Frontiers in
       Computational Neuroscience 10:10.
    """
    r, p = same_shape(responses, predictions)
    repeats = Repeats.of(image_ids, len(r))
    return NormalisedCorrelation.of(scores_of_trials(r, p, repeats), repeats, threshold)
