"""Training: validate the inputs, lock the folder of the run, train or resume, and write the finished run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from torch import nn

from striate._internal.atomic_write import as_path
from striate._internal.devices import resolve_device
from striate._internal.torch_defaults import torch_defaults
from striate.catalog import as_recordings
from striate.component_errors import component_errors
from striate.data import SessionLoaders, loaders
from striate.data.subsets import tier_rows
from striate.errors import InputError, StriateError, option, validate_seed
from striate.models import Encoder, EncoderSettings, ModelInputs, build_model, save
from striate.recordings import Recording
from striate.training import run_folder as files
from striate.training.callbacks import Callback, HistoryFile, callbacks_by_name, checked_callbacks
from striate.training.config_overrides import Overrides, parsed
from striate.training.distillation import Distillation
from striate.training.initialisation import initialise
from striate.training.input_statistics import RunInputs
from striate.training.interrupt_signals import Interruption, TrainingStopped
from striate.training.model_card import write_card
from striate.training.model_check import check_model
from striate.training.neuron_weights import neuron_weights as load_neuron_weights
from striate.training.own_module import OwnModelSettings, check_module
from striate.training.progress import progress_display
from striate.training.provenance import (
    check_same_run,
    collect_provenance,
    model_without_folders,
    now,
    record_attempt,
    with_image_size,
    without_folders,
)
from striate.training.recipe import Recipe, load_recipe
from striate.training.run import Run
from striate.training.tensorboard import TensorBoard
from striate.training.trained_model import TrainedModel
from striate.training.trainer import Trainer, initial_seed
from striate.training.training_lock import only_training
from striate.training.transfer import FineTuning, FrozenCore


@component_errors()
def train(
    recipe: str | Path | Mapping[str, Any] | Recipe,
    recordings: Recording | str | Path | Iterable[Recording | str | Path] | Mapping[str, Recording],
    out: str | Path,
    *,
    encoder: nn.Module | None = None,
    core: str | Path | Run | Encoder | None = None,
    finetune: float | None = None,
    teacher: str | Path | TrainedModel | None = None,
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
    encoder
        Module of your own to train instead of the one that the recipe describes: maps a `Batch` to rates, (B, N). It is trained
        in place. If it has a method ``regulariser(session)``, the scalar that it returns is added to the loss.
    core
        Run, folder of a run, or encoder whose core is reused and frozen, so that only new readouts are trained.
    finetune
        Train the core, too, once the readouts have settled, that is after the first plateau. The learning rate of the core is
        that of the schedule times this factor, such as 0.1.
    teacher
        Run or ensemble, or its folder, that the model is distilled from: its predictions are part of the targets. The table
        ``[distillation]`` of the recipe says how.
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
    validated = load_recipe(recipe, _for_own_module(overrides) if encoder is not None else overrides)
    opened = _open_recordings(recordings, validated)
    validate_seed(seed)
    target = resolve_device(device)
    extra = [*callbacks_by_name(log), *checked_callbacks(callbacks)]
    frozen_core = FrozenCore.from_source(core)
    if encoder is not None:
        check_module(encoder)
        if core is not None:
            raise InputError("core and encoder were both given: an encoder has its own core, so leave core out.")
    if teacher is not None:
        folder_of_teacher = teacher.folder if isinstance(teacher, TrainedModel) else as_path(teacher, "teacher")
        validated = load_recipe(validated, {"distillation.teacher": str(folder_of_teacher)})
    tuning = _fine_tuning(finetune, frozen_core, validated)
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
        distillation = Distillation.from_settings(validated.distillation, teacher, data, seed=seed, device=target)
        built = with_image_size(validated, data.input_shape[1:])
        validated = without_folders(built)
        provenance = collect_provenance(
            validated, opened, seed, core=frozen_core, module=encoder, weights=weights, distillation=distillation
        )
        if not overwrite:
            check_same_run(folder, validated, provenance)
        model_inputs = _model_inputs(validated, data)
        trained = _encoder(built, data, model_inputs, seed, frozen_core) if encoder is None else encoder
        inputs = RunInputs.from_loaders(data)
        if isinstance(trained, Encoder):
            trained.image_ranges = {s: one.standardisation.image_range for s, one in data.items()}
        checkpoint = folder / files.CHECKPOINT
        if overwrite or not checkpoint.exists():
            provenance["start"] = initialise(trained, data, validated.initialisation, seed)
        if isinstance(trained, Encoder):  # which has read the file
            trained.settings = cast("EncoderSettings", model_without_folders(trained.settings))
        check_model(trained, validated.loss, data, target)
        if distillation is not None:
            distillation.set_targets()  # after the initialisation, which follows the measured responses
        if overwrite:
            files.remove_run_files(folder)
        provenance = record_attempt(folder, validated, provenance, data, weights, target)
        inputs.write(folder / files.INPUTS)
        stack.enter_context(interruption.deferred())
        try:
            trainer = Trainer(
                validated,
                trained,
                data,
                seed=seed,
                fabric=fabric_for(validated, target),
                checkpoint=checkpoint,
                neuron_weights=weights,
                distillation=distillation,
                learning_rate_factors={"core": tuning.factor} if tuning else None,
                callbacks=[
                    *([tuning] if tuning else []),
                    *extra,
                    HistoryFile(folder / files.HISTORY),
                    TensorBoard(folder / files.TENSORBOARD),
                    *progress_display(progress),
                ],
                should_stop=lambda: interruption.received,
            )
            trainer.run()
            _finish(folder, trainer, model_inputs, provenance)
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


def _for_own_module(overrides: Overrides | None) -> dict[str, Any]:
    """Return the overrides with the model that stands for a module of one's own."""
    changes = {path: value for path, value in parsed(overrides).items() if path[0] != "model"}
    return {".".join(path): value for path, value in changes.items()} | {"model": {"type": OwnModelSettings().type}}


def _fine_tuning(factor: float | None, core: FrozenCore | None, recipe: Recipe) -> FineTuning | None:
    """Return the callback that unfreezes the core; None if the core is not fine-tuned."""
    if factor is None:
        return None
    if core is None:
        raise InputError(
            f"Fine-tuning needs a trained core: name the run that has it ({option('--core', 'core=run')}), or leave "
            f"{option('--finetune', 'finetune')} out."
        )
    tuning = FineTuning(factor, recipe.schedule)
    core.provenance["finetune"] = tuning.factor
    return tuning


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
    rows = tier_rows(recording, recipe.data, recording.benchmark.validation_tier)
    shown = recording.trials["image_id"].iloc[rows]
    if len(shown) < 2 or (
        shown.nunique() < 2 and not recipe.data.extra_inputs
    ):  # correlations would be 0, whatever is learnt
        raise InputError(
            f"Recording {recording.session} shows one image in its {len(shown)} trials of tier {recording.benchmark.validation_tier!r}, which cannot tell models "
            "apart: give at least two of its images that tier, and write it again."
        )


def _model_inputs(recipe: Recipe, data: SessionLoaders) -> ModelInputs:
    """Return what a model is built from: the shapes of its inputs, and the recordings."""
    context = recipe.data.context
    trials = {} if context is None else {session: len(one.recording.trials) for session, one in data.items()}
    measured = {} if context is None else {session: one.measured_trials for session, one in data.items()}
    return ModelInputs(
        data.input_shape,
        data.coordinates,
        data.behavior_size,
        data.behavior_planes,
        context=context,
        context_size=data.context_size,
        trials=trials,
        measured_trials=measured,
    )


def _encoder(
    recipe: Recipe, data: SessionLoaders, inputs: ModelInputs, seed: int, core: FrozenCore | None
) -> nn.Module:
    """Make the untrained encoder without changing the state of the global random number generator."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(initial_seed(seed))
        if core is None:
            return build_model(recipe.model, inputs)
        core.check_compatible(recipe.model, inputs)
        return core.encoder.transfer(data.coordinates, cast("EncoderSettings", recipe.model), inputs)


def _finish(folder: Path, trainer: Trainer, inputs: ModelInputs, provenance: Mapping[str, Any]) -> None:
    """Write weights and scores, mark the run as finished, write its model card, and delete the checkpoint, in this order."""
    own = isinstance(trainer.recipe.model, OwnModelSettings)  # such a module is described by its owner's code
    settings, described = (None, None) if own else (trainer.recipe.model, inputs)
    save(trainer.encoder, folder / files.WEIGHTS, settings=settings, inputs=described, overwrite=True)
    results: dict[str, Any] = {
        "status": files.FINISHED,
        "finished": now(),
        "epochs": trainer.epoch,
        "best_epoch": trainer.early_stopping.best_epoch,
        "best_validation_correlation": trainer.early_stopping.best,
    }
    for callback in trainer.callbacks:
        if isinstance(callback, FineTuning):
            results["core"] = {**provenance["core"], "unfrozen_after_epoch": callback.unfrozen_after}
    trainer.validation_scores().write(folder / files.SCORES)
    files.write_json(folder / files.PROVENANCE, {**provenance, **results})
    write_card(Run.open(folder))
    (folder / files.CHECKPOINT).unlink(missing_ok=True)
