"""What teams tell about their submissions: method cards, of which every version is kept."""

from django.db import models
from django.utils import timezone

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

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="cards")
    version = models.PositiveIntegerField()
    at = models.DateTimeField(default=timezone.now)
    content = models.JSONField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("submission", "version"), name="one_card_a_version"),)
        ordering = ("-version",)

    def __str__(self) -> str:
        return f"card {self.version} of {self.submission_id}"
