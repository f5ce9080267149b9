"""The metrics of striate, as they are registered: functions of responses, predictions and repeats.

A metric is a function ``(responses, predictions, repeats)``. It gets the standardised responses of one tier and their
predictions, float64 arrays of shape (T, N) that it must not change, and the `striate.metrics.Repeats` of the T trials. It
returns one value for each neuron, float64 of shape (N,), and NaN for neurons that do not count. The first sentence of its
docstring describes it, and `striate.metrics.describe_metric` says how to show it. `striate.metrics.evaluate` computes the metrics of this module together, in one pass.
"""

from striate.metrics import correlations
from striate.metrics.feve import feve
from striate.metrics.metric_info import MetricInfo, describe_metric, metric_info
from striate.metrics.normalised_correlation import cc_norm
from striate.metrics.repeated_images import Repeats
from striate.metrics.validation import Floats
from striate.registry import metrics


def registered_info(name: str) -> MetricInfo:
    """Return the description of a registered metric.

    Raises
    ------
    InputError
        If there is no such metric.

    Examples
    --------
    >>> registered_info("feve").label
    'FEVE'
    """
    return metric_info(metrics[name].value, name)


def metric_label(name: str) -> str:
    """Return the name of a metric in tables; of one that is not installed, such as that of a portal, the name itself.

    Examples
    --------
    >>> metric_label("feve"), metric_label("metric_of_others")
    ('FEVE', 'metric_of_others')
    """
    return registered_info(name).label if name in metrics else name


@metrics.register("single_trial_correlation")
@describe_metric("single-trial correlation")
def single_trial_correlation(responses: Floats, predictions: Floats, repeats: Repeats) -> Floats:
    """Correlation of responses and predictions over all trials."""
    return correlations.single_trial_correlation(responses, predictions)


@metrics.register("correlation_to_average")
@describe_metric("correlation to average")
def correlation_to_average(responses: Floats, predictions: Floats, repeats: Repeats) -> Floats:
    """Correlation of mean responses and mean predictions over images."""
    return correlations.correlation_to_average(responses, predictions, repeats)


@metrics.register("feve")
@describe_metric("FEVE", ratio=True)
def fraction_explained(responses: Floats, predictions: Floats, repeats: Repeats) -> Floats:
    """Fraction of explainable variance explained, of neurons whose responses depend on the image."""
    return feve(responses, predictions, repeats).values


@metrics.register("cc_norm")
@describe_metric("normalised correlation", ratio=True)
def normalised(responses: Floats, predictions: Floats, repeats: Repeats) -> Floats:
    """Correlation to average divided by the ceiling of a model that sees only the image (CC_norm)."""
    return cc_norm(responses, predictions, repeats).values
