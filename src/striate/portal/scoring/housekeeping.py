"""What must happen without anybody asking: deadlines, uploads that were given up."""

import logging
import os
import shutil
import tempfile
from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from striate.portal.models import Attempt, Job, Submission, Upload
from striate.portal.models.submissions import State
from striate.portal.receiving import store, uploads
from striate.portal.receiving.decoding import TEMPORARY
from striate.portal.receiving.states import locked, move

_ATTEMPTS_KEPT = timedelta(days=1)
_DONE_KEPT = timedelta(days=7)
_LEFT_BEHIND = timedelta(hours=1)  # longer than anything is on its way

log = logging.getLogger("striate.portal.housekeeping")


def keep_house() -> None:
    """Fail what is over its deadline, and remove what nobody will ask for."""
    now = timezone.now()
    for late in Submission.objects.filter(deadline__lt=now):
        fail(late, "It was not done in time.", past=True)
    for given_up in Upload.objects.filter(expires_at__lt=now):
        uploads.discard(given_up)
    Attempt.objects.filter(at__lt=now - _ATTEMPTS_KEPT).delete()
    Job.objects.filter(done_at__lt=now - _DONE_KEPT).delete()
    sweep(now - _LEFT_BEHIND)


def sweep(before: datetime) -> None:
    """Remove what processes that were killed left behind before a moment."""
    swept = store.sweep(_to_check, before)
    for folder in Path(tempfile.gettempdir()).glob(f"{TEMPORARY}*"):
        if folder.is_dir() and folder.stat().st_uid == os.getuid() and folder.stat().st_mtime < before.timestamp():
            shutil.rmtree(folder, ignore_errors=True)
            swept += 1
    if swept:
        log.info("what a killed process left was removed", extra={"about": {"count": swept}})


def _to_check(numbers: Collection[str]) -> Collection[str]:
    waiting = Submission.objects.filter(pk__in=numbers, state=State.RECEIVED)
    return {str(key) for key in waiting.values_list("pk", flat=True)}


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
