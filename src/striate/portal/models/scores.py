"""Scores, which are never edited, and the boards that were made of them."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from striate.portal.models.submissions import Submission
from striate.portal.models.unchanging import Unchanging


class Score(Unchanging):
    """What a submission scored on the live tier, by one version of the scorer.

    Attributes
    ----------
    scorer
        Versions of striate and of its metrics.
    value
        The mean by which its board is ranked, at full precision; None where it is not defined.
    metrics
        By metric: ``mean``, ``low``, ``high``, ``reason``.
    draws
        The ranking mean in each resample of the images (float64, the first that of the images as they are). All submissions
        of a track have the same resamples, so that the difference of two rows of these is their paired bootstrap.
    """

    submission = models.ForeignKey(
        Submission, on_delete=models.PROTECT, related_name="scores", verbose_name=_("submission")
    )
    scorer = models.CharField(_("scorer"), max_length=80)
    at = models.DateTimeField(_("at"), default=timezone.now)
    value = models.FloatField(_("value"), null=True)
    metrics = models.JSONField(_("metrics"))
    draws = models.BinaryField(_("resamples"))

    class Meta:
        constraints = (models.UniqueConstraint(fields=("submission", "scorer"), name="scored_once_by_a_scorer"),)
        verbose_name = _("score")
        verbose_name_plural = _("scores")

    def __str__(self) -> str:
        return f"{self.submission_id}: {self.value}"


class Standing(models.Model):
    """A board as it was last ranked; it follows from the scores, and can be made again at any time.

    Attributes
    ----------
    rows
        From the best to the worst.
    ceilings
        Ceilings and reliabilities of its track on the live test.
    scorer
        Versions of the scorer that all its rows have.
    waiting
        How many scored submissions have no score of that scorer yet.
    made_at
        When.
    job
        Number of the job that made it: each has seen what those before it saw.
    """

    track = models.CharField(max_length=60)
    protocol = models.CharField(max_length=60)
    job = models.PositiveBigIntegerField(default=0)
    rows = models.JSONField(default=list)
    ceilings = models.JSONField(default=dict)
    scorer = models.CharField(max_length=80, blank=True)
    waiting = models.PositiveIntegerField(default=0)
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("track", "protocol"), name="one_standing_a_board"),)

    def __str__(self) -> str:
        return f"{self.track}, {self.protocol}"


class Publication(Unchanging):
    """That the results of the competition were published; the last one counts.

    Attributes
    ----------
    digest
        SHA-256 of ``results.json``: the folder of the bundle in the storage ``results``.
    """

    digest = models.CharField(max_length=64)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"results {self.digest[:12]}"
