"""The life of a submission: which steps there are, how long each state may last, and that every step is written down.

::

    received ──▶ checked ──▶ queued ──▶ scoring ──▶ scored
        │           │           │          │
        ├───────────┴─▶ refused └──────────┴──▶ failed ──▶ queued (again, when the fault is mended)
        └─────────────▶ failed

*Refused* is what the sender can mend, *failed* what the platform must answer for: it counts towards no limit.
"""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from striate.portal.models import Submission, Transition
from striate.portal.models.submissions import State

STEPS: dict[str, tuple[State, ...]] = {
    "": (State.RECEIVED,),
    State.RECEIVED: (State.CHECKED, State.REFUSED, State.FAILED),
    State.CHECKED: (State.QUEUED, State.REFUSED, State.FAILED),
    State.QUEUED: (State.SCORING, State.FAILED),
    State.SCORING: (State.SCORED, State.FAILED),
    State.FAILED: (State.QUEUED,),
    State.SCORED: (),
    State.REFUSED: (),
}
# How long a state may last before the platform has failed.
PATIENCE: dict[State, timedelta] = {
    State.RECEIVED: timedelta(hours=2),
    State.CHECKED: timedelta(minutes=10),
    State.QUEUED: timedelta(days=2),
    State.SCORING: timedelta(hours=2),
}


class NoSuchStepError(RuntimeError):
    """A step was tried that a submission's life does not have."""


def move(submission: Submission, to: State, reason: str = "") -> None:
    """Let a submission take a step, within the transaction of what brings it about; its row must be locked.

    Raises
    ------
    NoSuchStepError
        If its life has no such step.
    """
    if not transaction.get_connection().in_atomic_block:
        raise NoSuchStepError("A step is taken within the transaction of what brings it about.")
    before = "" if submission._state.adding else submission.state
    if to not in STEPS[before]:
        raise NoSuchStepError(f"A submission that is {before or 'new'} cannot become {to}.")
    now = timezone.now()
    submission.state, submission.reason = to, reason
    submission.deadline = now + PATIENCE[to] if to in PATIENCE else None
    submission.save()
    Transition.objects.create(submission=submission, at=now, before=before, after=to, reason=reason)


def locked(submission: Submission) -> Submission:
    """The same submission as it is now, locked until the transaction ends."""
    return Submission.objects.select_for_update(of=("self",)).get(pk=submission.pk)
