"""Training from beginning to end: check everything, claim the folder, train or go on, leave a finished run."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric

import striate
from striate._internal.atomic_write import as_path
from striate._internal.devices import device_for
from striate._internal.torch_defaults import torch_defaults
from striate.catalog import as_recordings, credit
from striate.data import Loaders, SessionLoaders, loaders
from striate.errors import InputError, StriateError, checked_seed, option
from striate.models import Encoder, build_encoder, save
from striate.recordings import Recording
from striate.training import run as files
from striate.training.callbacks import TensorBoard, display
from striate.training.checkpoints import Progress
from striate.training.config_overrides import Overrides
from striate.training.early_stopping import Schedule
from striate.training.environment import shareable_command, shareable_platform
from striate.training.exclusive import only_training
from striate.training.initialisation import initialise
from striate.training.input_statistics import RunInputs
from striate.training.recipe import IMAGE, Recipe, load_recipe
from striate.training.run import Run
from striate.training.signals import Interruption, TrainingStopped
from striate.training.trainer import Trainer, Watcher, initial_seed
from striate.training.transfer import CoreOf

if TYPE_CHECKING:
    from striate.training.trainer import Row


def train(
    recipe: str | Path | Mapping[str, Any] | Recipe,
    recordings: Recording | str | Path | Iterable[Recording | str | Path] | Mapping[str, Recording],
    out: str | Path,
    *,
    core: str | Path | Run | Encoder | None = None,
    seed: int = 0,
    overrides: Overrides | None = None,
    device: str = "auto",
    overwrite: bool = False,
    progress: bool = True,
) -> Run:
    """Train an encoder as a recipe says.

    A training that was killed goes on when the same call is made again, and ends (on a CPU, with the same number of
    threads) with the weights that it would have had. A finished run is never overwritten unless asked.

    SIGTERM, SIGHUP, SIGUSR1 and Ctrl-C first let it write a checkpoint, and then do what they did before the call: without a
    handler of yours, they end the process. Only calls from the main thread see signals.

    Parameters
    ----------
    recipe
        Name of a recipe that comes with striate, path of a TOML file, or a `Recipe`.
    recordings
        One recording or several, open or by their paths or names; their encoders share one core.
    out
        Folder of the run; it may not exist yet, or hold the same run, unfinished.
    core
        An earlier run (or encoder) whose core is taken and frozen: only new readouts are trained.
    seed
        Of initial weights, order of trials, and positions drawn by the readouts.
    overrides
        Settings of the recipe to change, such as ``{"data.batch_size": 64}``.
    device
        ``"auto"`` (a GPU if there is one), ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.
    overwrite
        Whether a run that stands at `out` may be replaced.
    progress
        Whether to show progress: a bar on a terminal or in a notebook, elsewhere (in the log of a job) a line on
        standard error for each epoch. The environment variable ``STRIATE_QUIET`` turns it off, too.

    Returns
    -------
    Run
        The finished run.

    Raises
    ------
    InputError
        If anything that was given cannot be used, or another thread of the process is training; nothing has been written then.
    StriateError
        If a signal stopped the training, and a handler of yours let the process live.
    """
    plan = load_recipe(recipe, overrides)
    several = _several(recordings, plan)
    checked_seed(seed)
    where = device_for(device)
    given = CoreOf.given(core)
    folder = as_path(out, "out")
    Run.refuse_finished(folder, overwrite)
    interruption, stopped = Interruption(), None
    with ExitStack() as stack:
        stack.enter_context(files.claimed(folder))
        stack.enter_context(only_training())
        stack.enter_context(torch_defaults(gradients=True))
        Run.refuse_finished(folder, overwrite)
        facts = _facts(plan, several, seed, given)
        if not overwrite:
            _refuse_another(folder, plan, facts)
        data = loaders(several, plan.data, tiers=("train", "validation"), seed=seed, device=where)
        encoder = _encoder(plan, data, seed, given)
        inputs = RunInputs.of(data)
        encoder.image_ranges = {s: one.standardisation.image_range for s, one in data.items()}
        if overwrite:
            files.emptied(folder)
        checkpoint = folder / files.CHECKPOINT
        if not checkpoint.exists():
            facts["start"] = initialise(encoder, data, plan.initialisation, seed)
        facts = _begin(folder, plan, facts, data, where)
        inputs.write(folder / files.INPUTS)
        displays = stack.enter_context(display(plan.schedule.max_epochs, progress))
        resumed = checkpoint.exists()

        def watchers(standing: Progress) -> list[Watcher]:
            events = TensorBoard(folder / files.TENSORBOARD, len(standing.history))
            stack.callback(events.close)
            for each in displays:
                each.begin(len(standing.history) - 1, _resumed(folder, standing) if resumed else None)
            return [_HistoryFile(folder, standing), events, *displays]

        stack.enter_context(interruption.deferred())
        try:
            trainer = Trainer(
                plan,
                encoder,
                data,
                seed=seed,
                fabric=fabric_for(plan, where),
                checkpoint=checkpoint,
                watchers=watchers,
                stopping=lambda: interruption.asked,
            )
            trainer.run()
            _finish(folder, trainer, facts)
        except TrainingStopped as caught:
            stopped = caught
    sentence = _stopped(folder, stopped, overwrite)
    interruption.deliver(sentence)  # after everything is closed
    if stopped is not None:
        raise StriateError(sentence("a signal"))
    return Run.open(folder)


def _stopped(folder: Path, stopped: TrainingStopped | None, overwrite: bool) -> Callable[[str], str]:
    """Make the sentence that says how a training ended by a signal goes on."""

    def sentence(by: str) -> str:
        if stopped is None:
            return f"{by} arrived as the training of {folder} finished; the run is whole."
        if not stopped.goes_on:
            return f"Training of {folder} was stopped by {by} before its first epoch; the same command starts it again."
        same = "the same command without overwriting" if overwrite else "the same command"
        return f"Training of {folder} was stopped by {by}. A checkpoint was written, and {same} goes on from there."

    return sentence


def fabric_for(recipe: Recipe, device: torch.device) -> Fabric:
    """Set up the device, and the precision that the recipe asks for."""
    precision: Any = "bf16-mixed" if recipe.compute.precision == "bfloat16" else "32-true"
    devices: Any = [device.index or 0] if device.type == "cuda" else 1
    return Fabric(accelerator=device.type, devices=devices, precision=precision)


def _resumed(folder: Path, standing: Progress) -> str:
    epochs = len(standing.history) - 1
    rounds = f" and {standing.round} rounds of the next" if standing.round else ""
    return f"Resuming {folder} after {epochs} epoch{'s' * (epochs != 1)}{rounds}."


class _HistoryFile:
    """Keeps the history where everybody can read it while training goes on."""

    def __init__(self, folder: Path, standing: Progress) -> None:
        self._path = folder / files.HISTORY
        self._standing = standing
        self.write()

    def write(self) -> None:
        files.write_table(self._path, pd.DataFrame(self._standing.history))

    def on_round(self, done: int, rounds: int, loss: float) -> None:
        pass

    def on_epoch(self, row: Row, schedule: Schedule) -> None:
        self.write()


def _several(recordings: Any, plan: Recipe) -> list[Recording]:
    several = as_recordings(recordings)
    sessions = [recording.session for recording in several]
    if doubled := [session for session in sessions if sessions.count(session) > 1]:
        raise InputError(
            f"Two recordings have the session {doubled[0]}: give each once, and name those of your own differently."
        )
    if not several:
        raise InputError("There are no recordings to train on: give at least one.")
    for recording in several:
        _refuse_unfit(recording, plan)
    return several


def _refuse_unfit(recording: Recording, plan: Recipe) -> None:
    if lacking := [tier for tier in ("train", "validation") if tier not in recording.tiers]:
        raise InputError(
            f"Recording {recording.session} has no trials of tier {lacking[0]!r}, which training needs; it has "
            f"{', '.join(recording.tiers)}: give some of its images that tier, and write it again."
        )
    shown = recording.trials["image_id"].iloc[recording.rows("validation")]
    if len(shown) < 2 or (
        shown.nunique() < 2 and plan.protocol == IMAGE
    ):  # correlations would be 0, whatever is learnt
        raise InputError(
            f"Recording {recording.session} shows one image in its {len(shown)} trials of tier 'validation', which cannot tell models "
            "apart: give at least two of its images that tier, and write it again."
        )


def _facts(plan: Recipe, several: list[Recording], seed: int, core: CoreOf | None) -> dict[str, Any]:
    """What decides the outcome of a training besides the recipe."""
    return {
        "protocol": plan.protocol,
        "seed": seed,
        "recordings": [
            {
                "session": recording.session,
                "fingerprint": recording.fingerprint,
                "trials": len(recording.trials),
                "neurons": len(recording.neurons),
            }
            for recording in several
        ],
        "data": credit(several),
        "core": core.facts if core else None,
    }


def _refuse_another(folder: Path, plan: Recipe, facts: Mapping[str, Any]) -> None:
    """An unfinished run goes on only as what it began."""
    if not (folder / files.PROVENANCE).exists():
        return
    there = Run.open(folder)
    reason = files.difference(there.recipe, plan)
    if reason is None and there.provenance.get("seed") != facts["seed"]:
        reason = f"the seed is {there.provenance.get('seed')} there and {facts['seed']} now"
    old, new = ([(r["session"], r["fingerprint"]) for r in f["recordings"]] for f in (there.provenance, facts))
    if reason is None and old != new:
        sessions = ", ".join(session for session, _ in old)
        reason = f"it was trained on other recordings ({sessions}), in another order, or with other content"
    cores = [(c or {}).get("sha256") for c in (there.provenance.get("core"), facts["core"])]
    if reason is None and cores[0] != cores[1]:
        reason = "it has another core"
    if reason is not None:
        raise InputError(
            f"{folder} holds an unfinished run of something else: {reason}. Go on with what it began with, choose another "
            f"folder, or allow it to be replaced ({option('--overwrite', 'overwrite=True')})."
        )


def _encoder(plan: Recipe, data: SessionLoaders, seed: int, core: CoreOf | None) -> Encoder:
    """Make the untrained encoder, without disturbing the global generator."""
    shape = data.input_shape
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(initial_seed(seed))
        if core is None:
            return build_encoder(plan.model, data.coordinates, shape)
        core.refuse_unless_fits(plan.model.core, shape)
        return core.encoder.transfer(data.coordinates, plan.model)


def _begin(
    folder: Path, plan: Recipe, facts: dict[str, Any], data: SessionLoaders, device: torch.device
) -> dict[str, Any]:
    """Write down what is about to be trained; a run that goes on notes that it did."""
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
        there = Run.open(folder).provenance
        attempts = list(there.get("attempts", []))
        facts = {"start": there.get("start", {}), **facts}
    else:
        files.write_text(folder / files.RECIPE, plan.to_toml())
        tables = [_neuron_table(session, loaders) for session, loaders in data.items()]
        files.write_table(folder / files.NEURONS, pd.concat(tables, ignore_index=True))
    facts = {"format": 1, "status": files.TRAINING, **facts, "attempts": [*attempts, attempt]}
    files.write_json(folder / files.PROVENANCE, facts)
    return facts


def _neuron_table(session: str, loaders: Loaders) -> pd.DataFrame:
    x, y, z = loaders.coordinates.T
    scale = loaders.standardisation.response_scale
    return pd.DataFrame(
        {"recording": session, "unit_id": loaders.unit_ids, "x": x, "y": y, "z": z, "response_scale": scale}
    )


def _finish(folder: Path, trainer: Trainer, facts: Mapping[str, Any]) -> None:
    """Leave the result, then say that it is whole, then drop what is needed no more."""
    save(trainer.encoder, folder / files.WEIGHTS, overwrite=True)
    schedule = trainer.schedule
    results = {
        "status": files.FINISHED,
        "finished": _now(),
        "epochs": schedule.epoch,
        "best_epoch": schedule.best_epoch,
        "best_validation_correlation": schedule.best,
    }
    files.write_json(folder / files.PROVENANCE, {**facts, **results})
    (folder / files.CHECKPOINT).unlink(missing_ok=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
