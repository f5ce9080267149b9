"""What metrics are called on pages: those of striate in the reader's language, others by the label that their plugin gives."""

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from striate.metrics.registered import metric_label, registered_info
from striate.portal.competition import competition
from striate.registry import metrics

_TRANSLATED = {
    "single_trial_correlation": _("single-trial correlation"),
    "correlation_to_average": _("correlation to average"),
    "feve": _("FEVE"),
    "cc_norm": _("normalised correlation"),
}


def metric_name(name: str) -> str:
    """Return the name of a metric for people, with a note if its lower values are better."""
    if name in _TRANSLATED:
        return str(_TRANSLATED[name])
    label = metric_label(name)
    if name in metrics and not registered_info(name).higher_is_better:
        return gettext("%(metric)s (lower is better)") % {"metric": label}
    return label


def shown_metrics() -> tuple[str, ...]:
    """Return the metrics that pages show, in the order of the benchmark."""
    return competition().benchmark.metrics.shown
