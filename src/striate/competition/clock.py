"""Whether the clock of this machine can be trusted to date receipts."""

import time
from datetime import datetime, timedelta

from striate.errors import InputError

TOLERANCE = timedelta(minutes=2)  # what clocks of several machines, or a correction by NTP, may differ by


class ClockError(InputError):
    """The clock of this machine contradicts the chain of receipts, or itself."""


class Clock:
    """The clock of this machine, compared with the time that has passed since this object was made.

    A clock that is set while a process runs differs from the counter of the seconds since the machine was started, which nobody
    can set.
    """

    def __init__(self) -> None:
        self._difference = time.time() - _seconds_since_boot()

    def jumped(self) -> timedelta:
        """How far the clock was set forward (or, below 0, back) since this object was made."""
        return timedelta(seconds=time.time() - _seconds_since_boot() - self._difference)


def _seconds_since_boot() -> float:
    """Seconds on a counter that cannot be set; on Linux it also runs while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def clock_problem(now: datetime, last: datetime | None, jumped: timedelta = timedelta(0)) -> str:
    """Say why no receipt can be dated now; empty where one can.

    Parameters
    ----------
    now
        What the clock says.
    last
        Time of the last link of the chain; None if there is none.
    jumped
        How far the clock was set since the process started, as `Clock.jumped` says.
    """
    if last is not None and now < last - TOLERANCE:
        return (
            f"The clock says {now:%Y-%m-%d %H:%M} UTC, but the last receipt is of {last:%Y-%m-%d %H:%M} UTC: set the clock of the "
            'machine; if the last receipt is wrong, see "When a clock was wrong" in the documentation.'
        )
    if abs(jumped) > TOLERANCE:
        minutes = round(jumped.total_seconds() / 60)
        return (
            f"The clock was set {'forward' if minutes > 0 else 'back'} by {abs(minutes)} minutes since this process started: check "
            "the clock of the machine, then start striate again."
        )
    return ""
