"""Timeouts, exponential backoff and the number of retries of downloads."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@dataclass(frozen=True)
class RetryPolicy:
    """Timeouts and retries of downloads. All times are in seconds.

    Attributes
    ----------
    initial_wait
        Wait after the first failure. It doubles with each further failure in a row, and random jitter shortens it by up to
        a half, so that clients do not retry simultaneously.
    max_wait
        Longest wait between two attempts.
    max_attempts
        Number of attempts in a row without progress after which the host counts as unavailable.
    connect_timeout
        Time limit for opening a connection.
    stall_timeout
        Time without a byte after which a connection counts as broken.
    min_speed
        Transfer rate (bytes/s, averaged over `stall_timeout`) below which a connection counts as broken.
    max_retry_after
        Longest ``Retry-After`` of a host that is not treated as an outage.
    max_poll_wait
        Longest wait between two requests to a host that is unavailable. It also bounds ``Retry-After``.
    max_outage
        Longest outage to wait for, if `Options.wait` is set.

    Examples
    --------
    >>> from striate.fetch import RetryPolicy
    >>> policy = RetryPolicy(initial_wait=1.0, max_wait=8.0)
    >>> 2.0 <= policy.backoff(3) <= 4.0
    True
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
        """Return the wait (s) after `failures` failures in a row, with random jitter."""
        max_wait = min(self.max_wait, self.initial_wait * 2.0 ** min(failures - 1, 30))
        return max_wait * random.uniform(0.5, 1.0)

    def poll_wait(self, asked: float | None, polls: int) -> float:
        """Return the wait (s) before request number `polls` to an unavailable host, which may have `asked` for a wait."""
        if asked is not None:
            return min(max(asked, self.initial_wait), self.max_poll_wait)
        return min(self.max_poll_wait, self.max_poll_wait / 10 * 1.5 ** min(polls - 1, 20)) * random.uniform(0.9, 1.0)


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Parse the header ``Retry-After``, a number of seconds or a date.

    Returns
    -------
    float or None
        Wait in seconds (≥ 0); None if the header is absent or invalid.

    Examples
    --------
    >>> parse_retry_after({"Retry-After": "120"})
    120.0
    """
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        date = parsedate_to_datetime(value)
        if date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
        return max(0.0, (date - datetime.now(UTC)).total_seconds())
    except (ValueError, IndexError, TypeError, OverflowError):
        return None


def format_duration(seconds: float) -> str:
    """Format a duration: ``"40 s"``, ``"12 min"``, ``"5 h 30 min"``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes and hours < 10 else f"{hours} h"
