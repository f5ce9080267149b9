"""All metrics and ceilings of one tier at once: the trials are grouped and read a single time."""

from dataclasses import dataclass

from numpy.typing import ArrayLike

from striate.metrics.ceilings import Ceiling
from striate.metrics.feve import FEVE, THRESHOLD
from striate.metrics.normalised_correlation import NormalisedCorrelation
from striate.metrics.repeated_images import Repeats
from striate.metrics.sufficient_statistics import scores_of_trials
from striate.metrics.validation import Floats, same_shape

METRICS = ("single_trial_correlation", "correlation_to_average", "feve")
NORMALISED = ("cc_norm",)


@dataclass(frozen=True)
class MetricSet:
    """The metrics of N neurons, and their ceilings.

    Attributes
    ----------
    single_trial_correlation, correlation_to_average : (N,)
        As `striate.metrics.single_trial_correlation` and `striate.metrics.correlation_to_average`.
    feve
        As `striate.metrics.feve`.
    cc_norm
        As `striate.metrics.cc_norm`: the correlation to average, normalised by `cc_max`.
    single_trial_ceiling, cc_max
        As `striate.metrics.single_trial_ceiling` and `striate.metrics.cc_max`: what bounds a model of the image alone.
    """

    single_trial_correlation: Floats
    correlation_to_average: Floats
    feve: FEVE
    cc_norm: NormalisedCorrelation
    single_trial_ceiling: Ceiling
    cc_max: Ceiling

    @property
    def means(self) -> dict[str, float | None]:
        """Mean over neurons of each metric; None where FEVE is not defined."""
        return {
            "single_trial_correlation": float(self.single_trial_correlation.mean()),
            "correlation_to_average": float(self.correlation_to_average.mean()),
            "feve": self.feve.mean,
        }


def evaluate(
    responses: ArrayLike, predictions: ArrayLike, image_ids: ArrayLike | Repeats, threshold: float = THRESHOLD
) -> MetricSet:
    """Single-trial correlation, correlation to average (also normalised) and FEVE of every neuron, with the ceilings.

    Parameters
    ----------
    responses, predictions : (T, N)
        Standardised responses of one tier and their predictions. Computed in float64, in blocks of neurons.
    image_ids : (T,)
        Image shown in each trial, or the trials grouped already.
    threshold
        Least fraction of explainable variance of the neurons that count for FEVE.

    Raises
    ------
    InputError
        If the shapes do not agree.
    """
    r, p = same_shape(responses, predictions)
    repeats = Repeats.of(image_ids, len(r))
    scores = scores_of_trials(r, p, repeats)
    return MetricSet(
        scores.single_trial_correlation,
        scores.correlation_to_average,
        FEVE.of(scores.feve, scores.fraction_explainable_variance, repeats, threshold),
        NormalisedCorrelation.of(scores, repeats, threshold),
        Ceiling.single_trial(scores, repeats),
        Ceiling.of_averages(scores, repeats),
    )
