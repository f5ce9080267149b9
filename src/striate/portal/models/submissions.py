"""Submissions, their lives, and the chain of receipts."""

import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from striate.portal.models.people import Team
from striate.portal.models.unchanging import Unchanging


class State(models.TextChoices):
    """Where a submission is in its life."""

    RECEIVED = "received", _("received")
    CHECKED = "checked", _("checked")
    QUEUED = "queued", _("queued")
    SCORING = "scoring", _("being scored")
    SCORED = "scored", _("scored")
    REFUSED = "refused", _("refused")
    FAILED = "failed", _("failed by the platform")


class Submission(models.Model):
    """One file of one team, or of a baseline.

    Attributes
    ----------
    team
        Whose it is; None for a baseline.
    baseline
        Name of the organiser's row that it is; empty for a team's.
    by
        Who sent it; None once that account is deleted.
    track, protocol
        The board, once the file was read.
    filename
        What the sender called it, for people.
    sha256, size
        Of the file as it was sent.
    kept
        SHA-256 of the native file that is kept and receipted: the same, unless CSVs of 2022 were sent.
    state, reason
        Where it is, and why it was refused or failed.
    deadline
        When its state must have ended; None for a state that is final.
    note
        The team's own words.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    team = models.ForeignKey(
        Team, null=True, blank=True, on_delete=models.PROTECT, related_name="submissions", verbose_name=_("team")
    )
    baseline = models.CharField(_("baseline"), max_length=100, blank=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="submissions", verbose_name=_("by")
    )
    track = models.CharField(_("track"), max_length=60, blank=True)
    protocol = models.CharField(_("protocol"), max_length=60, blank=True)
    filename = models.CharField(_("file name"), max_length=200)
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    kept = models.CharField(_("kept as"), max_length=64, blank=True)
    size = models.BigIntegerField(_("size in bytes"))
    received_at = models.DateTimeField(_("received at"), default=timezone.now)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.RECEIVED)
    reason = models.TextField(_("reason"), blank=True)
    deadline = models.DateTimeField(_("deadline"), null=True)
    note = models.CharField(_("note"), max_length=300, blank=True)

    class Meta:
        constraints = (
            # The same file twice from one team is the same submission; one that was refused may be sent again.
            models.UniqueConstraint(
                fields=("team", "sha256"),
                condition=models.Q(team__isnull=False) & ~models.Q(state="refused"),
                name="one_submission_a_file",
            ),
            models.UniqueConstraint(
                fields=("baseline", "sha256"),
                condition=models.Q(team__isnull=True) & ~models.Q(state="refused"),
                name="one_baseline_a_file",
            ),
            models.CheckConstraint(
                condition=models.Q(team=None) ^ models.Q(baseline=""), name="of_a_team_or_a_baseline"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=("scored", "refused", "failed")) ^ models.Q(deadline__isnull=False),
                name="no_state_without_a_deadline",
            ),
        )
        ordering = ("-received_at",)
        indexes = (models.Index(fields=("state", "deadline"), name="submissions_by_deadline"),)
        verbose_name = _("submission")
        verbose_name_plural = _("submissions")

    def __str__(self) -> str:
        return f"{self.row}: {self.filename}"

    @property
    def row(self) -> str:
        """What its row on a board is called."""
        return self.baseline or (self.team.name if self.team else "")

    @property
    def over(self) -> bool:
        """Whether nothing more will happen to it by itself."""
        return self.state in (State.SCORED, State.REFUSED, State.FAILED)


class Transition(Unchanging):
    """One step in the life of a submission."""

    submission = models.ForeignKey(
        Submission, on_delete=models.PROTECT, related_name="transitions", verbose_name=_("submission")
    )
    at = models.DateTimeField(_("at"), default=timezone.now)
    before = models.CharField(_("before"), max_length=10, blank=True)
    after = models.CharField(_("after"), max_length=10, choices=State)
    reason = models.TextField(_("reason"), blank=True)

    class Meta:
        ordering = ("pk",)
        verbose_name = _("step of a submission")
        verbose_name_plural = _("steps of submissions")

    def __str__(self) -> str:
        return f"{self.before or 'nothing'} → {self.after}"


class Chain(models.Model):
    """The chain of receipts as one row, which whoever adds to it locks first.

    Attributes
    ----------
    anchor
        SHA-256 of the commitment, where the chain begins.
    """

    anchor = models.CharField(max_length=64, unique=True)


class Link(Unchanging):
    """One link of the chain: a receipt, or a notice of the organisers.

    Attributes
    ----------
    number
        From 1.
    submission
        What it is a receipt of, or a choice of; None for a notice.
    team
        The team that a notice is about; None for all else.
    body
        The link as it is published, a line of JSON.
    digest
        Of the link.
    """

    number = models.PositiveIntegerField(_("number of the receipt"), primary_key=True)
    submission = models.ForeignKey(
        Submission, null=True, on_delete=models.PROTECT, related_name="links", verbose_name=_("submission")
    )
    team = models.ForeignKey(Team, null=True, on_delete=models.PROTECT, related_name="notices", verbose_name=_("team"))
    kind = models.CharField(_("kind"), max_length=20)
    at = models.DateTimeField(_("at"))
    body = models.TextField(_("body"))
    digest = models.CharField(_("hash"), max_length=64, unique=True)

    class Meta:
        ordering = ("number",)
        indexes = (models.Index(fields=("kind", "number"), name="links_by_kind"),)
        verbose_name = _("receipt")
        verbose_name_plural = _("receipts")

    def __str__(self) -> str:
        return gettext("receipt %(number)d") % {"number": self.number}


def _a_day_from_now() -> datetime:
    return timezone.now() + timedelta(days=1)


class Upload(models.Model):
    """A file on its way, part after part; a broken upload goes on where it was.

    Attributes
    ----------
    purpose
        What the file is for; who takes it looks whether it is for that.
    size, sha256
        What the sender says that the whole file has.
    received
        Bytes that have arrived, from the first on without a gap.
    found
        What a check of the whole file found; empty if it was not checked yet.
    expires_at
        When what arrived is thrown away.
    submission
        What it became: whoever asks again, because the answer was lost, finds it.
    """

    SUBMISSION, DATA = "submission", "data"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="uploads")
    purpose = models.CharField(max_length=20, default=SUBMISSION)
    submission = models.ForeignKey(Submission, null=True, on_delete=models.CASCADE, related_name="uploads")
    filename = models.CharField(max_length=200)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    received = models.BigIntegerField(default=0)
    found = models.JSONField(default=dict, editable=False)
    expires_at = models.DateTimeField(default=_a_day_from_now)

    def __str__(self) -> str:
        return self.filename


class Part(models.Model):
    """Some bytes of an upload.

    Attributes
    ----------
    offset
        Where in the whole file they begin.
    name
        What they are called in the storage ``uploads``.
    """

    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="parts")
    offset = models.BigIntegerField()
    name = models.CharField(max_length=100)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("upload", "offset"), name="each_part_once"),)

    def __str__(self) -> str:
        return self.name
