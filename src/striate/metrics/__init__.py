"""Metrics: how well predictions match responses, exactly as SENSORIUM 2022 defines it. NumPy only.

Three metrics (single-trial correlation, correlation to average, fraction of explainable variance explained), two noise
ceilings (jackknife oracle, split-half) and a bootstrap over images. Responses and predictions are standardised arrays,
trials × neurons, of one tier; `Repeats` says which trials showed the same image.
"""

from striate.metrics.bootstrap import Bootstrap, Interval, Resampled, bootstrap, paired_bootstrap
from striate.metrics.ceilings import Ceiling, jackknife_oracle, split_half
from striate.metrics.correlations import correlation_to_average, single_trial_correlation
from striate.metrics.evaluate import MetricSet, evaluate
from striate.metrics.feve import FEVE, feve, fraction_explainable_variance
from striate.metrics.repeats import Repeats

# Rises whenever a score of the same predictions could change.
METRICS_VERSION = "1"

__all__ = [
    "FEVE",
    "METRICS_VERSION",
    "Bootstrap",
    "Ceiling",
    "Interval",
    "MetricSet",
    "Repeats",
    "Resampled",
    "bootstrap",
    "correlation_to_average",
    "evaluate",
    "feve",
    "fraction_explainable_variance",
    "jackknife_oracle",
    "paired_bootstrap",
    "single_trial_correlation",
    "split_half",
]
