"""What metrics are called on pages, in the reader's language."""

from django.utils.translation import gettext_lazy as _

METRIC_NAMES = {
    "single_trial_correlation": _("single-trial correlation"),
    "correlation_to_average": _("correlation to average"),
    "feve": _("FEVE"),
    "cc_norm": _("normalised correlation"),
}
