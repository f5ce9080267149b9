"""Jobs on the machines of a Ray cluster. All of them must see the folders of the sweep and of the recordings under the same paths."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from striate.errors import InputError
from striate.sweeps.executors import Event, Executor, end_event, send_order, worker_command, worker_environment

_ATTEMPTS = 3  # of a job whose machine or process is lost
_POLL = 0.2  # seconds
_LOCKED = 60.0  # seconds that a job waits for the process of a lost attempt to leave the folder of the run


def import_ray() -> Any:
    """Import Ray.

    Raises
    ------
    InputError
        If it is not installed.
    """
    try:
        import ray
        from ray.util.queue import Queue  # noqa: F401
    except ImportError as error:
        raise InputError(
            "Jobs on a cluster need the package ray: install it (pip install 'striate[sweep]'), or leave the executor out."
        ) from error
    return ray


@dataclass
class _Attempt:
    order: Mapping[str, Any]
    log: Path
    reference: Any = None
    count: int = 0
    asked_to_stop: bool = False


class RayExecutor(Executor):
    """Runs each job as a task of a Ray cluster.

    The cluster is the one that the environment variable ``RAY_ADDRESS`` names, or one on this machine, which ends with this process.
    A job whose worker or machine is lost is started again elsewhere, at most twice, and resumes from its checkpoint.

    Parameters
    ----------
    parallel
        Number of jobs at a time. On a cluster of one machine, its cores are divided among them.
    options
        Resources of each task, as arguments of ``ray.remote``, such as ``{"num_cpus": 4, "num_gpus": 1}``.

    Examples
    --------
    >>> with RayExecutor(4, {"num_gpus": 1}) as executor:  # doctest: +SKIP
    ...     striate.sweep("cnn", "mouse.zip", "sweep", grid="grid.toml", jobs=4, executor=executor)
    """

    def __init__(self, parallel: int = 1, options: Mapping[str, Any] | None = None) -> None:
        self._ray = ray = import_ray()
        from ray.util.queue import Queue

        self._started_here = not ray.is_initialized()
        if self._started_here:
            joining = bool(os.environ.get("RAY_ADDRESS"))
            ray.init(
                **({} if joining else {"include_dashboard": False}),
                log_to_driver=False,
                configure_logging=False,
                # workers find modules where this process does
                runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join(_python_path())}},
            )
        self._parallel = parallel
        machines = max(1, len([node for node in ray.nodes() if node["Alive"]]))
        environment = worker_environment(max(1, -(-parallel // machines)))
        self._threads = {name: value for name, value in environment.items() if name.endswith("_THREADS")}
        cores = float(ray.cluster_resources().get("CPU", 1))
        resources = {"num_cpus": max(min(1.0, cores / parallel), 0.01), **(options or {})}
        self._task = ray.remote(max_retries=0, **resources)(run_worker)
        self._events = Queue(actor_options={"num_cpus": 0})
        self._attempts: dict[str, _Attempt] = {}

    def start(self, job: str, order: Mapping[str, Any], log: Path) -> None:
        """Submit a task."""
        self._attempts[job] = _Attempt(order, log.absolute())
        self._submit(job)

    def _submit(self, job: str) -> None:
        attempt = self._attempts[job]
        attempt.count += 1
        attempt.reference = self._task.remote(job, dict(attempt.order), str(attempt.log), self._threads, self._events)

    def wait(self, seconds: float) -> list[Event]:
        """Wait for events of the tasks and for their ends."""
        references = {attempt.reference: job for job, attempt in self._attempts.items()}
        if not references:
            return []
        ready, _ = self._ray.wait(list(references), num_returns=1, timeout=seconds)
        events = self._reported()
        for reference in ready:
            job = references[reference]
            attempt = self._attempts[job]
            event = self._end(job, reference, attempt)
            if event is None:
                self._submit(job)
            else:
                events += [*self._reported(), event]  # what was reported before it ended
                del self._attempts[job]
        return events

    def _reported(self) -> list[Event]:
        lines = self._events.get_nowait_batch(self._events.qsize())
        found = (Event.parse(job, line) for job, line in lines)
        return [event for event in found if event is not None and not event.ends]

    def _end(self, job: str, reference: Any, attempt: _Attempt) -> Event | None:
        """Return the event of an ended task; None if its worker is lost, and it is to be started again."""
        try:
            status, line = self._ray.get(reference)
        except self._ray.exceptions.TaskCancelledError:
            return Event(job, "stopped")
        except self._ray.exceptions.RayError as error:
            if attempt.asked_to_stop:
                return Event(job, "stopped")
            if attempt.count < _ATTEMPTS:
                return None
            return Event(job, "failed", reason=f"Its worker was lost {attempt.count} times ({type(error).__name__}).")
        return end_event(job, status, Event.parse(job, line), attempt.asked_to_stop)

    def stop(self, job: str) -> None:
        """Cancel the task, which tells its process to write a checkpoint."""
        if (attempt := self._attempts.get(job)) is not None and not attempt.asked_to_stop:
            attempt.asked_to_stop = True
            self._ray.cancel(attempt.reference)

    def close(self) -> None:
        """Cancel all tasks, wait for them, and leave the cluster if this executor has joined it."""
        for job in self._attempts:
            self.stop(job)
        try:
            waiting = [attempt.reference for attempt in self._attempts.values()]
            if waiting:
                self._ray.wait(waiting, num_returns=len(waiting), timeout=_LOCKED)
        finally:
            self._attempts.clear()
            if self._started_here:
                self._ray.shutdown()


def run_worker(
    job: str, order: Mapping[str, Any], log: str, threads: Mapping[str, str], events: Any
) -> tuple[int, bytes]:
    """Run the process of a job on a machine of the cluster; its exit status, and the event that it ended with."""
    last = b""
    _wait_for_lock(Path(order["run"]) / ".lock")
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    with Path(log).open("ab") as file:
        process = subprocess.Popen(
            worker_command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
            env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE", **threads},
            start_new_session=True,
        )
    send_order(process, order)
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    received = b""
    try:
        while True:  # not a blocking read, which a cancellation would not interrupt
            ended = process.poll() is not None
            *lines, received = (received + (process.stdout.read() or b"")).split(b"\n")
            for line in lines:
                last = line
                events.put((job, line))
            if ended:
                return process.wait(), last
            time.sleep(_POLL)
    except BaseException:
        process.terminate()
        process.wait()
        raise
    finally:
        process.stdout.close()
        if process.stdin is not None:
            process.stdin.close()


def _wait_for_lock(lock: Path) -> None:
    """Wait until the process of an attempt that was lost has written its checkpoint and left; a killed one leaves its lock behind."""
    deadline = time.monotonic() + _LOCKED
    while _is_locked(lock) and time.monotonic() < deadline:
        time.sleep(_POLL)


def _is_locked(path: Path) -> bool:
    import fcntl

    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _python_path() -> list[str]:
    import sys

    return [entry for entry in sys.path if entry and Path(entry).is_dir()]
