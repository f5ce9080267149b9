"""The worker's hand on the process that prepares recordings: started where one waits, one at a time, ended with the worker."""

import os
import subprocess
import sys
import time

from striate.portal.looking.jobs import next_job
from striate.portal.running.parent import PARENT

_EVERY = 2.0  # seconds between two looks
_PAUSE = 10.0  # seconds after one has ended
_GRACE = 5.0  # seconds


class Background:
    """At most one process that prepares recordings.

    Attributes
    ----------
    running
        The process; None where there is none.
    """

    def __init__(self) -> None:
        self.running: subprocess.Popen[bytes] | None = None
        self._next = 0.0

    def tend(self) -> None:
        """Start the process if a recording waits for one; to be called again and again."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _EVERY
        if self.running is not None:
            if self.running.poll() is None:
                return
            self.running = None
            self._next = time.monotonic() + _PAUSE  # one that falls at once is not started without a break
            return
        if next_job():
            self.running = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        told = {**os.environ, PARENT: str(os.getpid()), "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            [sys.executable, "-m", "striate.portal.looking.child"], env=told, stdin=subprocess.DEVNULL
        )

    def end(self) -> None:
        """End the process; what it has not finished is begun anew another time."""
        if self.running is None or self.running.poll() is not None:
            return
        self.running.terminate()
        try:
            self.running.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self.running.kill()
            self.running.wait()
