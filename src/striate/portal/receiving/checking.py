"""Check a file, and queue it: in one transaction it is counted, gets its receipt, and a job to score it."""

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from striate.competition.boards import Board
from striate.competition.manifest import sha256_of
from striate.competition.rules import Rules
from striate.competition.submit import require_allowed
from striate.errors import InputError
from striate.portal.competition import competition, place
from striate.portal.in_force import rules_in_force
from striate.portal.models import Chain, Job, Submission
from striate.portal.models.submissions import State
from striate.portal.receiving import chain, clock, store
from striate.portal.receiving.decoding import Decoded, decoded
from striate.portal.receiving.keys import read_keys
from striate.portal.receiving.on_the_way import phase_that_just_ended, waiting_of_other_phases
from striate.portal.receiving.states import locked, move
from striate.portal.scoring.leases import Lease
from striate.submissions.trial_table import TrialIds

_WAIT = 5.0  # seconds


def check(lease: Lease) -> None:
    """Do the job of checking a submission.

    Raises
    ------
    PlatformError
        If the portal failed; the job is tried again.
    """
    submission = lease.job.submission
    assert submission is not None
    if submission.state != State.RECEIVED:
        lease.finish()
        return
    if _must_wait(submission) or clock.problem():
        lease.postpone(_WAIT)
        return
    rules, keys = keys_of_competition()
    told = (
        {"protocol": submission.protocol, "session": rules.track(submission.track).session} if submission.track else {}
    )
    try:
        with store.incoming(submission.pk) as source, decoded(source, place().keys, rules, keys, told) as read:
            _accept(lease, submission, read)
    except InputError as error:
        with lease.outcome():
            current = locked(submission)
            if current.state == State.RECEIVED:
                move(current, State.REFUSED, str(error))
    store.forget(submission.pk)


def _accept(lease: Lease, submission: Submission, read: Decoded) -> None:
    submission.track, submission.protocol, submission.kept = read.track, read.protocol, sha256_of(read.native)
    # The file is kept before the lock is taken, under which everybody else's receipts would wait for the disk or the service. What
    # the rules do not allow as it is is not kept; of two files that come at once to the last place within a limit, both are.
    why = _refused(submission, Chain.objects.get(pk=1))
    if not why:
        store.keep(read.native, submission.kept, submission.pk)
    with lease.outcome():
        ends = chain.lock_chain()
        current = locked(submission)
        current.track, current.protocol, current.kept = submission.track, submission.protocol, submission.kept
        move(current, State.CHECKED)
        if why := why or _refused(current, ends):
            move(current, State.REFUSED, why)
            return
        chain.add(ends, current, at=current.received_at)
        move(current, State.QUEUED)
        Job.objects.create(kind=Job.Kind.SCORE, submission=current)


def _refused(submission: Submission, ends: Chain) -> str:
    """Why the rules do not allow a submission that was read; empty if they do."""
    board = Board(competition().rules.track(submission.track), submission.protocol)
    baseline, seen = bool(submission.baseline), chain.counted(ends, submission)
    try:
        require_allowed(rules_in_force(), seen, board, submission.row, submission.received_at, baseline=baseline)
    except InputError as error:
        return str(error)
    return ""


def retry(submission: Submission) -> None:
    """Queue once more what the platform failed at after its receipt: as if it was sent now, but with the receipt that it has.

    Raises
    ------
    InputError
        If it has not failed after its receipt, or the limits do not allow it any more.
    """
    with transaction.atomic():
        ends = chain.lock_chain()
        current = locked(submission)
        if current.state != State.FAILED or not current.kept:  # perhaps somebody else has queued it meanwhile
            raise InputError(_("Only what failed after its receipt can be queued again."))
        board = Board(competition().rules.track(current.track), current.protocol)
        seen = chain.counted(ends, current)
        require_allowed(rules_in_force(), seen, board, current.row, timezone.now(), baseline=bool(current.baseline))
        move(current, State.QUEUED)
        Job.objects.create(kind=Job.Kind.SCORE, submission=current)


def _must_wait(submission: Submission) -> bool:
    """A baseline after the end of a phase must not push the receipts of what was sent before the end behind it."""
    if not submission.baseline:
        return False
    rules, moment = rules_in_force(), submission.received_at
    return phase_that_just_ended(rules, moment) is not None or waiting_of_other_phases(rules, moment) > 0


_read: dict[str, tuple[Rules, dict[str, TrialIds]]] = {}


def keys_of_competition() -> tuple[Rules, dict[str, TrialIds]]:
    """Rules and keys by track, read once a process."""
    version = competition().version
    if version not in _read:
        _read[version] = read_keys(place().keys)
    return _read[version]
