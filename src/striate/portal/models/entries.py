"""What teams tell about their submissions: method cards, of which every version is kept."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from striate.portal.models.submissions import Submission
from striate.portal.models.unchanging import Unchanging


class Card(Unchanging):
    """A version of the method card of a submission; the last one counts.

    Attributes
    ----------
    version
        From 1.
    content
        As `striate.portal.entries.card.MethodCard` has checked it.
    """

    submission = models.ForeignKey(
        Submission, on_delete=models.PROTECT, related_name="cards", verbose_name=_("submission")
    )
    version = models.PositiveIntegerField(_("version"))
    at = models.DateTimeField(_("at"), default=timezone.now)
    content = models.JSONField(_("content"))

    class Meta:
        constraints = (models.UniqueConstraint(fields=("submission", "version"), name="one_card_a_version"),)
        ordering = ("-version",)
        verbose_name = _("method card")
        verbose_name_plural = _("method cards")

    def __str__(self) -> str:
        return gettext("card %(version)d of %(submission)s") % {
            "version": self.version,
            "submission": self.submission_id,
        }
