"""How a metric is shown and read: its label, its direction, and whether it needs many images."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

_ATTRIBUTE = "__striate_metric__"


@dataclass(frozen=True)
class MetricInfo:
    """What tables, reports and test suites need to know about a metric.

    Attributes
    ----------
    label
        Name in tables.
    higher_is_better
        Whether better predictions have higher values.
    ratio
        Whether the metric is a ratio that is 0 for a model that ignores the image and 1 for a perfect one, and whose
        denominator can come close to 0. If there are too few images for a meaningful interval, it is not reported.
    """

    label: str
    higher_is_better: bool = True
    ratio: bool = False


def describe_metric(label: str, *, higher_is_better: bool = True, ratio: bool = False) -> Callable[[F], F]:
    """Return a decorator that describes a registered metric. It stands below the one that registers it.

    A metric without it is shown by its name, and is better if it is higher.

    Parameters
    ----------
    label, higher_is_better, ratio
        As in `MetricInfo`.

    Examples
    --------
    >>> import numpy as np
    >>> from striate.metrics import describe_metric
    >>> @describe_metric("mean squared error", higher_is_better=False)
    ... def squared_error(responses, predictions, repeats):
    ...     return np.square(responses - predictions).mean(axis=0)
    >>> metric_info(squared_error, "squared_error").higher_is_better
    False
    """

    def decorate(function: F) -> F:
        setattr(function, _ATTRIBUTE, MetricInfo(label, higher_is_better, ratio))
        return function

    return decorate


def metric_info(function: Callable[..., Any], name: str) -> MetricInfo:
    """Return the description of a metric; by default its label is its name, with spaces.

    Examples
    --------
    >>> metric_info(lambda responses, predictions, repeats: None, "rank_correlation").label
    'rank correlation'
    """
    info = getattr(function, _ATTRIBUTE, None)
    return info if isinstance(info, MetricInfo) else MetricInfo(name.replace("_", " "))
