"""Score again with another version of the scorer: every submission gets one more score, and none is edited."""

from datetime import timedelta

from django.utils import timezone

from striate.competition import LiveTruth
from striate.competition.commitment import scorer
from striate.portal.competition import competition
from striate.portal.models import Standing
from striate.portal.models.submissions import State
from striate.portal.scoring.later import rank_later
from striate.portal.scoring.leases import Lease
from striate.portal.scoring.score import measured, written
from striate.portal.scoring.versions import without

_BEFORE_OTHERS = 30.0  # seconds until a job looks again for a worker of its version
_LONGEST = timedelta(days=2)  # and then it comes no more: striate was put back to what it was


def rescore(lease: Lease, live: LiveTruth) -> None:
    """Do the job of scoring a submission once more.

    Raises
    ------
    PlatformError
        If the portal failed; the job is tried again.
    """
    submission = lease.job.submission
    assert submission is not None
    if lease.job.scorer != scorer(
        competition().benchmark
    ):  # a worker of another version has been started, or has not ended yet
        if timezone.now() - lease.job.created_at > _LONGEST:
            lease.finish()
        else:
            lease.postpone(_BEFORE_OTHERS)
        return
    if submission.state != State.SCORED or submission.scores.filter(scorer=scorer(competition().benchmark)).exists():
        lease.finish()
        return
    found = measured(submission, live)
    with lease.outcome():
        written(submission, found)
        # Two that end at once see each other: one of them is the last, and has the board ranked.
        list(Standing.objects.select_for_update().filter(track=submission.track, protocol=submission.protocol))
        if not without(submission.track, submission.protocol, scorer(competition().benchmark)).exists():
            rank_later(submission.track, submission.protocol)
