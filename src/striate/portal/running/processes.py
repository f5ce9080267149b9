"""The processes of a portal on one machine: started together, started again if one falls, ended together."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from striate.errors import StriateError
from striate.portal.running.parent import PARENT

_GRACE = 30.0  # seconds until a process that was asked to end is killed
_FALLS, _WITHIN = 5, 60.0  # more than so many falls in so many seconds, and it is given up


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
    falls: list[float] = field(default_factory=list)

    def start(self) -> None:
        """Start it, in the process group of this process."""
        inherited = {name: value for name, value in os.environ.items() if name not in self.without}
        told = {**inherited, **self.environment, PARENT: str(os.getpid())}
        self.running = subprocess.Popen([sys.executable, "-m", self.module], env=told, stdin=subprocess.DEVNULL)

    def has_fallen(self) -> bool:
        """Whether it has ended by itself."""
        return self.running is not None and self.running.poll() is not None

    def falls_too_often(self) -> bool:
        """Note a fall; whether there were too many."""
        now = time.monotonic()
        self.falls = [at for at in self.falls if now - at < _WITHIN] + [now]
        return len(self.falls) > _FALLS


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
                if not process.has_fallen():
                    continue
                if process.falls_too_often():
                    raise StriateError(f"The {process.name} ends again and again; what it wrote above says why.")
                time.sleep(1.0)  # what made it fall may pass
                if not asked:
                    process.start()
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
