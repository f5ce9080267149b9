"""What must happen without anybody asking: deadlines, uploads that were given up, files that nobody needs."""

import logging
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from striate.portal.looking.jobs import look_later
from striate.portal.models import Attempt, Job, Submission, Upload, Worker
from striate.portal.models.submissions import State
from striate.portal.receiving import store, uploads
from striate.portal.receiving.states import locked, move

_ATTEMPTS_KEPT = timedelta(days=1)
_ORPHANS_KEPT = timedelta(hours=1)  # a file is taken in before its submission is recorded
_DONE_KEPT = timedelta(days=7)

log = logging.getLogger("striate.portal.housekeeping")


def keep_house() -> None:
    """Fail what is over its deadline, and remove what nobody will ask for."""
    now = timezone.now()
    for late in Submission.objects.filter(deadline__lt=now):
        fail(late, "It was not done in time.", past=True)
    for given_up in Upload.objects.filter(expires_at__lt=now):
        uploads.discard(given_up)
    _forget_orphans(now)
    Attempt.objects.filter(at__lt=now - _ATTEMPTS_KEPT).delete()
    Worker.objects.filter(seen_at__lt=now - _ATTEMPTS_KEPT).delete()
    Job.objects.filter(done_at__lt=now - _DONE_KEPT).delete()
    look_later()


def _forget_orphans(now: datetime) -> None:
    """Remove files of submissions that are over, or never came to be: whoever took them in was killed in between."""
    old = [number for number, since in store.came_in().items() if since < now - _ORPHANS_KEPT]
    needed = Submission.objects.filter(pk__in=old, state__in=(State.RECEIVED, State.CHECKED)).values_list(
        "pk", flat=True
    )
    for number in set(old) - set(needed):
        store.forget(number)


def fail(submission: Submission, why: str, *, past: bool = False) -> None:
    """Record that the platform failed at a submission. It counts towards no limit, and an organiser can queue it again."""
    with transaction.atomic():
        current = locked(submission)
        overdue = current.deadline is not None and current.deadline < timezone.now()
        if current.over or (past and not overdue):
            return
        unread = current.state == State.RECEIVED
        move(current, State.FAILED, why)
        Job.objects.filter(submission=current, done_at=None).update(done_at=timezone.now())
    log.error("a submission failed", extra={"about": {"submission": str(submission.pk), "why": why}})
    if unread:
        store.forget(submission.pk)
