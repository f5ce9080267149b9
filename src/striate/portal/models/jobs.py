"""Jobs: rows of the same database, written in the transaction that makes the work necessary."""

from django.db import models
from django.utils import timezone

from striate.portal.models.submissions import Submission


class Job(models.Model):
    """Something that a worker must do.

    A job is leased for a time, and done when its row is marked in the transaction that records its outcome. A worker that is
    killed lets its lease run out, and another takes the job; one that comes back late finds that the lease is not its own
    any more, and its outcome is dropped.

    Attributes
    ----------
    kind
        ``check`` a file, ``score`` a submission, ``rescore`` one that has a score of another scorer, ``rank`` a board, or
        ``look`` at a recording: prepare what pages draw of it.
    submission
        What is to be checked or scored.
    track, protocol
        The board to rank.
    scorer
        Versions of the scorer that a submission is to be scored with again.
    about
        The recording to prepare, by the key of what is prepared.
    due_at
        Not to be begun before.
    lease, leased_until
        Random name of whoever does it now, and how long it is theirs.
    attempts
        How often it was begun.
    done_at
        When it was done, or given up.
    """

    class Kind(models.TextChoices):
        """What is to be done."""

        CHECK = "check"
        SCORE = "score"
        RESCORE = "rescore"
        RANK = "rank"
        LOOK = "look"

    kind = models.CharField(max_length=8, choices=Kind)
    submission = models.ForeignKey(Submission, null=True, on_delete=models.CASCADE, related_name="jobs")
    track = models.CharField(max_length=60, blank=True)
    protocol = models.CharField(max_length=60, blank=True)
    scorer = models.CharField(max_length=80, blank=True)
    about = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(default=timezone.now)
    lease = models.CharField(max_length=32, blank=True)
    leased_until = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    done_at = models.DateTimeField(null=True)

    class Meta:
        indexes = (models.Index(fields=("due_at",), condition=models.Q(done_at=None), name="jobs_to_do"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.submission_id or self.about or f'{self.track}, {self.protocol}'}"
