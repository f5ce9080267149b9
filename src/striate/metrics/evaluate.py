"""All metrics and ceilings of one tier, computed in one pass over the trials."""

from dataclasses import dataclass

from numpy.typing import ArrayLike

from striate.metrics.ceilings import Ceiling
from striate.metrics.feve import FEV_THRESHOLD, FEVE
from striate.metrics.normalised_correlation import NormalisedCorrelation
from striate.metrics.repeated_images import Repeats
from striate.metrics.sufficient_statistics import trial_scores
from striate.metrics.validation import Floats, validate_same_shape

METRICS = ("single_trial_correlation", "correlation_to_average", "feve")
NORMALISED_METRICS = ("cc_norm",)


@dataclass(frozen=True)
class MetricSet:
    """All metrics of N neurons, with their ceilings.

    Attributes
    ----------
    single_trial_correlation : (N,)
        Result of `striate.metrics.single_trial_correlation`.
    correlation_to_average : (N,)
        Result of `striate.metrics.correlation_to_average`.
    feve
        Result of `striate.metrics.feve`.
    cc_norm
        Result of `striate.metrics.cc_norm`: the correlation to average, normalised by `cc_max`.
    single_trial_ceiling
        Result of `striate.metrics.single_trial_ceiling`.
    cc_max
        Result of `striate.metrics.cc_max`.

    Examples
    --------
    >>> responses, predictions = [[1.0], [2.0], [5.0], [6.0]], [[1.0], [1.0], [2.0], [2.0]]
    >>> metrics = evaluate(responses, predictions, image_ids=[0, 0, 1, 1])
    >>> metrics.single_trial_correlation.round(3), metrics.single_trial_ceiling.values.round(3)
    (array([0.97]), array([0.955]))
    """

    single_trial_correlation: Floats
    correlation_to_average: Floats
    feve: FEVE
    cc_norm: NormalisedCorrelation
    single_trial_ceiling: Ceiling
    cc_max: Ceiling

    @property
    def means(self) -> dict[str, float | None]:
        """Mean over neurons of each metric, by name; None for FEVE if it is not defined."""
        return {
            "single_trial_correlation": float(self.single_trial_correlation.mean()),
            "correlation_to_average": float(self.correlation_to_average.mean()),
            "feve": self.feve.mean,
        }


def evaluate(
    responses: ArrayLike, predictions: ArrayLike, image_ids: ArrayLike | Repeats, threshold: float = FEV_THRESHOLD
) -> MetricSet:
    """Compute all metrics and ceilings of each neuron.

    Parameters
    ----------
    responses, predictions : (T, N)
        Standardised responses of one tier and their predictions. Everything is computed in float64, in blocks of neurons.
    image_ids : (T,)
        Id of the image shown in each trial, or the `Repeats` made of these ids.
    threshold
        Smallest fraction of explainable variance of the neurons that FEVE and CC_norm include.

    Returns
    -------
    MetricSet
        Metrics and ceilings of each neuron.

    Raises
    ------
    InputError
        If the shapes of the arrays do not match.

    Examples
    --------
    >>> import numpy as np
    >>> from striate.metrics import evaluate
    >>> rng = np.random.default_rng(0)
    >>> signal = np.repeat(rng.normal(size=(20, 5)), 10, axis=0)  # 20 images, 10 repeats, 5 neurons
    >>> responses = signal + rng.normal(size=signal.shape)
    >>> means = evaluate(responses, signal, np.repeat(np.arange(20), 10)).means
    >>> {name: round(mean, 2) for name, mean in means.items()}
    {'single_trial_correlation': 0.66, 'correlation_to_average': 0.95, 'feve': 1.03}
    """
    r, p = validate_same_shape(responses, predictions)
    repeats = Repeats.from_image_ids(image_ids, len(r))
    scores = trial_scores(r, p, repeats)
    return MetricSet(
        scores.single_trial_correlation,
        scores.correlation_to_average,
        FEVE.from_scores(scores.feve, scores.fraction_explainable_variance, repeats, threshold),
        NormalisedCorrelation.from_scores(scores, repeats, threshold),
        Ceiling.for_single_trials(scores, repeats),
        Ceiling.for_averages(scores, repeats),
    )
