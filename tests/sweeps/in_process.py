"""An executor without processes, for tests that are about something else."""

from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from striate.sweeps.executors import Event, Executor
from striate.sweeps.worker import carry_out


class InProcess(Executor):
    """Carries out each order at once, in this process."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self._events: deque[Event] = deque()

    def start(self, job: str, order: Mapping[str, Any], log: Path) -> None:
        self.started.append(job)

        def report(kind: Any, **values: Any) -> None:
            self._events.append(Event(job, kind, **values))

        carry_out(order, report)

    def wait(self, seconds: float) -> list[Event]:
        return [self._events.popleft()] if self._events else []

    def stop(self, job: str) -> None:
        """It has ended already; so it counts as stopped."""
        self._events = deque(Event(job, "stopped") if each.job == job and each.ends else each for each in self._events)

    def close(self) -> None:
        pass
