"""Train the members of an ensemble one after another, in its folder."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from striate._internal.atomic_write import as_path, refuse_existing
from striate.catalog import as_recordings
from striate.component_errors import component_errors
from striate.errors import InputError, describe_type, listed, option, validate_count, validate_seed
from striate.recordings import Recording
from striate.training import run_folder as files
from striate.training.config_overrides import Overrides
from striate.training.ensemble import Ensemble, combination, manifest
from striate.training.ensemble_members import check_members, ensemble_protocol
from striate.training.provenance import with_image_size, without_folders
from striate.training.recipe import Recipe, load_recipe
from striate.training.recipe_difference import recipe_difference
from striate.training.run import Run
from striate.training.train import train


@component_errors()
def train_ensemble(
    recipe: str | Path | Mapping[str, Any] | Recipe,
    recordings: Recording | str | Path | Iterable[Recording | str | Path] | Mapping[str, Recording],
    out: str | Path,
    *,
    seeds: int | Iterable[int] = 5,
    folds: int | None = None,
    combine: str = "rates",
    overrides: Overrides | None = None,
    device: str = "auto",
    overwrite: bool = False,
    progress: bool = True,
) -> Ensemble:
    """Train a recipe several times, and make an ensemble of the runs.

    The members are trained one after another in the folder of the ensemble. The same call resumes an ensemble that was interrupted:
    finished members are kept, and the one that was being trained goes on (see `striate.train`).

    Parameters
    ----------
    recipe, recordings, overrides, device, progress
        As in `striate.train`.
    out
        Folder of the ensemble. It must not exist, or must hold the same ensemble, unfinished.
    seeds
        Number of seeds, counted from 0, or the seeds themselves: one member for each.
    folds
        Split the images of training and validation trials into this many parts, and train a member for each seed and each part
        (``data.folds``). The ensemble has then no validation score of its own, because its members have seen the validation trials.
    combine
        What is averaged: ``"rates"`` or ``"pre-activations"``.
    overwrite
        Whether to replace an existing ensemble at `out`.

    Returns
    -------
    Ensemble
        The finished ensemble. Its provenance has ``validation_correlation``, the score on the validation trials, if that counts.

    Raises
    ------
    InputError
        As `striate.train`; also if `out` holds another ensemble.

    Examples
    --------
    >>> ensemble = train_ensemble("cnn", recording, "runs/five", seeds=5)  # doctest: +SKIP
    >>> ensemble.provenance["validation_correlation"]  # doctest: +SKIP
    0.331
    """
    chosen = combination(combine)
    plans = _plans(recipe, overrides, _seeds(seeds), folds)
    opened = as_recordings(recordings)
    if not opened:
        raise InputError("There are no recordings to train on: give at least one.")
    folder = as_path(out, "out")
    _prepare(folder, list(plans), overwrite)
    _write_plan(folder, list(plans), chosen)
    runs = []
    try:
        for name, (seed, plan) in plans.items():
            place = folder / files.MEMBERS / name
            if not _is_trained(place, plan, seed, opened):
                train(plan, opened, place, seed=seed, device=device, progress=progress)
            runs.append(Run.open(place))
    except InputError:
        _remove_plan_without_members(folder)
        raise
    sessions = check_members(runs, chosen)
    protocol = ensemble_protocol(runs, sessions[0], None)
    facts = manifest(runs, list(plans), chosen, protocol, sessions)
    ensemble = Ensemble(folder, tuple(runs), chosen, facts)
    if ensemble.trained_on_validation is None:
        facts["validation_correlation"] = ensemble.validation_correlation(opened, device=device)
    files.write_json(folder / files.ENSEMBLE, facts)
    made = Ensemble.open(folder)
    made.write_card(opened, device=device)
    return made


def _seeds(given: object) -> list[int]:
    """Return the seeds of the members, each once."""
    if isinstance(given, int):
        validate_count("seeds", given)
        return list(range(given))
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise InputError(f"seeds is {describe_type(given)}; expected their number, or a list of them.")
    seeds = list(given)
    for seed in seeds:
        validate_seed(seed)
    if len(set(seeds)) < len(seeds):
        raise InputError(f"The seeds {seeds} contain one twice: give each once.")
    return seeds


def _plans(
    recipe: str | Path | Mapping[str, Any] | Recipe, overrides: Overrides | None, seeds: list[int], folds: int | None
) -> dict[str, tuple[int, Recipe]]:
    """Return the seed and the recipe of each member, by its name."""
    loaded = load_recipe(recipe, overrides)
    if folds is None:
        plans = {f"seed-{seed}": (seed, loaded) for seed in seeds}
    else:
        validate_count("folds", folds, minimum=2)
        split = [load_recipe(loaded, {"data.folds": folds, "data.fold": fold}) for fold in range(folds)]
        plans = {f"seed-{seed}-fold-{fold}": (seed, each) for seed in seeds for fold, each in enumerate(split)}
    if len(plans) < 2:
        raise InputError("An ensemble needs at least two members: give more seeds, or folds.")
    return plans


def _prepare(folder: Path, names: list[str], overwrite: bool) -> None:
    """Check that a folder is free for these members, or remove an earlier ensemble if that is allowed."""
    if not Ensemble.is_ensemble_folder(folder):
        if folder.is_dir() and not any(folder.iterdir()):
            return
        if os.path.lexists(folder):
            raise InputError(f"{folder} holds something else than an ensemble: choose a new folder.")
        return
    if overwrite:
        (folder / files.ENSEMBLE).unlink()
        shutil.rmtree(folder / files.MEMBERS, ignore_errors=True)
        return
    existing = Ensemble.open(folder)
    if existing.finished:
        refuse_existing(folder, overwrite)
    planned = [entry["folder"] for entry in existing.provenance["members"]]
    if planned != names:
        raise InputError(
            f"{folder} holds an unfinished ensemble of other members ({planned[0]} to {planned[-1]}): go on with the same seeds and folds, "
            f"choose another folder, or allow it to be replaced ({option('--overwrite', 'overwrite=True')})."
        )


def _write_plan(folder: Path, names: list[str], combine: str) -> None:
    """Write the manifest of an ensemble that is being trained."""
    plan = {"format": 1, "status": files.TRAINING, "combine": combine, "members": [{"folder": name} for name in names]}
    files.write_json(folder / files.ENSEMBLE, plan)


def _remove_plan_without_members(folder: Path) -> None:
    """Remove the manifest if no member has been begun, so that invalid arguments leave nothing behind."""
    members = folder / files.MEMBERS
    if members.is_dir() and any(members.iterdir()):
        return
    (folder / files.ENSEMBLE).unlink(missing_ok=True)
    for each in (members, folder):
        with contextlib.suppress(OSError):
            each.rmdir()


def _is_trained(place: Path, plan: Recipe, seed: int, recordings: list[Recording]) -> bool:
    """Return whether a member is finished; refuse one that was trained otherwise."""
    if not Run.is_run_folder(place) or not (run := Run.open(place)).finished:
        return False
    first = recordings[0]
    size = plan.data.input_size(first.benchmark.stimulus, first.image_shape)
    difference = recipe_difference(run.recipe, with_image_size(without_folders(plan), size))
    there = [(entry["session"], entry["fingerprint"]) for entry in run.provenance["recordings"]]
    if difference is None and there != [(each.session, each.fingerprint) for each in recordings]:
        difference = f"it was trained on other recordings ({listed([session for session, _ in there], 4)})"
    if difference is None and run.provenance.get("seed") != seed:
        difference = f"the seed is {run.provenance.get('seed')} there and {seed} now"
    if difference is not None:
        raise InputError(
            f"{place} holds a member of another ensemble: {difference}. Go on with what it began with, choose another folder, or allow it "
            f"to be replaced ({option('--overwrite', 'overwrite=True')})."
        )
    return True
