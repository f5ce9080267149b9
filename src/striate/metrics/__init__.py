"""Metrics: how well predictions match responses, exactly as SENSORIUM 2022 defines it. NumPy only.

Three metrics (single-trial correlation, correlation to average, fraction of explainable variance explained), the ceilings
of the correlations for a model of the image alone, the correlation normalised by its ceiling, two measures of how well
responses predict themselves (jackknife oracle, split-half) and a bootstrap over images. Responses and predictions are standardised arrays,
trials × neurons, of one tier; `Repeats` says which trials showed the same image.
"""

from striate.metrics.bootstrap import Bootstrap, Interval, Resampled, bootstrap, paired_bootstrap
from striate.metrics.ceilings import Ceiling, Reliability, cc_max, jackknife_oracle, single_trial_ceiling, split_half
from striate.metrics.correlations import correlation_to_average, single_trial_correlation
from striate.metrics.evaluate import MetricSet, evaluate
from striate.metrics.feve import FEVE, feve, fraction_explainable_variance
from striate.metrics.normalised_correlation import NormalisedCorrelation, cc_norm
from striate.metrics.repeated_images import Repeats

# Rises whenever a score of the same predictions could change.
METRICS_VERSION = "3"

__all__ = [
    "FEVE",
    "METRICS_VERSION",
    "Bootstrap",
    "Ceiling",
    "Interval",
    "MetricSet",
    "NormalisedCorrelation",
    "Reliability",
    "Repeats",
    "Resampled",
    "bootstrap",
    "cc_max",
    "cc_norm",
    "correlation_to_average",
    "evaluate",
    "feve",
    "fraction_explainable_variance",
    "jackknife_oracle",
    "paired_bootstrap",
    "single_trial_ceiling",
    "single_trial_correlation",
    "split_half",
]
