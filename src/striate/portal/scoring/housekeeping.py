"""What must happen without anybody asking: deadlines, uploads that were given up, files that nobody needs."""

import logging
import os
import shutil
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from striate.portal.hosting import arriving
from striate.portal.looking.jobs import look_later
from striate.portal.models import Attempt, Job, Submission, Worker
from striate.portal.models.submissions import State
from striate.portal.receiving import store, uploads
from striate.portal.receiving.decoding import TEMPORARY
from striate.portal.receiving.states import locked, move
from striate.portal.unavailable import StorageUnavailableError

_ATTEMPTS_KEPT = timedelta(days=1)
_DONE_KEPT = timedelta(days=7)
_INCOMING_KEPT = timedelta(days=1)
_CLEANED_EVERY = 600.0  # seconds
_next_cleaning = [0.0]
_SWEPT_EVERY = 24 * 3600.0  # seconds
_next_sweep = [0.0]
_CLEARED_AT_ONCE = 300  # contents: on a service that takes two seconds, for which submissions wait
_LEFT_BEHIND = timedelta(hours=1)  # longer than anything is on its way

log = logging.getLogger("striate.portal.housekeeping")


def keep_house() -> None:
    """Fail what is over its deadline, and remove what nobody will ask for."""
    now = timezone.now()
    for late in Submission.objects.filter(deadline__lt=now):
        fail(late, "It was not done in time.", past=True)
    _clean_storages()
    Attempt.objects.filter(at__lt=now - _ATTEMPTS_KEPT).delete()
    Worker.objects.filter(seen_at__lt=now - _ATTEMPTS_KEPT).delete()
    Job.objects.filter(done_at__lt=now - _DONE_KEPT).delete()
    _sweep(now - _LEFT_BEHIND)
    look_later()


def _clean_storages() -> None:
    """Remove files that nobody will ask for, now and then: to list what is on a service takes time and money."""
    now = time.monotonic()
    if now < _next_cleaning[0]:
        return
    _next_cleaning[0] = now + _CLEANED_EVERY
    try:
        uploads.clean()
        left = store.forgotten(longer_than=_INCOMING_KEPT)
        awaited = Submission.objects.filter(pk__in=left, state=State.RECEIVED)
        for number in left - set(awaited.values_list("pk", flat=True)):
            store.forget(number)
        _clear_arrivals()
    except StorageUnavailableError as error:
        log.warning("the storage was not cleaned", extra={"about": {"why": str(error)}})


def _clear_arrivals() -> None:
    """Remove what given up pushes of data have left; once a day, too, what nothing names any more, for which all must be listed."""
    cleared = arriving.clear("worker", most=_CLEARED_AT_ONCE)
    if cleared.files:
        log.info("what given up pushes had left was removed", extra={"about": {"files": cleared.files}})
    if time.monotonic() < _next_sweep[0]:
        return
    swept = arriving.sweep(_CLEARED_AT_ONCE)
    if swept < _CLEARED_AT_ONCE:
        _next_sweep[0] = time.monotonic() + _SWEPT_EVERY
    if swept:
        log.info("files that nothing names were removed", extra={"about": {"files": swept}})


def _sweep(before: datetime) -> None:
    """Remove folders of processes that were killed before they could do so."""
    for folder in Path(tempfile.gettempdir()).glob(f"{TEMPORARY}*"):
        if folder.is_dir() and folder.stat().st_uid == os.getuid() and folder.stat().st_mtime < before.timestamp():
            shutil.rmtree(folder, ignore_errors=True)
            log.info("what a killed process left was removed")


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
