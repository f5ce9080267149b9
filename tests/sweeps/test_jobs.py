"""Jobs: each is trained once, whatever happens meanwhile, and is never mistaken for another."""

import os
import re
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.fixtures.recordings import small_recording
from tests.sweeps.in_process import InProcess
from tests.training.small import small_recipe

import striate
from striate.errors import InputError, WithheldError
from striate.recordings import Recording
from striate.sweeps import Job, JobResult, run_jobs
from striate.sweeps.executors import Event, LocalExecutor, end_event, worker_environment
from striate.training import Run, train


def test_runs_are_those_of_train(two_results: list[JobResult], mouse: Recording, tmp_path: Path) -> None:
    assert [(result.status, result.trained) for result in two_results] == [("finished", True)] * 2
    job = two_results[1].job
    expected = train(job.recipe, mouse, tmp_path / "run", seed=job.seed, progress=False)
    weights, trained = (load_file(run.folder / "weights.safetensors") for run in (expected, two_results[1].run()))
    assert weights.keys() == trained.keys()
    assert all(torch.equal(weights[name], trained[name]) for name in weights)


def test_finished_runs_are_not_trained_again(two_results: list[JobResult]) -> None:
    executor = InProcess()
    again = run_jobs([each.job for each in two_results], two_results[0].folder, executor=executor, progress=False)
    assert executor.started == []
    assert [(result.status, result.trained) for result in again] == [("finished", False)] * 2


@pytest.mark.parametrize(
    ("change", "mentions"),
    [
        ({"recipe": small_recipe(schedule__max_epochs=1, data__batch_size=8)}, "data.batch_size is 16 there and 8 now"),
        ({"seed": 7}, "seed is 0 there and 7 now"),
        ({"finetune": 0.5}, "finetune is None there and 0.5 now"),
    ],
)
def test_another_job_of_the_same_name_is_refused(
    change: dict[str, Any], mentions: str, two_results: list[JobResult]
) -> None:
    with pytest.raises(InputError, match=re.escape(mentions)):
        run_jobs([replace(two_results[0].job, **change)], two_results[0].folder, executor=InProcess(), progress=False)


def test_another_recording_is_refused(two_results: list[JobResult], tmp_path: Path) -> None:
    other = striate.open(striate.write(small_recording(seed=5), tmp_path / "other.zip"))
    with pytest.raises(InputError, match=r"recordings is 7-1-1 \(\w{8}\) there and 7-1-1 \(\w{8}\) now"):
        run_jobs([replace(two_results[0].job, recordings=[other])], two_results[0].folder, progress=False)


def test_a_failed_job_does_not_stop_the_others(two_jobs: list[Job], tmp_path: Path) -> None:
    impossible = replace(two_jobs[0], name="impossible", recipe=small_recipe(data__areas=["V9"]))
    failed, finished = run_jobs([impossible, two_jobs[0]], tmp_path, executor=InProcess(), progress=False)
    assert failed.status == "failed"
    assert failed.reason is not None
    assert "V9" in failed.reason
    assert finished.status == "finished"


def test_what_no_job_can_do_is_refused_at_once(two_jobs: list[Job], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Two jobs have the name 'a-seed0'"):
        run_jobs([two_jobs[0]] * 2, tmp_path, progress=False)
    with pytest.raises(InputError, match="in memory alone"):
        run_jobs([replace(two_jobs[0], recordings=[small_recording()])], tmp_path, progress=False)
    with pytest.raises(InputError, match="name of a job is 'a/b'"):
        replace(two_jobs[0], name="a/b")
    withheld = striate.open(striate.write(small_recording("8-1-1", withhold=True), tmp_path / "withheld.zip"))
    with pytest.raises(WithheldError, match="no test responses that are known"):
        run_jobs([replace(two_jobs[0], recordings=[withheld])], tmp_path, test=True, progress=False)
    (tmp_path / "runs" / "a-seed0").mkdir(parents=True)
    with pytest.raises(InputError, match="was not made by a sweep"):
        run_jobs(two_jobs, tmp_path, progress=False)


def test_the_end_of_a_process_is_one_sentence() -> None:
    assert end_event("a", 0, Event("a", "finished"), False).kind == "finished"
    assert end_event("a", -signal.SIGTERM, None, True).kind == "stopped"
    killed = end_event("a", -signal.SIGKILL, None, False)
    assert (killed.kind, killed.reason) == (
        "failed",
        "Its process was ended by SIGKILL (perhaps by the system, because there was too little memory).",
    )
    assert end_event("a", 3, None, False).reason == "Its process ended with status 3; its log says more."


def test_lines_that_are_no_events_are_ignored() -> None:
    assert Event.parse("a", b'{"kind": "epoch", "epoch": 2, "value": 0.5}') == Event("a", "epoch", 2, 0.5)
    for line in (b"", b"epoch 1", b"[1]", b'{"kind": "other"}', b'{"kind": "epoch", "epoch": "x"}', b"\xff"):
        assert Event.parse("a", line) is None


def test_cores_are_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert [worker_environment(parallel)["OMP_NUM_THREADS"] for parallel in (1, 2, 3, 16)] == ["8", "4", "2", "1"]
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert worker_environment(1)["NUMBA_NUM_THREADS"] == "2"


LONG: dict[str, Any] = {"schedule__max_epochs": 25, "schedule__patience": 25, "compute__checkpoint_minutes": 1000}


@pytest.mark.slow
def test_ctrl_c_stops_processes_with_a_checkpoint(mouse: Recording, tmp_path: Path) -> None:
    class Interrupted(LocalExecutor):
        def wait(self, seconds: float) -> list[Event]:
            if any(event.epoch == 2 for event in super().wait(seconds)):
                raise KeyboardInterrupt
            return []

    job, run = Job("a", small_recipe(**LONG), [mouse], seed=3), tmp_path / "sweep/runs/a"
    with pytest.raises(KeyboardInterrupt):
        run_jobs([job], tmp_path / "sweep", executor=Interrupted(), progress=False)
    assert not Run.open(run).finished
    assert (run / "checkpoint.safetensors").exists()
    assert not (run / ".lock").exists()
    (result,) = run_jobs([job], tmp_path / "sweep", executor=InProcess(), progress=False)
    assert len(result.run().provenance["attempts"]) == 2, "it has resumed"
    whole = train(job.recipe, mouse, tmp_path / "whole", seed=3, progress=False)
    weights, resumed = (load_file(folder / "weights.safetensors") for folder in (whole.folder, run))
    assert all(torch.equal(weights[name], resumed[name]) for name in weights)


@pytest.mark.slow
def test_a_killed_process_fails_alone(two_jobs: list[Job], tmp_path: Path) -> None:
    class Killing(LocalExecutor):
        def start(self, job: str, order: Any, log: Path) -> None:
            super().start(job, order, log)
            if job == "a-seed0":
                self._processes[job].process.kill()

    failed, finished = run_jobs(two_jobs, tmp_path, parallel=2, executor=Killing(2), progress=False)
    assert (failed.status, finished.status) == ("failed", "finished")
    (again, _) = run_jobs(two_jobs, tmp_path, executor=InProcess(), progress=False)
    assert (again.status, again.trained) == ("finished", True)
