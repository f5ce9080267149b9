"""Time a piece of work."""

import statistics
import time
from collections.abc import Callable
from typing import Any


def median(work: Callable[[], Any], repeats: int) -> float:
    """Seconds of the work, the median over repeats after once to warm up."""
    work()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)
