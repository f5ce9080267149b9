"""Where the processes of jobs run: on this machine, or elsewhere.

A process gets its order as one line of JSON on standard input, which stays open while its parent is alive, and reports events as
lines of JSON on standard output; see `striate.sweeps.worker`.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
_OUT_OF_MEMORY = " (perhaps by the system, because there was too little memory)"


@dataclass(frozen=True)
class Event:
    """What the process of a job reports.

    Attributes
    ----------
    job
        Name of the job.
    kind
        ``"epoch"``: one more epoch is complete; ``"scoring"``: training has finished; ``"finished"``, ``"failed"`` or ``"stopped"``:
        the process has ended.
    epoch, value
        Number of completed epochs, and the validation correlation.
    reason
        One sentence that says why a job has failed.

    Examples
    --------
    >>> Event("cnn-seed0", "epoch", 3, 0.31).value
    0.31
    """

    job: str
    kind: Literal["epoch", "scoring", "finished", "failed", "stopped"]
    epoch: int = 0
    value: float = float("nan")
    reason: str | None = None

    @property
    def ends(self) -> bool:
        """Whether the process has ended."""
        return self.kind in ("finished", "failed", "stopped")

    @classmethod
    def parse(cls, job: str, line: bytes) -> Event | None:
        """Parse a line of a process; None if it is not an event."""
        from striate._internal.safe_parsing import MalformedError, parse_json_object

        try:
            found = parse_json_object(line)
            kind = found.get("kind")
            if kind not in ("epoch", "scoring", "finished", "failed"):
                return None
            reason = found.get("reason")
            return cls(
                job,
                kind,
                int(found.get("epoch", 0)),
                float(found.get("value", "nan")),
                None if reason is None else str(reason),
            )
        except (MalformedError, ValueError, TypeError):
            return None


class Executor(ABC):
    """Starts processes and reports their events. Leaving its ``with`` block stops those that still run, with a checkpoint.

    Examples
    --------
    >>> issubclass(LocalExecutor, Executor)
    True
    """

    @abstractmethod
    def start(self, job: str, order: Mapping[str, Any], log: Path) -> None:
        """Start the process of a job.

        Parameters
        ----------
        job
            Name of the job.
        order
            What the process needs to know; JSON values.
        log
            File that gets what the process prints.
        """

    @abstractmethod
    def wait(self, seconds: float) -> list[Event]:
        """Wait for events, for some seconds at most, and return them."""

    @abstractmethod
    def stop(self, job: str) -> None:
        """Ask the process of a job to write a checkpoint and end; an event of kind ``"stopped"`` follows."""

    @abstractmethod
    def close(self) -> None:
        """Stop all processes and wait for their ends. A second Ctrl-C kills them."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


@dataclass
class _Process:
    process: subprocess.Popen[bytes]
    received: bytes = b""
    end: Event | None = None
    asked_to_stop: bool = False


@dataclass
class LocalExecutor(Executor):
    """Runs processes on this machine.

    Parameters
    ----------
    parallel
        Number of processes at a time, among which the cores of the CPU are divided.

    Examples
    --------
    >>> with LocalExecutor(2) as executor:
    ...     executor.wait(0)
    []
    """

    parallel: int = 1
    _processes: dict[str, _Process] = field(default_factory=dict)
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def start(self, job: str, order: Mapping[str, Any], log: Path) -> None:
        """Start ``python -m striate.sweeps.worker``."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as file:
            process = subprocess.Popen(
                worker_command(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                env=worker_environment(self.parallel),
                start_new_session=True,  # Ctrl-C reaches the parent alone, which tells its processes
            )
        send_order(process, order)
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        self._processes[job] = _Process(process)
        self._selector.register(process.stdout, selectors.EVENT_READ, job)

    def wait(self, seconds: float) -> list[Event]:
        """Wait for lines of the processes and for their ends."""
        events: list[Event] = []
        if not self._processes:
            return events
        for key, _ in self._selector.select(seconds):
            job: str = key.data
            each = self._processes[job]
            stream: Any = key.fileobj
            data = stream.read()
            if data is None:
                continue
            *lines, each.received = (each.received + data).split(b"\n")
            for event in (Event.parse(job, line) for line in lines):
                if event is not None and event.ends:
                    each.end = event
                elif event is not None:
                    events.append(event)
            if not data:
                events.append(self._ended(job))
        return events

    def _ended(self, job: str) -> Event:
        each = self._processes.pop(job)
        assert each.process.stdout is not None
        self._selector.unregister(each.process.stdout)
        each.process.stdout.close()
        if each.process.stdin is not None:
            each.process.stdin.close()
        return end_event(job, each.process.wait(), each.end, each.asked_to_stop)

    def stop(self, job: str) -> None:
        """Send SIGTERM to the process of a job."""
        if (each := self._processes.get(job)) is not None and not each.asked_to_stop:
            each.asked_to_stop = True
            each.process.terminate()

    def close(self) -> None:
        """Send SIGTERM to all processes, and wait for them."""
        for job in self._processes:
            self.stop(job)
        try:
            for each in self._processes.values():
                each.process.wait()
        except BaseException:
            for each in self._processes.values():
                each.process.kill()
            raise
        finally:
            for job in list(self._processes):
                self._ended(job)
            self._selector.close()


def worker_command() -> list[str]:
    """Return the command that starts the process of a job.

    Examples
    --------
    >>> worker_command()[-2:]
    ['-m', 'striate.sweeps.worker']
    """
    return [
        sys.executable,
        "-P",
        "-m",
        "striate.sweeps.worker",
    ]  # -P: nothing is imported from the current folder by accident


def worker_environment(parallel: int) -> dict[str, str]:
    """Return the environment of a process: the cores that this one may use are divided among `parallel` processes.

    Examples
    --------
    >>> worker_environment(10_000)["OMP_NUM_THREADS"]
    '1'
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    allowed = os.environ.get("OMP_NUM_THREADS", "")
    threads = max(1, cores // parallel)
    if allowed.isdigit() and int(allowed) > 0:
        threads = min(threads, int(allowed))
    # idle threads must sleep, or they take the cores from the other processes
    return {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", **dict.fromkeys(_THREADS, str(threads))}


def send_order(process: subprocess.Popen[bytes], order: Mapping[str, Any]) -> None:
    """Write an order to a process; its standard input stays open."""
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(order).encode() + b"\n")
        process.stdin.flush()
    except BrokenPipeError:  # it has ended already, and its exit status says so
        pass


def end_event(job: str, status: int, reported: Event | None, asked_to_stop: bool) -> Event:
    """Return the event of the end of a process from its exit status and the last event that it reported.

    Examples
    --------
    >>> end_event("cnn-seed0", -15, None, asked_to_stop=True).kind
    'stopped'
    """
    if reported is not None and (reported.kind == "failed" or status == 0):
        return reported
    if asked_to_stop:
        return Event(job, "stopped")
    if status < 0:
        memory = _OUT_OF_MEMORY if -status == signal.SIGKILL else ""
        return Event(job, "failed", reason=f"Its process was ended by {signal.Signals(-status).name}{memory}.")
    return Event(job, "failed", reason=f"Its process ended with status {status}; its log says more.")
