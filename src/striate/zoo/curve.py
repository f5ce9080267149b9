"""The low-data curve: one recipe trained on few and many images, from scratch and on the core of other recordings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from striate._internal.atomic_write import as_path
from striate.errors import InputError, StriateError, listed, option, validate_count
from striate.metrics.bootstrap import CONFIDENCE_LEVEL, BootstrapEstimate
from striate.sweeps import Job, JobResult, RunScores, run_jobs
from striate.sweeps.comparison import mean_over_seeds
from striate.training import Run
from striate.training.transfer import FineTuning
from striate.zoo.fitting import fitting_recipes
from striate.zoo.measure import empty_results, previous_results, write_all
from striate.zoo.results import CurvePoint, LowDataCurve, Start, ZooResults, ZooScore, summarise

if TYPE_CHECKING:
    from striate.recordings import Recording
    from striate.sweeps.executors import Executor
    from striate.training import Recipe
    from striate.training.config_overrides import Overrides

IMAGES = (100, 300, 1000)


def run_curve(
    recipe: str,
    recordings: Iterable[Recording],
    folder: str | Path,
    *,
    images: Sequence[int] = IMAGES,
    core: str | Path | None = None,
    core_recordings: Iterable[Recording] = (),
    finetune: float = 0.1,
    seeds: int = 3,
    parallel: int = 1,
    test: bool = False,
    overrides: Overrides | None = None,
    title: str | None = None,
    device: str = "auto",
    executor: Executor | None = None,
    progress: bool = True,
) -> ZooResults:
    """Train a recipe on random subsets of the training images and on all of them, and write the curve.

    Each seed draws images of its own; the larger sets of a seed contain the smaller ones. All validation and test trials are used. With a
    core of other recordings, each set is also trained with this core frozen, and with this core fine-tuned.

    Parameters
    ----------
    recipe
        Name of a recipe, or path of a TOML file.
    recordings
        Recordings on disk.
    folder
        Folder of the results, which may hold those of `run_zoo` on the same recordings.
    images
        Numbers of training images of each recording; those that exceed what a recording has are left out, and all images are always the
        last set.
    core
        Finished run of the same recipe on other recordings, whose core is used.
    core_recordings
        Other recordings, to train such a core on with each seed.
    finetune
        Learning rate of a fine-tuned core, as a fraction of that of the schedule.
    seeds, parallel, test, overrides, title, device, executor, progress
        As in `run_zoo`. With `test`, the curve shows the first test tier, otherwise the validation trials.

    Returns
    -------
    ZooResults
        The results, with the curve.

    Raises
    ------
    InputError
        If an argument is not valid, or the core is that of a recording that the curve is made of.
    StriateError
        If a training has failed; the others are kept, and the same call resumes.

    Examples
    --------
    >>> results = run_curve("cnn", [mouse], "curve", core_recordings=others)  # doctest: +SKIP
    >>> results.curve_table()[["start", "images", "mean"]]  # doctest: +SKIP
    """
    opened, others, place = list(recordings), list(core_recordings), as_path(folder, "folder")
    validate_count("seeds", seeds)
    results = previous_results(place, opened) or empty_results(opened, title=title, device=device, parallel=parallel)
    chosen, _ = fitting_recipes([*opened, *others], [recipe], overrides)
    ((name, plan),) = chosen.items()
    starts: tuple[Start, ...] = ("scratch",)
    sources = _core_sessions(core, others, opened)
    if sources:
        FineTuning(finetune, plan.schedule)  # refused before anything is trained
        starts = ("scratch", "frozen", "fine-tuned")
    available = min(each.training_images for each in results.recordings)
    sizes = _sizes(images, available)

    def run(jobs: list[Job]) -> list[JobResult]:
        done = run_jobs(jobs, place, parallel=parallel, test=test, device=device, executor=executor, progress=progress)
        if failed := [each for each in done if each.status != "finished"]:
            raise StriateError(f"The training {failed[0].job.name} has failed: {failed[0].reason}")
        return done

    cores: list[Path | None] = [None if core is None else Path(core)] * seeds
    if others:
        trained = run([Job(f"{name}-core-seed{seed}", plan, others, seed) for seed in range(seeds)])
        cores = [each.run_folder for each in trained]
    jobs = {
        (start, size, seed): Job(
            f"{name}-{start}-{size or 'all'}-seed{seed}",
            _limited(plan, size, seed),
            opened,
            seed,
            core=None if start == "scratch" else cores[seed],
            finetune=finetune if start == "fine-tuned" else None,
        )
        for size in sizes
        for start in starts
        for seed in range(seeds)
    }
    scores = dict(zip(jobs, [each.scores() for each in run(list(jobs.values()))], strict=True))
    first = next(iter(scores.values()))
    tier = next((each for each in first.tiers if each != results.validation_tier), results.validation_tier)
    points = [
        _point(
            start,
            size,
            available,
            [scores[start, size, seed] for seed in range(seeds)],
            [scores["scratch", size, seed] for seed in range(seeds)],
            tier,
            results.ranking_metric,
        )
        for size in sizes
        for start in starts
    ]
    curve = LowDataCurve(
        recipe=name,
        protocol=str(first.facts["protocol"]),
        tier=tier,
        metric=results.ranking_metric,
        seeds=tuple(range(seeds)),
        core_sessions=sources,
        finetune=finetune if sources else None,
        points=tuple(points),
    )
    results = results.with_curve(curve)
    write_all(results, place)
    return results


def _core_sessions(
    core: str | Path | None, others: Sequence[Recording], opened: Sequence[Recording]
) -> tuple[str, ...]:
    """Return the sessions that cores are trained on, none of which may be that of the curve."""
    if core is not None and others:
        raise InputError(
            f"A core and recordings to train one on were both given: leave one out ({option('--core', 'core')} or "
            f"{option('--core-from', 'core_recordings')})."
        )
    run = None if core is None else Run.open(core)
    if run is not None:
        run.require_finished()
    sources = run.sessions if run is not None else tuple(each.session for each in others)
    if both := [each.session for each in opened if each.session in sources]:
        raise InputError(
            f"The core has seen {listed(both)}, which the curve is about: give a core of other recordings."
        )
    return sources


def _sizes(images: Sequence[int], available: int) -> list[int | None]:
    """Return the sizes that are smaller than all images, and None for all."""
    for each in images:
        validate_count("images", each)
    return [*sorted({each for each in images if each < available}), None]


def _limited(recipe: Recipe, images: int | None, seed: int) -> Recipe:
    if images is None:
        return recipe
    data = recipe.data.model_copy(update={"training_images": images, "image_seed": seed})
    return recipe.model_copy(update={"data": data})


def _point(
    start: Start,
    size: int | None,
    available: int,
    scores: Sequence[RunScores],
    scratch: Sequence[RunScores],
    tier: str,
    metric: str,
) -> CurvePoint:
    estimates = [each.estimate(tier, metric) for each in scores]
    gain = None if start == "scratch" else _gain(estimates, [each.estimate(tier, metric) for each in scratch])
    return CurvePoint(start=start, images=size or available, score=summarise(estimates, start), gain=gain)


def _gain(ours: Sequence[BootstrapEstimate], theirs: Sequence[BootstrapEstimate]) -> ZooScore | None:
    """Return the relative gain over training from scratch, paired by image and seed."""
    mean, base = (mean_over_seeds(each, "curve") for each in (ours, theirs))  # equal draws of seeds and images
    if mean.value is None or not base.value:
        return None
    ratios = np.divide(mean.samples, base.samples, out=np.full_like(mean.samples, np.nan), where=base.samples > 0)
    return ZooScore.of(BootstrapEstimate(mean.value / base.value - 1, ratios - 1, CONFIDENCE_LEVEL))
