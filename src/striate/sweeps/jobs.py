"""Jobs: trainings that run in processes of their own, several at a time; the same call resumes what was interrupted."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from striate._internal.atomic_write import as_path, atomic_write
from striate._internal.safe_parsing import MalformedError, parse_json_object, read_limited
from striate.errors import InputError, quoted, validate_count, validate_seed
from striate.registry import loaded_plugins
from striate.registry import metrics as metric_registry
from striate.sweeps.executors import Executor, LocalExecutor
from striate.sweeps.progress import JobProgress, job_progress
from striate.sweeps.scores import FACTS, SCORES, RunScores, metric_names, scored_tiers
from striate.training.recipe import Recipe, load_recipe_of_run
from striate.training.recipe_difference import recipe_difference

if TYPE_CHECKING:
    from striate.recordings import Recording
    from striate.training import Run

RUNS = "runs"
_JOBS = "jobs"
_RECIPE = "recipe.toml"
_JOB = "job.json"
_LOG = "log.txt"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}")


@dataclass(frozen=True, eq=False)
class Job:
    """A training to run.

    Attributes
    ----------
    name
        Name of the job, which is the name of its folders: letters, digits, ``_``, ``.``, ``+`` and ``-``.
    recipe
        The validated recipe.
    recordings
        Recordings to train on, opened from their archives: another process opens them again.
    seed
        Seed of the training.
    core
        Folder of a finished run whose core is used, as in `striate.train`.
    finetune
        Fraction of the learning rate at which that core is trained, as in `striate.train`.

    Examples
    --------
    >>> from striate.training import load_recipe
    >>> Job("cnn-seed0", load_recipe("cnn"), (), seed=0).name
    'cnn-seed0'
    """

    name: str
    recipe: Recipe
    recordings: Sequence[Recording]
    seed: int = 0
    core: Path | None = None
    finetune: float | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InputError(
                f"The name of a job is {quoted(self.name)}: use up to 100 letters, digits, '_', '.', '+' and '-', and begin "
                "with a letter or digit."
            )
        validate_seed(self.seed)


@dataclass(frozen=True, eq=False)
class JobResult:
    """How a job has ended.

    Attributes
    ----------
    job
        The job.
    folder
        Folder of all jobs.
    status
        ``"finished"``; ``"failed"``, with the reason; or ``"stopped"``, because its results so far were too bad.
    reason
        One sentence that says why a job has failed; None otherwise.
    trained
        Whether this call trained it: false for a run that was finished before.

    Examples
    --------
    >>> from striate.training import load_recipe
    >>> job = Job("cnn-seed0", load_recipe("cnn"), ())
    >>> JobResult(job, Path("sweep"), "failed", "The disk is full.").run_folder.as_posix()
    'sweep/runs/cnn-seed0'
    """

    job: Job
    folder: Path
    status: Literal["finished", "failed", "stopped"]
    reason: str | None = None
    trained: bool = True

    @property
    def run_folder(self) -> Path:
        """Folder of the run."""
        return self.folder / RUNS / self.job.name

    @property
    def log(self) -> Path:
        """File with what the process of the job has printed."""
        return self.folder / _JOBS / self.job.name / _LOG

    def run(self) -> Run:
        """Open the run."""
        from striate.training import Run

        return Run.open(self.run_folder)

    def scores(self) -> RunScores:
        """Read the scores of a finished job.

        Raises
        ------
        InputError
            If there are none, or their files are damaged.
        """
        return RunScores.read(self.folder / _JOBS / self.job.name)


def run_jobs(
    jobs: Iterable[Job],
    folder: str | Path,
    *,
    parallel: int = 1,
    test: bool = False,
    metrics: Sequence[str] = (),
    device: str = "auto",
    executor: Executor | None = None,
    progress: bool = True,
) -> list[JobResult]:
    """Train and score jobs, each in a process of its own, and wait for all of them.

    The same call with the same folder resumes what was interrupted. Finished runs are not trained again, failed ones are tried again.
    Ctrl-C stops all processes after they have written a checkpoint.

    Parameters
    ----------
    jobs
        Trainings with different names. All are compared with what the folder holds before the first one starts.
    folder
        Folder of all jobs: ``runs/NAME`` is the run of a job, ``jobs/NAME`` has its recipe, log and scores.
    parallel
        Number of processes at a time. The cores of the CPU are divided among them.
    test
        Whether to score the test tiers, too.
    metrics
        Metrics to compute beside those of the benchmark.
    device
        Device of all jobs; see `striate.train`.
    executor
        Where processes run; by default on this machine.
    progress
        Whether to show progress.

    Returns
    -------
    list of JobResult
        How each job ended, in the order of the jobs.

    Raises
    ------
    InputError
        If two jobs have the same name, or the folder holds another job with the name of one of them: another recipe, seed or recording.

    Examples
    --------
    >>> from striate.sweeps import Job, run_jobs
    >>> from striate.training import load_recipe
    >>> recording = striate.open("mouse.zip")  # doctest: +SKIP
    >>> jobs = [Job(f"cnn-seed{seed}", load_recipe("cnn"), [recording], seed) for seed in range(5)]  # doctest: +SKIP
    >>> results = run_jobs(jobs, "cnns", parallel=2)  # doctest: +SKIP
    """
    place = as_path(folder, "folder")
    queue = JobQueue(place, parallel=parallel, test=test, metrics=metrics, device=device, executor=executor)
    listed = list(jobs)
    names = [job.name for job in listed]
    if doubled := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"Two jobs have the name {doubled!r}: give each job a name of its own.")
    for job in listed:
        queue.check(job)
    waiting = iter(listed)
    with job_progress(len(listed), progress) as shown:
        results = queue.run(lambda: next(waiting, None), progress=shown)
    return [results[name] for name in names]


OnEpoch = Callable[[Job, int, float], bool]
OnEnd = Callable[[JobResult], None]


@dataclass
class JobQueue:
    """Runs jobs that are asked for one after the other, a number of them at a time.

    Parameters
    ----------
    folder, parallel, test, metrics, device, executor
        As in `run_jobs`.

    Examples
    --------
    >>> JobQueue(Path("sweep"), parallel=2).run(lambda: None)
    {}
    """

    folder: Path
    parallel: int = 1
    test: bool = False
    metrics: Sequence[str] = ()
    device: str = "auto"
    executor: Executor | None = None
    _active: dict[str, Job] = field(default_factory=dict)

    def __post_init__(self) -> None:
        validate_count("number of parallel jobs", self.parallel)
        self.metrics = tuple(metric_registry[name].name for name in self.metrics)

    def run(
        self,
        next_job: Callable[[], Job | None],
        *,
        on_epoch: OnEpoch = lambda job, epoch, value: False,
        on_end: OnEnd = lambda result: None,
        progress: JobProgress | None = None,
    ) -> dict[str, JobResult]:
        """Run jobs until there are no more.

        Parameters
        ----------
        next_job
            Function that returns the next job, or None if there is none at the moment. It is called whenever a process is free.
        on_epoch
            Called with the job, the number of completed epochs and the validation correlation; if it returns True, the job is stopped.
        on_end
            Called with each result.
        progress
            Display of the progress.

        Returns
        -------
        dict
            Results by the names of the jobs.
        """
        shown = progress or JobProgress(0)
        executor = self.executor or LocalExecutor(self.parallel)
        self._active.clear()  # what an earlier call left when it was interrupted
        results: dict[str, JobResult] = {}

        def end(result: JobResult) -> None:
            results[result.job.name] = result
            shown.end(result)
            on_end(result)

        with executor:
            while True:
                while len(self._active) < self.parallel and (job := next_job()) is not None:
                    self.check(job)
                    if self._is_done(job):
                        end(JobResult(job, self.folder, "finished", trained=False))
                        continue
                    executor.start(job.name, self._order(job), self._place(job) / _LOG)
                    self._active[job.name] = job
                    shown.start(job)
                if not self._active:
                    return results
                for event in executor.wait(0.5):
                    job = self._active[event.job]
                    if event.kind == "epoch":
                        shown.epoch(job, event.epoch, event.value)
                        if on_epoch(job, event.epoch, event.value):
                            executor.stop(job.name)
                    elif event.kind == "scoring":
                        shown.scoring(job)
                    else:
                        del self._active[job.name]
                        end(JobResult(job, self.folder, event.kind, event.reason))
                shown.refresh()

    def check(self, job: Job) -> None:
        """Compare a job with what the folder holds under its name.

        Raises
        ------
        InputError
            If the folder holds another recipe, seed, core or recording there.
        """
        for recording in job.recordings:
            if recording.source is None:
                raise InputError(
                    f"Recording {recording.session} is in memory alone, and another process cannot open it: write it by striate.write, "
                    "and open the archive."
                )
            scored_tiers(recording, test=self.test)
        place = self._place(job)
        if not (place / _JOB).exists():
            if (self.folder / RUNS / job.name).exists():
                raise InputError(
                    f"{self.folder / RUNS / job.name} exists, but was not made by a sweep: choose another folder."
                )
            return
        try:
            kept = parse_json_object(read_limited(place / _JOB))
        except (OSError, MalformedError) as error:
            raise InputError(f"{place / _JOB} is damaged: delete {place}, or choose another folder.") from error
        reason = recipe_difference(load_recipe_of_run(place / _RECIPE), _portable(job.recipe)) or next(
            (
                f"{name} is {_short(kept.get(name))} there and {_short(value)} now"
                for name, value in _description(job).items()
                if kept.get(name) != value
            ),
            None,
        )
        if reason is not None:
            raise InputError(
                f"{self.folder} holds another job {job.name!r}: {reason}. Go on with what it began with, or choose another folder."
            )

    def _place(self, job: Job) -> Path:
        return self.folder / _JOBS / job.name

    def _is_done(self, job: Job) -> bool:
        place = self._place(job)
        if not (place / SCORES).is_file() or not (place / FACTS).is_file():
            return False
        scores = RunScores.read(place)
        found = set(zip(scores.table["session"], scores.table["tier"], scores.table["metric"], strict=True))
        return all(
            (recording.session, tier, metric) in found
            for recording in job.recordings
            for tier in scored_tiers(recording, test=self.test)
            for metric in metric_names(recording, self.metrics)
        )

    def _order(self, job: Job) -> dict[str, Any]:
        """Write what describes the job, and return what its process needs."""
        place = self._place(job)
        with atomic_write(place / _RECIPE, overwrite=True) as aside:
            aside.write_text(_portable(job.recipe).to_toml(), encoding="utf-8")
        with atomic_write(place / _JOB, overwrite=True) as aside:
            aside.write_text(json.dumps(_description(job), indent=1) + "\n", encoding="utf-8")
        return {
            "recipe": job.recipe.to_toml(),
            "recordings": [str(recording.source.absolute()) for recording in job.recordings if recording.source],
            "sessions": [recording.session for recording in job.recordings],
            "fingerprints": [recording.fingerprint for recording in job.recordings],
            "seed": job.seed,
            "core": None if job.core is None else str(Path(job.core).absolute()),
            "finetune": job.finetune,
            "run": str((self.folder / RUNS / job.name).absolute()),
            "scores": str(place.absolute()),
            "test": self.test,
            "metrics": list(self.metrics),
            "device": self.device,
            "plugins": list(loaded_plugins()),
            "path": [entry for entry in sys.path if entry],
            "arguments": sys.argv,
        }


def _portable(recipe: Recipe) -> Recipe:
    from striate.training.provenance import without_folders

    return without_folders(recipe)


def _description(job: Job) -> dict[str, Any]:
    """Return what decides the result of a job beside its recipe."""
    return {
        "seed": job.seed,
        "recordings": [[recording.session, recording.fingerprint] for recording in job.recordings],
        "core": None if job.core is None else Path(job.core).name,
        "finetune": job.finetune,
    }


def _short(value: object) -> str:
    if isinstance(value, list):  # sessions and fingerprints
        return ", ".join(f"{session} ({str(fingerprint)[:8]})" for session, fingerprint in value)
    return str(value)
