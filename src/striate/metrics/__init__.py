"""Metrics: how well predictions match measured responses, as SENSORIUM 2022 defines it. Arrays are those of NumPy.

- Metrics: single-trial correlation, correlation to average, and the fraction of explainable variance explained (FEVE).
- Ceilings of both correlations for a model that sees only the image, and the correlation normalised by its ceiling (CC_norm).
- Reliability of the responses: jackknife oracle and split-half reliability.
- Metrics of your own: functions in `striate.registry.metrics`, described by `describe_metric`; `estimate_metrics` computes any of them.
- Bootstrap over images: confidence intervals of the metrics, and of the difference between two models.

Responses and predictions are standardised arrays of shape (trials, neurons) from one tier. `Repeats` groups the trials that
showed the same image.

Examples
--------
>>> import numpy as np
>>> from striate import metrics
>>> responses = np.array([[1.0], [2.0], [5.0], [6.0]])  # 4 trials, 1 neuron
>>> predictions = np.array([[1.5], [1.5], [4.5], [4.5]])
>>> round(metrics.evaluate(responses, predictions, image_ids=[0, 0, 1, 1]).means["correlation_to_average"], 3)
1.0
"""

from striate.metrics.bootstrap import Bootstrap, BootstrapEstimate, Interval, bootstrap, paired_bootstrap
from striate.metrics.ceilings import Ceiling, Reliability, cc_max, jackknife_oracle, single_trial_ceiling, split_half
from striate.metrics.compute import bootstrap_metric, compute_metric
from striate.metrics.correlations import correlation_to_average, single_trial_correlation
from striate.metrics.estimates import MetricEstimate, estimate_difference, estimate_metrics
from striate.metrics.evaluate import MetricSet, evaluate
from striate.metrics.feve import FEVE, feve, fraction_explainable_variance
from striate.metrics.metric_info import MetricInfo, describe_metric, metric_info
from striate.metrics.normalised_correlation import NormalisedCorrelation, cc_norm
from striate.metrics.repeated_images import Repeats

# Must be increased with every change that can alter the scores of unchanged predictions.
METRICS_VERSION = "3"

__all__ = [
    "FEVE",
    "METRICS_VERSION",
    "Bootstrap",
    "BootstrapEstimate",
    "Ceiling",
    "Interval",
    "MetricEstimate",
    "MetricInfo",
    "MetricSet",
    "NormalisedCorrelation",
    "Reliability",
    "Repeats",
    "bootstrap",
    "bootstrap_metric",
    "cc_max",
    "cc_norm",
    "compute_metric",
    "correlation_to_average",
    "describe_metric",
    "estimate_difference",
    "estimate_metrics",
    "evaluate",
    "feve",
    "fraction_explainable_variance",
    "jackknife_oracle",
    "metric_info",
    "paired_bootstrap",
    "single_trial_ceiling",
    "single_trial_correlation",
    "split_half",
]
