"""Waiting for an end as long as something comes to pass: how long that takes in all, is a matter of the machine."""

import time
from collections.abc import Callable

_EVERY = 0.5  # seconds


def progressing(over: Callable[[], bool], progress: Callable[[], object], *, patience: float) -> bool:
    """Wait until something is over; whether it came to that.

    Parameters
    ----------
    over
        Whether it is.
    progress
        Anything that is another as soon as something has come to pass.
    patience
        Seconds in which nothing may come to pass.
    """
    last, since = progress(), time.monotonic()
    while not over():
        time.sleep(_EVERY)
        now = progress()
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > patience:
            return False
    return True
