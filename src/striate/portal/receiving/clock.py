"""The clock that dates receipts, compared with the chain, with the time since this process started, and with the database."""

import logging
from datetime import datetime

from django.db import connection
from django.utils import timezone

from striate.competition.clock import Clock, clock_problem
from striate.portal.models import Link

_SINCE_START = Clock()
log = logging.getLogger("striate.portal.clock")


def problem() -> str:
    """Say why no receipt can be dated now; empty where one can."""
    last = Link.objects.order_by("-number").values_list("at", flat=True).first()
    found = clock_problem(timezone.now(), last, _SINCE_START.jumped()) or _against_the_database()
    if found:
        log.error("the clock cannot be trusted", extra={"about": {"why": found}})
    return found


def _against_the_database() -> str:
    """Compare with the clock of a database server, which may be another machine's."""
    if connection.vendor != "postgresql":
        return ""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        there: datetime = cursor.fetchone()[0]
    return clock_problem(timezone.now(), None, timezone.now() - there) and (
        f"The clock says {timezone.now():%Y-%m-%d %H:%M} UTC, and that of the database server {there:%Y-%m-%d %H:%M} UTC: set both "
        "by NTP, then start striate again."
    )
