"""Timing of functions."""

import statistics
import time
from collections.abc import Callable
from typing import Any


def median(work: Callable[[], Any], repeats: int) -> float:
    """Return the median time of calls of `work` in seconds, after one warm-up call."""
    work()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)
