"""Jobs are leased for a time; only who holds the lease when the outcome is recorded may record it."""

import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.utils import timezone

from striate._internal.periodic_thread import run_periodically
from striate.portal.models import Job

LASTS = timedelta(seconds=settings.LEASE_SECONDS)
MOST_ATTEMPTS = 5
_RENEWED_EVERY = LASTS.total_seconds() / 4
_LONGEST_PAUSE = 300.0  # seconds
_BOARD_WAITS = timedelta(seconds=5)

log = logging.getLogger("striate.portal.jobs")


class LostLeaseError(Exception):
    """Somebody else has the job now, or it is done: the outcome must be dropped."""


class Lease:
    """A job, as long as it is ours.

    Attributes
    ----------
    job
        What is to be done.
    name
        Random name of this lease.
    """

    def __init__(self, job: Job, name: str) -> None:
        self.job = job
        self.name = name

    @classmethod
    def claim(cls, *, job: Job | None = None, looking: bool = False) -> "Lease | None":
        """Lease the next job that is due, or a certain one; None if there is none that is free.

        Jobs to look at recordings take long, and are left to the process that asks for them. However many scores wait:
        senders get their receipts first, and a board is ranked again after some of them.
        """
        now = timezone.now()
        turn = Case(
            When(kind=Job.Kind.CHECK, then=Value(0)),
            When(kind=Job.Kind.RANK, created_at__lt=now - _BOARD_WAITS, then=Value(1)),
            default=Value(2),
        )
        free = Q(leased_until=None) | Q(leased_until__lt=now)
        waiting = Job.objects.filter(free, done_at=None, due_at__lte=now)
        look = Q(kind=Job.Kind.LOOK)
        waiting = waiting.filter(look if looking else ~look)
        if job is not None:
            waiting = waiting.filter(pk=job.pk)
        elif not waiting.exists():  # without a lock: most of the time there is nothing to do
            return None
        with transaction.atomic():
            found = waiting.select_for_update(skip_locked=True).order_by(turn, "due_at", "pk").first()
            if found is None:
                return None
            found.lease = f"{os.getpid()}-{secrets.token_hex(8)}"
            found.leased_until = now + LASTS
            found.attempts += 1
            found.save(update_fields=["lease", "leased_until", "attempts"])
        return cls(found, found.lease)

    @property
    def _row(self) -> QuerySet[Job]:
        return Job.objects.filter(pk=self.job.pk, lease=self.name, done_at=None)

    @contextmanager
    def outcome(self) -> Iterator[None]:
        """The transaction that records the outcome, and with it that the job is done.

        Raises
        ------
        LostLeaseError
            If the job is ours no longer; nothing is recorded then.
        """
        with transaction.atomic():
            # The row stays locked until the end of the transaction, so that nobody else can lease it meanwhile.
            if not self._row.update(done_at=timezone.now(), leased_until=None):
                raise LostLeaseError
            yield

    def finish(self) -> None:
        """Record that there was nothing to do."""
        with self.outcome():
            pass

    def postpone(self, seconds: float | None = None) -> None:
        """Give the job back, to be tried later: after `seconds`, or after a pause that grows with each attempt."""
        patience = seconds is not None
        pause = seconds if seconds is not None else min(_LONGEST_PAUSE, 2.0**self.job.attempts)
        due = timezone.now() + timedelta(seconds=pause)
        given_back = {"lease": "", "leased_until": None, "due_at": due}
        # To wait is no failed attempt.
        self._row.update(**given_back, **({"attempts": F("attempts") - 1} if patience else {}))

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Renew the lease while the work is done."""

        def renew() -> None:
            try:
                self._row.update(leased_until=timezone.now() + LASTS)
            except (
                DatabaseError,
                InterfaceError,
            ):  # the next time, or the lease runs out and somebody else does the job
                log.warning("a lease could not be renewed", extra={"about": {"job": self.job.pk}})
            finally:
                connection.close()

        with run_periodically(_RENEWED_EVERY, renew):
            yield
