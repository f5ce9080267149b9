"""What metrics are called on pages: those of striate in the reader's language, others by the label that their plugin gives."""

from django.utils.translation import gettext_lazy as _

from striate.metrics.registered import registered_info
from striate.portal.competition import competition

_TRANSLATED = {
    "single_trial_correlation": _("single-trial correlation"),
    "correlation_to_average": _("correlation to average"),
    "feve": _("FEVE"),
    "cc_norm": _("normalised correlation"),
}


def metric_name(name: str) -> str:
    """Return the name of a metric for people."""
    return str(_TRANSLATED[name]) if name in _TRANSLATED else registered_info(name).label


def shown_metrics() -> tuple[str, ...]:
    """Return the metrics that pages show, in the order of the benchmark."""
    return competition().rules.benchmark.metrics.shown
