"""How long to wait for hosts, and how often to try."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@dataclass(frozen=True)
class RetryPolicy:
    """How patiently files are fetched; times are in seconds.

    Attributes
    ----------
    first
        Wait after the first failure; each further one in a row doubles it. A random part of up to a half is taken off,
        so that many clients do not come back at the same moment.
    longest
        Longest such wait.
    attempts
        Attempts in a row that bring nothing new before a file is given up.
    connect
        For a connection to be made.
    stall
        Without a byte after which a connection counts as broken.
    slowest
        Bytes a second, over the time of a stall, below which it counts as broken, too.
    brief
        Wait that a host may ask for (``Retry-After``) without it counting as an outage.
    poll
        Longest wait between two calls at a host that is down; what it asks for is bounded by this.
    outage
        Longest outage that is waited for, where waiting was asked for at all.
    """

    initial_wait: float = 1.0
    max_wait: float = 60.0
    max_attempts: int = 6
    connect_timeout: float = 20.0
    stall_timeout: float = 60.0
    min_speed: float = 256.0
    max_retry_after: float = 60.0
    max_poll_wait: float = 300.0
    max_outage: float = 48 * 3600.0

    def backoff(self, failures: int) -> float:
        """Wait after so many failures in a row, with its random part."""
        max_wait = min(self.max_wait, self.initial_wait * 2.0 ** min(failures - 1, 30))
        return max_wait * random.uniform(0.5, 1.0)

    def poll_wait(self, asked: float | None, polls: int) -> float:
        """Wait at a host that is down before it is asked for the n-th time; it may have asked for a time itself."""
        if asked is not None:
            return min(max(asked, self.initial_wait), self.max_poll_wait)
        return min(self.max_poll_wait, self.max_poll_wait / 10 * 1.5 ** min(polls - 1, 20)) * random.uniform(0.9, 1.0)


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds after which a host asks to be called again, from ``Retry-After``: a number, or a date.

    Returns
    -------
    float or None
        Not below 0; None if the header is absent or makes no sense.
    """
    said = headers.get("Retry-After", "").strip()
    if said.isascii() and said.isdigit():
        return float(said[:9])
    try:
        date = parsedate_to_datetime(said)
        if date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
        return max(0.0, (date - datetime.now(UTC)).total_seconds())
    except (ValueError, IndexError, TypeError, OverflowError):
        return None


def format_duration(seconds: float) -> str:
    """Write a duration for people: ``"40 s"``, ``"12 min"``, ``"5 h 30 min"``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes and hours < 10 else f"{hours} h"
