"""The processes of a portal on one machine: started together, started again if one falls, ended together."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from striate.errors import StriateError
from striate.portal.running.parent import PARENT

_GRACE = 30.0  # seconds until a process that was asked to end is killed
_LONG = 10.0  # seconds; what ran so long had begun well
_FALLS = 6  # one after the other, none of which ran long: it is given up
_LONGEST_PAUSE = 30.0  # seconds

log = logging.getLogger("striate.portal.processes")


@dataclass
class Process:
    """One process of the portal.

    Attributes
    ----------
    name
        For messages.
    module
        That is run.
    environment
        What it is told, beside what it inherits.
    without
        Variables that it must not inherit.
    """

    name: str
    module: str
    environment: Mapping[str, str]
    without: Sequence[str] = ()
    running: subprocess.Popen[bytes] | None = None
    falls: int = 0
    started: float = 0.0
    due: float | None = None

    def start(self) -> None:
        """Start it, in the process group of this process."""
        inherited = {name: value for name, value in os.environ.items() if name not in self.without}
        told = {**inherited, **self.environment, PARENT: str(os.getpid())}
        self.running = subprocess.Popen([sys.executable, "-m", self.module], env=told, stdin=subprocess.DEVNULL)
        self.started, self.due = time.monotonic(), None

    def watch(self) -> None:
        """Start it again if it has ended by itself: after a pause that grows, since what made it fall may pass.

        Raises
        ------
        StriateError
            If it has fallen again and again, each time soon after its start.
        """
        now = time.monotonic()
        if self.due is not None:
            if now >= self.due:
                self.start()
            return
        if self.running is None or (status := self.running.poll()) is None:
            return
        self.falls = self.falls + 1 if now - self.started < _LONG else 1
        if self.falls > _FALLS:
            raise StriateError(f"The {self.name} ends again and again; what it wrote above says why.")
        pause = min(_LONGEST_PAUSE, 0.5 * 2.0**self.falls)
        self.due = now + pause
        about = {"status": status, "again_in_seconds": pause}
        log.error(f"the {self.name} has ended and is started again", extra={"about": about})


def run(processes: Sequence[Process]) -> None:
    """Run processes until this one is asked to end (SIGINT, SIGTERM).

    Raises
    ------
    StriateError
        If one of them falls again and again.
    """
    asked: list[int] = []
    before = {
        each: signal.signal(each, lambda number, _: asked.append(number)) for each in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        for process in processes:
            process.start()
        while not asked:
            time.sleep(0.2)
            for process in processes:
                process.watch()
    finally:
        _end(processes)
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(processes: Sequence[Process]) -> None:
    running = [each.running for each in processes if each.running is not None]
    for each in running:
        if each.poll() is None:
            each.send_signal(signal.SIGTERM)
    until = time.monotonic() + _GRACE
    for each in running:
        try:
            each.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            each.kill()
            each.wait()
