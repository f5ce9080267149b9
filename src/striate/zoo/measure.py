"""Train and score every recipe that fits recordings: the table of the zoo."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import striate
from striate._internal.atomic_write import as_path
from striate.errors import InputError, StriateError, listed, validate_count
from striate.models import Encoder
from striate.models.cost import multiply_adds
from striate.sweeps import Job, JobResult, RunScores, run_jobs
from striate.sweeps.executors import worker_environment
from striate.sweeps.scores import score_table, scored_tiers
from striate.training import Ensemble
from striate.zoo.fitting import fitting_recipes
from striate.zoo.references import references
from striate.zoo.results import RESULTS, MeasuredModel, MeasuredRecording, ZooResults, ZooScore, summarise

ENSEMBLES = "ensembles"  # folder in that of the results

if TYPE_CHECKING:
    from striate.recordings import Recording
    from striate.simulate import SimulatedTruth
    from striate.sweeps.executors import Executor
    from striate.training import Recipe
    from striate.training.config_overrides import Overrides


def run_zoo(
    recordings: Iterable[Recording],
    folder: str | Path,
    *,
    recipes: Iterable[str] | None = None,
    seeds: int = 3,
    parallel: int = 1,
    test: bool = False,
    ensembles: bool = False,
    truths: Sequence[SimulatedTruth] = (),
    overrides: Overrides | None = None,
    title: str | None = None,
    device: str = "auto",
    executor: Executor | None = None,
    progress: bool = True,
) -> ZooResults:
    """Train and score recipes with several seeds, and write what was measured.

    The same call resumes what was interrupted, and trains no finished run again. Models are sorted by the validation trials, also
    where test trials are scored.

    Parameters
    ----------
    recordings
        Recordings on disk, which share one core in each model.
    folder
        Folder of the results: ``results.json``, ``table.parquet``, the page ``zoo.html``, ``zoo.md``, and all runs.
    recipes
        Names of recipes, or paths of TOML files; by default all that come with striate and fit.
    seeds
        Number of trainings of each recipe.
    parallel
        Number of trainings at a time.
    test
        Whether to score the test tiers, too, where their responses are known.
    ensembles
        Whether to score the seeds of each recipe as an ensemble, too (the mean of their rates).
    truths
        Ground truths of simulated recordings, for scores as fractions of the oracle.
    overrides
        Settings to change in every recipe.
    title
        Title of the table; by default the sessions.
    device
        Device; see `striate.train`.
    executor
        Where processes run; see `striate.sweeps.run_jobs`.
    progress
        Whether to show progress.

    Returns
    -------
    ZooResults
        The results.

    Raises
    ------
    InputError
        If a recipe or an argument is not valid, or the folder holds something else.
    StriateError
        If no training has finished.

    Examples
    --------
    >>> results = run_zoo([striate.open("mouse.zip")], "zoo", recipes=["ln", "cnn"])  # doctest: +SKIP
    >>> results.table()[["recipe", "metric", "mean"]]  # doctest: +SKIP
    """
    opened, place = list(recordings), as_path(folder, "folder")
    validate_count("seeds", seeds)
    before = previous_results(place, opened)
    chosen, left_out = fitting_recipes(opened, recipes, overrides)
    if not chosen:
        raise InputError(f"No recipe fits {listed([each.session for each in opened])}: name recipes of your own.")
    jobs = [Job(f"{name}-seed{seed}", recipe, opened, seed) for name, recipe in chosen.items() for seed in range(seeds)]
    done = run_jobs(jobs, place, parallel=parallel, test=test, device=device, executor=executor, progress=progress)
    models = []
    for name, recipe in chosen.items():
        ended = [each for each in done if each.job.recipe is recipe]
        finished = [each for each in ended if each.status == "finished"]
        if finished:
            models.append(_measured(name, recipe, finished, opened))
        if ensembles and len(finished) > 1:
            models.append(_ensemble(models[-1], finished, opened, place / ENSEMBLES / name, test=test, device=device))
        if len(finished) < len(ended):
            failed = next(each for each in ended if each.status != "finished")
            left_out[name] = f"{len(ended) - len(finished)} of {len(ended)} trainings failed: {failed.reason}"
    if not models:
        raise StriateError(f"No training has finished. {next(iter(left_out.values()))}")
    tiers = tuple(dict.fromkeys(tier for each in opened for tier in scored_tiers(each, test=test)))
    results = empty_results(opened, title=title, device=device, parallel=parallel).model_copy(
        update={
            "models": tuple(models),
            "left_out": left_out,
            "references": references(opened, tiers, truths),
            "curves": before.curves if before else (),
        }
    )
    write_all(results, place)
    return results


def _measured(
    name: str, recipe: Recipe, finished: Sequence[JobResult], recordings: Sequence[Recording]
) -> MeasuredModel:
    scores = [each.scores() for each in finished]
    facts = [each.facts for each in scores]
    model: Any = finished[0].run().encoder()
    protocol = str(facts[0]["protocol"])
    return MeasuredModel(
        recipe=name,
        description=recipe.description,
        protocol=protocol,
        image_alone=bool(recordings[0].benchmark.sees_image_alone(protocol)),
        seeds=tuple(each.job.seed for each in finished),
        parameters=facts[0]["parameters"],
        multiply_adds=multiply_adds(model) if isinstance(model, Encoder) else None,
        seconds=float(np.mean([each["seconds"] for each in facts])),
        memory_mib=float(np.mean([each["memory_mib"] for each in facts])),
        scores={
            tier: {
                metric: summarise([each.estimate(tier, metric) for each in scores], name)
                for metric in scores[0].metrics
            }
            for tier in scores[0].tiers
        },
    )


def _ensemble(
    single: MeasuredModel,
    finished: Sequence[JobResult],
    recordings: Sequence[Recording],
    folder: Path,
    *,
    test: bool,
    device: str,
) -> MeasuredModel:
    """Score the runs of a recipe as one ensemble, whose interval is from resamples of the images alone."""
    ensemble = Ensemble.from_runs([each.run() for each in finished], folder, overwrite=True)
    scores = RunScores(score_table(ensemble, recordings, test=test, device=device), {})
    count = len(finished)
    return single.model_copy(
        update={
            "recipe": f"{single.recipe} × {count}",
            "members": count,
            "parameters": single.parameters * count,
            "multiply_adds": None if single.multiply_adds is None else single.multiply_adds * count,
            "seconds": single.seconds * count,
            "scores": {
                tier: {metric: ZooScore.of(scores.estimate(tier, metric)) for metric in scores.metrics}
                for tier in scores.tiers
            },
        }
    )


def empty_results(recordings: Sequence[Recording], *, title: str | None, device: str, parallel: int) -> ZooResults:
    """Return results without models: what recordings are measured, and with what."""
    import torch

    from striate._internal.devices import resolve_device

    if not recordings:
        raise InputError("There are no recordings: give at least one.")
    spec = recordings[0].benchmark
    measured = []
    for each in recordings:
        rows = each.rows(each.benchmark.training_tier)
        measured.append(
            MeasuredRecording(
                session=each.session,
                fingerprint=each.fingerprint,
                neurons=len(each.neurons),
                training_trials=len(rows),
                training_images=int(each.trials["image_id"].iloc[rows].nunique()),
            )
        )
    return ZooResults(
        title=title or f"Recording {listed([each.session for each in recordings], 6)}",
        striate=striate.__version__,
        torch=torch.__version__,
        device=str(resolve_device(device)),
        threads=int(worker_environment(parallel)["OMP_NUM_THREADS"]),
        parallel=parallel,
        benchmark=spec.name,
        ranking_metric=spec.ranking_metric(),
        validation_tier=spec.validation_tier,
        recordings=tuple(measured),
    )


def previous_results(folder: Path, recordings: Sequence[Recording]) -> ZooResults | None:
    """Return the results that a folder holds; None if it holds none.

    Raises
    ------
    InputError
        If they are those of other recordings.
    """
    if not (folder / RESULTS).exists():
        return None
    results = ZooResults.read(folder)
    kept = [(each.session, each.fingerprint) for each in results.recordings]
    if kept != [(each.session, each.fingerprint) for each in recordings]:
        raise InputError(
            f"{folder} holds results of {listed([session for session, _ in kept])}, in this order and with this content: choose another "
            "folder for other recordings."
        )
    return results


def write_all(results: ZooResults, folder: Path) -> None:
    """Write results, tables, page and Markdown to a folder."""
    from striate._internal.atomic_write import atomic_write
    from striate.zoo.markdown import zoo_markdown
    from striate.zoo.page import write_page

    results.write(folder)
    write_page(results, folder / "zoo.html")
    with atomic_write(folder / "zoo.md", overwrite=True) as aside:
        aside.write_text(zoo_markdown([results]), encoding="utf-8")
