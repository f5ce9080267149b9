"""Jobs on a local cluster of Ray: a lost worker costs only its own training, which resumes."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.training.small import small_recipe

from striate.errors import InputError
from striate.recordings import Recording
from striate.sweeps import Job, run_jobs
from striate.sweeps.executors import Event
from striate.sweeps.ray_cluster import RayExecutor, import_ray


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"pip install 'striate\[sweep\]'"):
        import_ray()


@pytest.mark.slow
def test_a_lost_worker_costs_only_its_training(mouse: Recording, tmp_path: Path) -> None:
    pytest.importorskip(
        "ray", reason="Ray is large, and is not among what the tests install: pip install 'striate[sweep]'"
    )

    class Killing(RayExecutor):
        """Kills the worker of the first job once, after its first epoch."""

        killed = False

        def wait(self, seconds: float) -> list[Event]:
            events = super().wait(seconds)
            if not self.killed and any(event.job == "lost" and event.kind == "epoch" for event in events):
                self.killed = True
                os.kill(_worker_of("lost"), signal.SIGKILL)
            return events

    long: dict[str, Any] = {"schedule__max_epochs": 30, "schedule__patience": 30, "compute__checkpoint_minutes": 1000}
    jobs = [
        Job("lost", small_recipe(**long), [mouse]),
        Job("kept", small_recipe(schedule__max_epochs=1), [mouse]),
    ]
    executor = Killing(2)
    lost, kept = run_jobs(jobs, tmp_path, parallel=2, executor=executor, progress=False)
    assert executor.killed
    assert (lost.status, lost.reason, kept.status) == ("finished", None, "finished")
    assert len(lost.run().provenance["attempts"]) == 2
    assert len(kept.run().provenance["attempts"]) == 1


def _worker_of(job: str) -> int:
    """The process of Ray that runs a job: the parent of the process that has its log open."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            opened = [str(each.readlink()) for each in (process / "fd").iterdir()]
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if b"striate.sweeps.worker" in command and any(f"/jobs/{job}/" in name for name in opened):
            return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    raise AssertionError("no process")
