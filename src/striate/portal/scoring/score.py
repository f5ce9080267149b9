"""Do the job of scoring a submission: once, whatever falls meanwhile."""

from django.db import transaction

from striate.competition import LiveTruth
from striate.competition.commitment import scorer
from striate.errors import InputError
from striate.portal.competition import competition, place
from striate.portal.models import Score, Submission
from striate.portal.models.submissions import State
from striate.portal.receiving import store
from striate.portal.receiving.checking import keys_of_competition
from striate.portal.receiving.decoding import PlatformError, decoded
from striate.portal.receiving.states import locked, move
from striate.portal.scoring.later import rank_later
from striate.portal.scoring.leases import Lease, LostLeaseError
from striate.portal.scoring.measure import Measured, measure
from striate.portal.scoring.versions import queue, versions


def score(lease: Lease, live: LiveTruth) -> None:
    """Score the submission of a job.

    Raises
    ------
    PlatformError
        If the portal failed; the job is tried again.
    LostLeaseError
        If another worker has the job now.
    """
    submission = lease.job.submission
    assert submission is not None
    with transaction.atomic():
        current = locked(submission)
        if current.state == State.QUEUED:
            move(current, State.SCORING)
    if current.state != State.SCORING:
        lease.finish()
        return
    found = measured(current, live)
    with lease.outcome():
        current = locked(submission)
        if current.state != State.SCORING:
            raise LostLeaseError
        written(current, found)
        move(current, State.SCORED)
        rank_later(current.track, current.protocol)
    queue(
        current.track, current.protocol, versions(current.track, current.protocol)[0]
    )  # a board does not mix versions


def measured(submission: Submission, live: LiveTruth) -> Measured:
    """Read the kept file of a submission, and hold it against the live truth.

    Raises
    ------
    PlatformError
        If it cannot be read.
    """
    rules, keys = keys_of_competition()
    try:
        with store.kept(submission.kept) as file, decoded(file, place().keys, rules, keys) as read:
            return measure(read.predictions, keys[read.track], live, read.track)
    except InputError as error:  # it was accepted once, so that this is not the sender's fault
        raise PlatformError(f"An accepted submission could not be scored: {error}") from error


def written(submission: Submission, found: Measured) -> Score:
    """Write what was measured, by this version of the scorer."""
    draws = found.draws.astype("<f8").tobytes()
    return Score.objects.create(
        submission=submission,
        scorer=scorer(competition().benchmark),
        value=found.value,
        metrics=found.metrics,
        draws=draws,
    )
