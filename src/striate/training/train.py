"""Training: validate the inputs, lock the folder of the run, train or resume, and write the finished run."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray

import striate
from striate._internal.atomic_write import as_path
from striate._internal.devices import resolve_device
from striate._internal.torch_defaults import torch_defaults
from striate.catalog import as_recordings, collect_citations
from striate.data import Loaders, SessionLoaders, loaders
from striate.errors import InputError, StriateError, option, validate_seed
from striate.models import Encoder, EncoderSettings, ModelInputs, build_model, save
from striate.recordings import Recording
from striate.training import run as files
from striate.training.callbacks import Callback, HistoryFile, callbacks_by_name, checked_callbacks
from striate.training.config_overrides import Overrides
from striate.training.environment import shareable_command, shareable_platform
from striate.training.exclusive import only_training
from striate.training.initialisation import initialise
from striate.training.input_statistics import RunInputs
from striate.training.neuron_weights import NeuronWeights, hash_of
from striate.training.neuron_weights import neuron_weights as load_neuron_weights
from striate.training.plugins import plugins_of
from striate.training.progress import progress_display
from striate.training.recipe import IMAGE, Recipe, load_recipe
from striate.training.run import Run
from striate.training.signals import Interruption, TrainingStopped
from striate.training.tensorboard import TensorBoard
from striate.training.trainer import Trainer, initial_seed
from striate.training.transfer import FrozenCore


def train(
    recipe: str | Path | Mapping[str, Any] | Recipe,
    recordings: Recording | str | Path | Iterable[Recording | str | Path] | Mapping[str, Recording],
    out: str | Path,
    *,
    core: str | Path | Run | Encoder | None = None,
    neuron_weights: Mapping[str, Any] | None = None,
    seed: int = 0,
    overrides: Overrides | None = None,
    callbacks: Iterable[Callback] = (),
    log: Iterable[str | Mapping[str, Any]] | str = (),
    device: str = "auto",
    overwrite: bool = False,
    progress: bool = True,
) -> Run:
    """Train an encoder with the settings of a recipe.

    The same call resumes a training that was interrupted. On a CPU, with the same number of threads, the result has the
    same weights as a training that was not interrupted. A finished run is replaced only if `overwrite` is true.

    When SIGTERM, SIGHUP, SIGUSR1 or Ctrl-C arrives, training writes a checkpoint and then calls the signal's previous handler;
    the default handler ends the process. Signals are handled only if `train` is called in the main thread.

    Parameters
    ----------
    recipe
        Name of a recipe that comes with striate, path of a TOML file, or a `Recipe`.
    recordings
        One recording or several: open recordings, their paths, or their names. All recordings share one core.
    out
        Folder of the run. It must not exist, or must hold the same run, unfinished.
    core
        Run, folder of a run, or encoder whose core is reused and frozen, so that only new readouts are trained.
    neuron_weights
        Weight of each neuron in the loss: a mapping from each session to an array in the order of the recording's neurons, or to a
        Series by unit id. By default those of the table that ``loss.neuron_weights`` of the recipe names, or 1.
    seed
        Seed of the initial weights, the order of trials and the positions that the readouts sample.
    overrides
        Settings of the recipe to change: a mapping such as ``{"data.batch_size": 64}``, or strings such as
        ``"data.batch_size=64"``.
    callbacks
        Objects derived from `Callback`, which are called at each step and epoch.
    log
        Registered callbacks by name, such as ``["wandb"]`` or ``["mlflow"]``, or with their settings:
        ``[{"type": "wandb", "project": "v1"}]``.
    device
        ``"auto"`` (a GPU if there is one), ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.
    overwrite
        Whether to replace an existing run at `out`.
    progress
        Whether to show a progress bar (on a terminal or in a notebook) or one line on standard error for each epoch
        (elsewhere). The environment variable ``STRIATE_QUIET`` turns both off.

    Returns
    -------
    Run
        The finished run.

    Raises
    ------
    InputError
        If an argument is not valid, or another thread of the process is training. Nothing has been written then.
    StriateError
        If a signal stopped the training and its handler did not end the process.

    Examples
    --------
    >>> recording = striate.simulate(neurons=50)  # doctest: +SKIP
    >>> run = train("cnn-small", recording, "runs/first")  # doctest: +SKIP
    >>> run.history["validation_correlation"].max()  # doctest: +SKIP
    """
    validated = load_recipe(recipe, overrides)
    opened = _open_recordings(recordings, validated)
    validate_seed(seed)
    target = resolve_device(device)
    extra = [*callbacks_by_name(log), *checked_callbacks(callbacks)]
    frozen_core = FrozenCore.from_source(core)
    folder = as_path(out, "out")
    Run.check_overwrite(folder, overwrite)
    interruption, stopped = Interruption(), None
    with ExitStack() as stack:
        stack.enter_context(files.locked_folder(folder))
        stack.enter_context(only_training())
        stack.enter_context(torch_defaults(gradients=True))
        Run.check_overwrite(folder, overwrite)
        data = loaders(opened, validated.data, tiers=("train", "validation"), seed=seed, device=target)
        weights = load_neuron_weights(neuron_weights or validated.loss.neuron_weights, data)
        validated = _without_folders(validated)
        provenance = _provenance(validated, opened, seed, frozen_core, weights)
        if not overwrite:
            _check_same_run(folder, validated, provenance)
        encoder = _encoder(validated, data, seed, frozen_core)
        inputs = RunInputs.from_loaders(data)
        encoder.image_ranges = {s: one.standardisation.image_range for s, one in data.items()}
        if overwrite:
            files.remove_run_files(folder)
        checkpoint = folder / files.CHECKPOINT
        if not checkpoint.exists():
            provenance["start"] = initialise(encoder, data, validated.initialisation, seed)
        provenance = _record_attempt(folder, validated, provenance, data, weights, target)
        inputs.write(folder / files.INPUTS)
        stack.enter_context(interruption.deferred())
        try:
            trainer = Trainer(
                validated,
                encoder,
                data,
                seed=seed,
                fabric=fabric_for(validated, target),
                checkpoint=checkpoint,
                neuron_weights=weights,
                callbacks=[
                    *extra,
                    HistoryFile(folder / files.HISTORY),
                    TensorBoard(folder / files.TENSORBOARD),
                    *progress_display(progress),
                ],
                should_stop=lambda: interruption.received,
            )
            trainer.run()
            _finish(folder, trainer, provenance)
        except TrainingStopped as exception:
            stopped = exception
    message = _stop_message(folder, stopped, overwrite)
    interruption.deliver(message)  # after all files have been closed
    if stopped is not None:
        raise StriateError(message("a signal"))
    return Run.open(folder)


def _stop_message(folder: Path, stopped: TrainingStopped | None, overwrite: bool) -> Callable[[str], str]:
    """Return a function of the name of a signal that makes the message for the user."""

    def message(by: str) -> str:
        if stopped is None:
            return f"{by} arrived as the training of {folder} finished; the run is whole."
        if not stopped.resumable:
            return f"Training of {folder} was stopped by {by} before its first epoch; the same command starts it again."
        same = "the same command without overwriting" if overwrite else "the same command"
        return f"Training of {folder} was stopped by {by}. A checkpoint was written, and {same} resumes from it."

    return message


def fabric_for(recipe: Recipe, device: torch.device) -> Fabric:
    """Return Lightning Fabric for a device, with the precision of the recipe."""
    precision: Any = "bf16-mixed" if recipe.compute.precision == "bfloat16" else "32-true"
    devices: Any = [device.index or 0] if device.type == "cuda" else 1
    return Fabric(accelerator=device.type, devices=devices, precision=precision)


def _open_recordings(recordings: Any, recipe: Recipe) -> list[Recording]:
    opened = as_recordings(recordings)
    sessions = [recording.session for recording in opened]
    if doubled := [session for session in sessions if sessions.count(session) > 1]:
        raise InputError(
            f"Two recordings have the session {doubled[0]}: give each once, and name those of your own differently."
        )
    if not opened:
        raise InputError("There are no recordings to train on: give at least one.")
    for recording in opened:
        _check_recording(recording, recipe)
    return opened


def _check_recording(recording: Recording, recipe: Recipe) -> None:
    if lacking := [tier for tier in recording.benchmark.training_tiers if tier not in recording.tiers]:
        raise InputError(
            f"Recording {recording.session} has no trials of tier {lacking[0]!r}, which training needs; it has "
            f"{', '.join(recording.tiers)}: give some of its images that tier, and write it again."
        )
    shown = recording.trials["image_id"].iloc[recording.rows("validation")]
    if len(shown) < 2 or (
        shown.nunique() < 2 and recipe.protocol == IMAGE
    ):  # correlations would be 0, whatever is learnt
        raise InputError(
            f"Recording {recording.session} shows one image in its {len(shown)} trials of tier 'validation', which cannot tell models "
            "apart: give at least two of its images that tier, and write it again."
        )


def _without_folders(recipe: Recipe) -> Recipe:
    """Return the recipe with the names of files instead of their paths, which belong to this machine."""
    plugins = tuple(Path(plugin).name if plugin.endswith(".py") else plugin for plugin in recipe.plugins)
    path = recipe.loss.neuron_weights
    loss = recipe.loss.model_copy(update={"neuron_weights": None if path is None else Path(path).name})
    return recipe.model_copy(update={"plugins": plugins, "loss": loss})


def _provenance(
    recipe: Recipe, opened: list[Recording], seed: int, core: FrozenCore | None, weights: NeuronWeights | None
) -> dict[str, Any]:
    """Collect what determines the result of a training in addition to the recipe."""
    return {
        "protocol": recipe.protocol,
        "seed": seed,
        "recordings": [
            {
                "session": recording.session,
                "fingerprint": recording.fingerprint,
                "trials": len(recording.trials),
                "neurons": len(recording.neurons),
            }
            for recording in opened
        ],
        "data": collect_citations(opened),
        "core": core.provenance if core else None,
        "neuron_weights": hash_of(weights),
        "plugins": plugins_of(recipe),
    }


def _check_same_run(folder: Path, recipe: Recipe, provenance: Mapping[str, Any]) -> None:
    """Raise `InputError` if the folder holds an unfinished run with another recipe, seed, core or other recordings."""
    if not (folder / files.PROVENANCE).exists():
        return
    existing = Run.open(folder)
    reason = files.recipe_difference(existing.recipe, recipe)
    if reason is None and existing.provenance.get("seed") != provenance["seed"]:
        reason = f"the seed is {existing.provenance.get('seed')} there and {provenance['seed']} now"
    old, new = ([(r["session"], r["fingerprint"]) for r in f["recordings"]] for f in (existing.provenance, provenance))
    if reason is None and old != new:
        sessions = ", ".join(session for session, _ in old)
        reason = f"it was trained on other recordings ({sessions}), in another order, or with other content"
    cores = [(c or {}).get("sha256") for c in (existing.provenance.get("core"), provenance["core"])]
    if reason is None and cores[0] != cores[1]:
        reason = "it has another core"
    if reason is None and existing.provenance.get("neuron_weights") != provenance["neuron_weights"]:
        reason = "the weights of its neurons in the loss differ"
    if reason is not None:
        raise InputError(
            f"{folder} holds an unfinished run of something else: {reason}. Go on with what it began with, choose another "
            f"folder, or allow it to be replaced ({option('--overwrite', 'overwrite=True')})."
        )


def _encoder(recipe: Recipe, data: SessionLoaders, seed: int, core: FrozenCore | None) -> Encoder:
    """Make the untrained encoder without changing the state of the global random number generator."""
    inputs = ModelInputs(data.input_shape, data.coordinates, data.behavior_size, data.behavior_planes)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(initial_seed(seed))
        if core is None:
            return cast("Encoder", build_model(recipe.model, inputs))
        core.check_compatible(recipe.model, inputs)
        return core.encoder.transfer(data.coordinates, cast("EncoderSettings", recipe.model))


def _record_attempt(
    folder: Path,
    recipe: Recipe,
    provenance: dict[str, Any],
    data: SessionLoaders,
    weights: NeuronWeights | None,
    device: torch.device,
) -> dict[str, Any]:
    """Write the provenance of the run; a run that resumes appends another attempt."""
    attempt = {
        "started": _now(),
        "command": shareable_command(sys.argv),
        "device": str(device),
        "threads": torch.get_num_threads(),
        "striate": striate.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "platform": shareable_platform(),
    }
    attempts: list[Any] = []
    if (folder / files.PROVENANCE).exists():
        existing = Run.open(folder).provenance
        attempts = list(existing.get("attempts", []))
        provenance = {"start": existing.get("start", {}), **provenance}
    else:
        files.write_text(folder / files.RECIPE, recipe.to_toml())
        tables = [_neuron_table(session, loaders, (weights or {}).get(session)) for session, loaders in data.items()]
        files.write_table(folder / files.NEURONS, pd.concat(tables, ignore_index=True))
    provenance = {"format": 1, "status": files.TRAINING, **provenance, "attempts": [*attempts, attempt]}
    files.write_json(folder / files.PROVENANCE, provenance)
    return provenance


def _neuron_table(session: str, loaders: Loaders, weights: NDArray[np.float32] | None) -> pd.DataFrame:
    x, y, z = loaders.coordinates.T
    scale = loaders.standardisation.response_scale
    table = {"recording": session, "unit_id": loaders.unit_ids, "x": x, "y": y, "z": z, "response_scale": scale}
    if weights is not None:
        table["loss_weight"] = weights
    return pd.DataFrame(table)


def _finish(folder: Path, trainer: Trainer, provenance: Mapping[str, Any]) -> None:
    """Write the weights, mark the run as finished, and delete the checkpoint, in this order."""
    assert isinstance(trainer.encoder, Encoder)
    save(trainer.encoder, folder / files.WEIGHTS, overwrite=True)
    results = {
        "status": files.FINISHED,
        "finished": _now(),
        "epochs": trainer.epoch,
        "best_epoch": trainer.early_stopping.best_epoch,
        "best_validation_correlation": trainer.early_stopping.best,
    }
    files.write_json(folder / files.PROVENANCE, {**provenance, **results})
    (folder / files.CHECKPOINT).unlink(missing_ok=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
