"""`striate.sweep`: make the plan, run its trials, compare them, and write the results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from striate._internal.atomic_write import as_path, atomic_write
from striate.catalog import as_recordings
from striate.errors import InputError, option, validate_count
from striate.metrics.registered import registered_info
from striate.registry import metrics as metric_registry
from striate.sweeps.comparison import Comparison, compare
from striate.sweeps.executors import Executor, LocalExecutor
from striate.sweeps.jobs import Job, JobQueue, JobResult
from striate.sweeps.plan import Plan, Trial, make_plan
from striate.sweeps.progress import job_progress

if TYPE_CHECKING:
    import pandas as pd

    from striate.recordings import Recording
    from striate.training import Recipe

RESULTS = "results.parquet"
RUN_RESULTS = "runs.parquet"
PAGE = "index.html"
_RECORDINGS = "recordings"
_LOCK = ".lock"


def sweep(
    recipe: str | Path | Mapping[str, Any] | Recipe,
    recordings: Any,
    out: str | Path,
    *,
    grid: str | Path | Mapping[str, Any] | None = None,
    random: str | Path | Mapping[str, Any] | None = None,
    optuna: str | Path | Mapping[str, Any] | None = None,
    trials: int | None = None,
    seeds: int | Iterable[int] = 1,
    jobs: int = 1,
    overrides: Any = None,
    metric: str | None = None,
    baseline: str | int | None = None,
    test: bool = False,
    device: str = "auto",
    executor: str | Executor = "local",
    progress: bool = True,
) -> pd.DataFrame:
    """Train a recipe with other settings and several seeds, and compare the results on the validation trials.

    The same call resumes after an interruption. Finished runs are not trained again; failed ones are tried again.

    Parameters
    ----------
    recipe
        Name of a recipe, path of a TOML file, tables, or a `Recipe`.
    recordings
        Recordings to train on, as in `striate.train`.
    out
        Folder of the sweep: ``results.parquet`` (the returned table), ``runs.parquet`` (a row for each run), ``index.html`` (a page),
        the recipes of the best trials, and the runs.
    grid
        Values of settings, all combinations of which are trained: a TOML file, or a mapping such as
        ``{"data.batch_size": [16, 64]}``. A table among the values is an alternative with settings of its own:
        ``{"model.core": [{"type": "convolutional", "channels": [32, 64]}, {"type": "minimodel"}]}``.
    random
        Ranges of settings, from which trials are drawn at random: a TOML file, or a mapping such as
        ``{"schedule.learning_rate": {"low": 0.001, "high": 0.01, "log": True}, "data.batch_size": {"choices": [16, 64]}}``.
    optuna
        Ranges as for `random`, in which Optuna searches (extra ``sweep``). The table ``sweep`` has its options.
    trials
        Number of trials of `random` or `optuna`.
    seeds
        Number of seeds of each trial, or the seeds.
    jobs
        Number of trainings at a time. The cores of the CPU are divided among them.
    overrides
        Settings of the recipe to change in all trials; see `striate.train`.
    metric
        Name of the metric that ranks the trials, on the validation trials; by default that of the benchmark.
    baseline
        Trial that the others of its protocol are compared with; by default the best of each protocol.
    test
        Whether to score the test tiers, too. They never choose.
    device
        Device of the trainings; see `striate.train`.
    executor
        ``"local"``; ``"ray"`` for the cluster that the environment variable ``RAY_ADDRESS`` names; or an `Executor`.
    progress
        Whether to show progress.

    Returns
    -------
    DataFrame
        A row for each trial, from the best to the worst of each protocol; see `Comparison.table`.

    Raises
    ------
    InputError
        If an argument is not valid, a value that could be tried is not valid in the recipe, or the folder holds another sweep.
        Nothing has been trained then.

    Examples
    --------
    >>> table = striate.sweep(
    ...     "cnn", "mouse.zip", "sweeps/rate", grid={"schedule.learning_rate": [0.001, 0.003]}, seeds=3, jobs=2
    ... )  # doctest: +SKIP
    >>> table[["trial", "schedule.learning_rate", "validation.single_trial_correlation"]]  # doctest: +SKIP
    """
    folder = as_path(out, "out")
    return run_sweep(
        recipe,
        recordings,
        folder,
        grid=grid,
        random=random,
        optuna=optuna,
        trials=trials,
        seeds=seeds,
        jobs=jobs,
        overrides=overrides,
        metric=metric,
        baseline=baseline,
        test=test,
        device=device,
        executor=executor,
        progress=progress,
    ).table()


def run_sweep(
    recipe: Any,
    recordings: Any,
    folder: Path,
    *,
    jobs: int = 1,
    metric: str | None = None,
    baseline: str | int | None = None,
    test: bool = False,
    device: str = "auto",
    executor: str | Executor = "local",
    progress: bool = True,
    **what: Any,
) -> Comparison:
    """Do what `sweep` does, and return the comparison that its table and page are made of."""
    if metric is not None:
        metric = metric_registry[metric].name
    validate_count("number of jobs", jobs)
    plan = make_plan(recipe, (), **what)  # what is wrong in it is said before recordings are opened
    opened = as_recordings(recordings)
    if not opened:
        raise InputError("There are no recordings to train on: give at least one.")
    plan = replace(plan, recordings=opened)
    plan.validate()
    ranking = metric or default_metric(opened[0])
    fixed = plan.fixed_trials() if plan.kind != "optuna" else []
    plan.check_folder(folder)
    with locked(folder):
        plan.check_folder(folder)
        opened = _on_disk(opened, folder)
        plan = replace(plan, recordings=opened)
        runner = _executor(executor, jobs)
        further = () if metric is None else (metric,)
        queue = JobQueue(folder, parallel=jobs, test=test, metrics=further, device=device, executor=runner)
        for job in (job for trial in fixed for job in trial.jobs(opened, plan.seeds)):
            queue.check(job)
        plan.write(folder)
        ended = _search(plan, folder, queue, ranking, progress) if plan.kind == "optuna" else None
        if ended is None:
            ended = _run_all(plan, fixed, queue, progress)
        comparison = compare(
            ended,
            metric=ranking,
            validation=opened[0].benchmark.validation_tier,
            seeds=len(plan.seeds),
            baseline=None if baseline is None else str(baseline),
        )
        write_results(comparison, plan, folder)
    return comparison


def default_metric(recording: Recording) -> str:
    """Return the metric that ranks in the benchmark of a recording, if it is defined for images that are shown once.

    Examples
    --------
    >>> import striate
    >>> settings = {"neurons": 3, "train": 10, "validation": 4, "test_images": 2, "repeats": 2, "image_shape": (16, 24)}
    >>> default_metric(striate.simulate(**settings).recording)
    'single_trial_correlation'
    """
    benchmark = recording.benchmark
    ranking = benchmark.ranking_metric()
    once = recording.trials["image_id"].iloc[recording.rows(benchmark.validation_tier)].is_unique
    if once and registered_info(ranking).ratio:  # such as FEVE, which needs repeats
        return next((name for name in benchmark.metrics.names if not registered_info(name).ratio), ranking)
    return ranking


Ended = list[tuple[Trial, Sequence[JobResult], str]]


def _run_all(plan: Plan, trials: Sequence[Trial], queue: JobQueue, progress: bool) -> Ended:
    """Run all trials of a grid or a random search: every trial with the first seed, then with the second, and so on."""
    jobs = [job for seed in plan.seeds for trial in trials for job in trial.jobs(plan.recordings, [seed])]
    waiting: Iterator[Job] = iter(jobs)
    with job_progress(len(jobs), progress) as shown:
        results = queue.run(lambda: next(waiting, None), progress=shown)
    return [(trial, [results[job.name] for job in trial.jobs(plan.recordings, plan.seeds)], "") for trial in trials]


def _search(plan: Plan, folder: Path, queue: JobQueue, metric: str, progress: bool) -> Ended:
    """Run the trials that Optuna chooses."""
    from striate.sweeps.optuna_search import OptunaSearch

    validation = plan.recordings[0].benchmark.validation_tier

    def score(results: list[JobResult]) -> float | None:
        values = [result.scores().estimate(validation, metric).value for result in results]
        defined = [value for value in values if value is not None]
        return float(np.mean(defined)) if defined and len(defined) == len(values) else None

    search = OptunaSearch(plan, folder, score, higher_is_better=registered_info(metric).higher_is_better)
    with job_progress((plan.trials or 0) * len(plan.seeds), progress) as shown:
        results = queue.run(search.next_job, on_epoch=search.on_epoch, on_end=search.on_end, progress=shown)
    ended: Ended = []
    for trial in search.trials.values():
        names = [job.name for job in trial.jobs(plan.recordings, plan.seeds)]
        note = search.notes.get(trial.name, "")
        # a trial that was stopped early is not compared: its seeds are not all there
        ended.append((trial, [] if note else [results[name] for name in names if name in results], note))
    return ended


def write_results(comparison: Comparison, plan: Plan, folder: Path) -> None:
    """Write tables, page, and the recipe of the best trial of each protocol, replacing earlier ones."""
    from striate.sweeps.page import write_page

    for name, table in ((RESULTS, comparison.table()), (RUN_RESULTS, comparison.run_table())):
        with atomic_write(folder / name, overwrite=True) as aside, aside.open("wb") as file:
            table.to_parquet(file, index=False)
    for protocol, path in best_recipes(comparison, folder).items():
        best = comparison.ranked(protocol)[0].trial.recipe
        with atomic_write(path, overwrite=True) as aside:
            aside.write_text(best.to_toml(), encoding="utf-8")
    write_page(comparison, plan, folder / PAGE)


def best_recipes(comparison: Comparison, folder: Path) -> dict[str, Path]:
    """Return the path of the recipe of the best trial by protocol: ``best.toml`` if there is only one protocol.

    Examples
    --------
    >>> best_recipes(Comparison([], "feve", "validation", seeds=1), Path("sweep"))
    {}
    """
    protocols = comparison.protocols
    if len(protocols) == 1:
        return {protocols[0]: folder / "best.toml"}
    return {protocol: folder / f"best-{'-'.join(protocol.replace('+', ' ').split())}.toml" for protocol in protocols}


def _on_disk(recordings: Sequence[Recording], folder: Path) -> list[Recording]:
    """Return the recordings, those that are in memory alone written to the folder, so that other processes can open them."""
    import striate
    from striate.recordings import write

    found = []
    for recording in recordings:
        source = recording.source
        if source is not None and source.exists() and striate.open(source).fingerprint == recording.fingerprint:
            found.append(recording)
            continue
        archive = folder / _RECORDINGS / f"{recording.session}.zip"
        if not archive.exists():
            write(recording, archive)
        found.append(striate.open(archive, recording.session))
    return found


def _executor(given: str | Executor, jobs: int) -> Executor:
    if isinstance(given, Executor):
        return given
    if given == "local":
        return LocalExecutor(jobs)
    if given == "ray":
        from striate.sweeps.ray_cluster import RayExecutor

        return RayExecutor(jobs)
    raise InputError(f"{option('--executor', 'executor')} is {given!r}; expected 'local' or 'ray'.")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Create a folder if necessary, and lock it within the ``with`` block.

    Raises
    ------
    InputError
        If another process runs a sweep there, or the folder cannot be made.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp()) / "sweep"
    >>> with locked(folder):
    ...     folder.is_dir()
    True
    >>> folder.exists()  # nothing was begun
    False
    """
    from filelock import FileLock, Timeout

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(
            f"{folder} cannot be the folder of a sweep, because it or a folder above it is a file: choose another path."
        ) from error
    except OSError as error:
        raise InputError(f"{folder} cannot be made ({error.strerror}): choose another place.") from error
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise InputError(f"Another process runs a sweep in {folder}: wait for it, or choose another folder.") from error
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error.strerror}): choose another place.") from error
    try:
        yield
    finally:
        lock.release()
        if [each.name for each in folder.iterdir()] == [_LOCK]:  # nothing was begun
            (folder / _LOCK).unlink(missing_ok=True)
            folder.rmdir()
