"""The training loop: epochs, validation, early stopping, checkpoints."""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from striate.data import Batch, SessionLoaders
from striate.errors import StriateError
from striate.metrics import single_trial_correlation
from striate.models import Encoder
from striate.models.kernels import freed_memory_kept
from striate.registry import losses
from striate.training import checkpoints
from striate.training.checkpoints import Tensors, TrainingState
from striate.training.early_stopping import EarlyStopping, EpochDecision
from striate.training.losses import batch_weight, total_loss
from striate.training.neuron_weights import NeuronWeights
from striate.training.recipe import Recipe
from striate.training.signals import TrainingStopped

Row = dict[str, Any]


class Callback(Protocol):
    """Receives the progress of a training."""

    def on_step(self, step: int, steps: int, loss: float) -> None:
        """Handle the end of a step: `step` of the `steps` of the epoch are completed, with mean loss `loss`."""

    def on_epoch(self, row: Row, early_stopping: EarlyStopping) -> None:
        """Handle the end of an epoch; `row` is its row of the history."""


class Trainer:
    """Trains one encoder on one or several recordings.

    A step takes one batch of each recording, sums their losses and updates the weights once. Each step seeds the random
    number generators with the seed of the run, the epoch and the step. A training that resumes from a checkpoint
    therefore draws the same random numbers as one that was never interrupted, and the global generators are not changed.

    Parameters
    ----------
    recipe
        Settings of the loss, the schedule and the precision.
    encoder
        Encoder to train; it is changed in place.
    data
        Loaders of the recordings, with tiers ``train`` and ``validation``.
    seed
        Seed of all random numbers.
    fabric
        Lightning Fabric with the device and the precision.
    checkpoint
        Path of the checkpoint. If the file exists, training resumes from it.
    neuron_weights
        Weight of each neuron in the loss, by session; by default 1.
    callbacks
        Function of the training state that returns the callbacks, which are called after each step and each epoch.
    should_stop
        Function that is called after each batch; training stops if it returns True.
    """

    def __init__(
        self,
        recipe: Recipe,
        encoder: Encoder,
        data: SessionLoaders,
        *,
        seed: int,
        fabric: Fabric,
        checkpoint: Path,
        neuron_weights: NeuronWeights | None = None,
        callbacks: Callable[[TrainingState], list[Callback]],
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.recipe = recipe
        self.encoder = encoder
        self.data = data
        self.seed = seed
        self.checkpoint = checkpoint
        self._should_stop = should_stop
        parameters = [parameter for parameter in encoder.parameters() if parameter.requires_grad]
        optimiser = torch.optim.Adam(parameters, lr=recipe.schedule.learning_rate)
        self._fabric = fabric
        _, self._optimiser = fabric.setup(encoder, optimiser)
        self._adam = optimiser
        self._average = _ema_model(encoder, recipe.schedule.ema_decay)
        self._loss = losses.function(recipe.loss)
        self._neuron_weights = {
            session: torch.tensor(weights, device=fabric.device) for session, weights in (neuron_weights or {}).items()
        }
        self._trials = {session: len(loaders.recording.trials) for session, loaders in data.items()}
        self._measured = {session: loaders.responses("validation") for session, loaders in data.items()}
        self.best: Tensors
        self.state = TrainingState()
        if checkpoint.exists():
            self.best, self.state = checkpoints.read(checkpoint, encoder, self._average, optimiser)
            self.early_stopping = EarlyStopping.from_state(recipe.schedule, self.state.early_stopping)
        else:
            self._validate_untrained()
        self._callbacks = callbacks(self.state)

    def run(self) -> None:
        """Train until early stopping ends training, and load the best weights into the encoder.

        Raises
        ------
        TrainingStopped
            If `should_stop` returned True. A checkpoint has been written then.
        """
        with freed_memory_kept():
            while not self.early_stopping.finished:
                self._train_epoch()
                self._complete_epoch()
        self.encoder.load_state_dict(self.best)
        self.encoder.eval()

    def _validate_untrained(self) -> None:
        """Validate the untrained model, which is the first best model."""
        started = time.monotonic()
        self.best = _copy_weights(self._evaluated_encoder)
        correlation = self.validate()
        self.early_stopping = EarlyStopping(self.recipe.schedule, best=correlation)
        row = {"epoch": 0, "loss": float("nan"), "validation_correlation": correlation, "improved": True}
        rate = self.early_stopping.learning_rate
        row |= {"restored": False, "learning_rate": rate, "seconds": time.monotonic() - started}
        self.state.history.append(row)
        self._save()

    def _train_epoch(self) -> None:
        epoch, state = self.early_stopping.epoch, self.state
        for group in self._adam.param_groups:
            group["lr"] = self.early_stopping.learning_rate
        cycle = self.data.cycle("train", epoch=epoch)
        steps = len(cycle)
        seconds_before, started = state.seconds, time.monotonic()
        saved = started
        self.encoder.train()
        with _isolated_random_state(self._fabric.device):
            for step, batches in enumerate(cycle):
                if step < state.step:  # trained before the interruption
                    continue
                torch.manual_seed(_seed(self.seed, epoch, step))
                state.loss += self._step(batches)
                state.step = step + 1
                state.seconds = seconds_before + time.monotonic() - started
                for callback in self._callbacks:
                    callback.on_step(state.step, steps, state.loss / state.step)
                if time.monotonic() - saved > 60 * self.recipe.compute.checkpoint_minutes:
                    self._save()
                    saved = time.monotonic()
                self._stop_if_requested()

    def _step(self, batches: dict[str, Batch]) -> float:
        self._optimiser.zero_grad()
        total = torch.zeros((), device=self._fabric.device)
        for session, batch in batches.items():
            # one backward pass for each batch, so that only one batch is in memory; gradients accumulate
            values = self._loss(self._rates(batch, self.encoder), batch.measured_responses())
            loss = total_loss(values, self._neuron_weights.get(session))
            loss = loss * batch_weight(self._trials[session], len(batch)) + self.encoder.regulariser(session)
            self._fabric.backward(loss)
            total += loss.detach()
        self._optimiser.step()
        if self._average is not None:
            self._average.update_parameters(self.encoder)
        value = float(total)
        if not np.isfinite(value):
            raise StriateError(
                f"Training diverged: the loss became {value} in epoch {self.early_stopping.epoch + 1}. Use a lower "
                "schedule.learning_rate, and check the recordings for outliers (striate check)."
            )
        return value

    @property
    def _evaluated_encoder(self) -> Encoder:
        """Encoder that is validated and kept if it is the best: the trained one, or its moving average."""
        if self._average is None:
            return self.encoder
        average = self._average.module
        assert isinstance(average, Encoder)
        return average

    def _rates(self, batch: Batch, encoder: Encoder) -> Tensor:
        """Predict the responses to a batch in the precision of the recipe, and convert them to float32."""
        with self._fabric.autocast():
            rates: Tensor = encoder(batch)
        return rates.float()

    def validate(self) -> float:
        """Return the mean single-trial correlation of all neurons of all recordings; undefined correlations count as 0."""
        evaluated = self._evaluated_encoder
        evaluated.eval()
        correlations = []
        with torch.inference_mode():
            for session, loaders in self.data.items():
                predicted = []
                for batch in loaders.prediction("validation"):
                    predicted.append(self._rates(batch, evaluated).cpu().numpy())
                    self._stop_if_requested()
                correlations.append(single_trial_correlation(self._measured[session], np.concatenate(predicted)))
        return float(np.nan_to_num(np.concatenate(correlations)).mean())

    def _complete_epoch(self) -> None:
        started, rate, state = time.monotonic(), self.early_stopping.learning_rate, self.state
        correlation = self.validate()
        decision = self.early_stopping.complete_epoch(correlation)
        self._apply(decision)
        row = {"epoch": self.early_stopping.epoch, "loss": state.loss / state.step}
        row |= {"validation_correlation": correlation, "improved": decision.improved, "restored": decision.restore}
        row |= {"learning_rate": rate, "seconds": state.seconds + time.monotonic() - started}
        state.history.append(row)
        state.step, state.loss, state.seconds = 0, 0.0, 0.0
        self._save()
        for callback in self._callbacks:
            callback.on_epoch(row, self.early_stopping)

    def _apply(self, decision: EpochDecision) -> None:
        if decision.improved:
            self.best = _copy_weights(self._evaluated_encoder)
        elif decision.restore:
            for encoder in {self.encoder, self._evaluated_encoder}:
                encoder.load_state_dict(self.best)

    def _stop_if_requested(self) -> None:
        if self._should_stop():
            resumable = self.checkpoint.exists()  # without a checkpoint, training has not begun
            if resumable:
                self._save()
            raise TrainingStopped(resumable)

    def _save(self) -> None:
        self.state.early_stopping = self.early_stopping.state()
        checkpoints.write(self.checkpoint, self.encoder, self._average, self.best, self._adam, self.state)


def initial_seed(seed: int) -> int:
    """Return the seed of the initial weights."""
    return _seed(seed, "initial weights")


def _seed(*parts: int | str) -> int:
    """Return a seed that is derived from the seed of the run, an epoch and a step."""
    digest = hashlib.sha256(" ".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8]) >> 1


def _isolated_random_state(device: torch.device) -> Any:
    """Restore the state of the global random number generators at the end of the ``with`` block."""
    return torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])


def _ema_model(encoder: Encoder, decay: float) -> AveragedModel | None:
    """Make the exponential moving average of an encoder; None if `decay` is 0."""
    if decay == 0:
        return None
    rule = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    return AveragedModel(encoder, multi_avg_fn=rule, use_buffers=True)


def _copy_weights(encoder: Encoder) -> Tensors:
    return {name: value.detach().clone() for name, value in encoder.state_dict().items()}
