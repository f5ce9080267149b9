"""The training loop: steps, epochs, validation, checkpoints."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from striate.data import Batch, SessionLoaders
from striate.errors import InputError, StriateError, describe_type
from striate.metrics import single_trial_correlation
from striate.models.kernels import freed_memory_kept
from striate.models.penalties import valid_penalty
from striate.registry import losses, schedules
from striate.training import checkpoints
from striate.training.callbacks import Callback
from striate.training.checkpoints import Tensors, TrainingState
from striate.training.distillation import Distillation, WeightedBatch
from striate.training.early_stopping import EarlyStopping
from striate.training.interrupt_signals import TrainingStopped
from striate.training.losses import batch_weight, total_loss
from striate.training.neuron_weights import NeuronWeights
from striate.training.optimisers import build_optimiser, evaluation_weights, restart, set_learning_rate
from striate.training.own_module import valid_rates
from striate.training.recipe import Recipe
from striate.training.schedules import Schedule
from striate.training.session_scores import SessionScores, summarise_tier
from striate.training.weight_averages import averaged_model, update_batch_statistics

Row = dict[str, Any]
Round = dict[str, Batch]  # one batch of each recording


class Trainer:
    """Trains one encoder on one or several recordings.

    A step takes one batch of each recording (or several, if gradients are accumulated), sums their losses, and updates the
    weights once. Random numbers are drawn anew for each batch, with a seed that follows from the seed of the run, the epoch,
    the number of the batch and the recording. So the result depends neither on interruptions nor on the order of work, and the
    global generators are not changed.

    Parameters
    ----------
    recipe
        Settings of the loss, the optimiser, the schedule and the precision.
    encoder
        Encoder to train, or any other module from a `Batch` to rates (B, N). It is changed in place.
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
    distillation
        Teacher of the model; by default none. Its targets of training trials have been set.
    learning_rate_factors
        Further factors of the learning rate by part, such as ``{"core": 0.1}``, for parts that may be frozen at first.
    callbacks
        Callbacks that follow early stopping and the schedule.
    should_stop
        Function that is called after each step; training stops if it returns True.

    Attributes
    ----------
    early_stopping, schedule, callbacks
        The callbacks, of which early stopping and the schedule are the first.
    optimiser
        Optimiser of the weights.
    epoch
        Number of completed epochs.
    step, steps
        Number of completed steps, and of all steps, of the current epoch.
    loss
        Mean loss of the steps of this epoch so far; in `Callback.on_epoch`, of the whole epoch.
    learning_rate
        Learning rate of the last step.
    validation_correlation
        Mean single-trial correlation on the validation trials, of the last validation.
    history
        Rows of the history: a dict for each epoch; epoch 0 is the untrained model.
    best
        Weights of the best epoch, by name.
    resumed
        Whether the training went on from a checkpoint.
    finished
        Whether training has ended.
    """

    def __init__(
        self,
        recipe: Recipe,
        encoder: nn.Module,
        data: SessionLoaders,
        *,
        seed: int,
        fabric: Fabric,
        checkpoint: Path,
        neuron_weights: NeuronWeights | None = None,
        distillation: Distillation | None = None,
        learning_rate_factors: Mapping[str, float] | None = None,
        callbacks: Iterable[Callback] = (),
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.recipe = recipe
        self.encoder = encoder
        self.data = data
        self.seed = seed
        self.folder = checkpoint.parent
        self.checkpoint = checkpoint
        self.optimiser = build_optimiser(
            recipe.optimiser, encoder, recipe.schedule.learning_rate, learning_rate_factors
        )
        self.schedule: Schedule = schedules.build(recipe.schedule)
        self.early_stopping = EarlyStopping(recipe.schedule)
        self.callbacks: list[Callback] = [self.early_stopping, self.schedule, *callbacks]
        self.steps = -(-len(data.cycle("train")) // recipe.optimiser.accumulate_steps)
        self.loss = float("nan")
        self.learning_rate = self.schedule.learning_rate(0, 0, self.steps)
        if not isinstance(self.learning_rate, int | float):
            raise InputError(
                f"The schedule {recipe.schedule.type!r} returned {describe_type(self.learning_rate)} as learning rate; expected a number."
            )
        self.validation_correlation = float("nan")
        self.best: Tensors = {}
        self.resumed = checkpoint.exists()
        self._state = TrainingState()
        self._fabric = fabric
        self._should_stop = should_stop
        _, self._wrapped_optimiser = fabric.setup(encoder, self.optimiser)
        self._average = averaged_model(encoder, recipe.schedule)
        self._average_is_better = recipe.schedule.ema_decay > 0  # a moving average always counts as better
        self._loss = losses.function(recipe.loss)
        self._distillation = distillation
        self._rounds = len(data.cycle("train"))
        self._neuron_weights = {
            session: torch.tensor(weights, device=fabric.device) for session, weights in (neuron_weights or {}).items()
        }
        self._trials = {session: len(loaders.recording.trials) for session, loaders in data.items()}
        self._measured = {session: loaders.responses("validation") for session, loaders in data.items()}

    @property
    def epoch(self) -> int:
        """Number of completed epochs."""
        return self._state.epoch

    @property
    def step(self) -> int:
        """Number of completed steps of the current epoch."""
        return self._state.step

    @property
    def max_epochs(self) -> int:
        """Maximum number of epochs."""
        return self.recipe.schedule.max_epochs

    @property
    def history(self) -> list[Row]:
        """One row for each completed epoch."""
        return self._state.history

    @property
    def finished(self) -> bool:
        """Whether training has ended."""
        return self._state.finished

    def run(self) -> None:
        """Train until a callback ends the training, and load the best weights into the encoder.

        Raises
        ------
        TrainingStopped
            If `should_stop` returned True. A checkpoint has been written then, unless training had not begun.
        """
        try:
            self._start()
            with freed_memory_kept():
                while not self.finished:
                    self._train_epoch()
                    self._complete_epoch()
            self.encoder.load_state_dict(self.best)
            self.encoder.eval()
        except TrainingStopped as stopped:
            if stopped.resumable:
                self.save_checkpoint()
            raise
        finally:
            for callback in self.callbacks:
                callback.on_end(self)

    def stop(self) -> None:
        """End training after this epoch."""
        self._state.finished = True

    def start_again(self) -> None:
        """Start early stopping and the schedule again, and go on with training; the best weights so far stay the best."""
        self._state.finished = False
        self.early_stopping.restart()
        self.schedule.restart(self.epoch)
        if self._average is not None and self.recipe.schedule.swa_start:
            self._average.n_averaged.zero_()  # the mean of the epochs to come

    def _start(self) -> None:
        """Resume from the checkpoint, or validate the untrained model, which is the first best model."""
        if self.resumed:
            self._load_checkpoint()
        else:
            started = time.monotonic()
            self.validation_correlation = self.validate()
            self._add_row(seconds=time.monotonic() - started)
        for callback in self.callbacks:
            callback.on_start(self)
        if not self.resumed:
            self.save_checkpoint()

    def _train_epoch(self) -> None:
        state, seconds_before, started = self._state, self._state.seconds, time.monotonic()
        saved = started
        self.encoder.train()
        with _isolated_random_state(self._fabric.device):
            rounds = self.data.cycle("train", epoch=self.epoch)
            for step, batches in enumerate(_groups(rounds, self.recipe.optimiser.accumulate_steps)):
                if step < state.step:  # trained before the interruption
                    continue
                self.learning_rate = self.schedule.learning_rate(self.epoch, step, self.steps)
                set_learning_rate(self.optimiser, self.learning_rate)
                state.loss += self._step(batches)
                state.step = step + 1
                state.seconds = seconds_before + time.monotonic() - started
                self.loss = state.loss / state.step
                for callback in self.callbacks:
                    callback.on_step(self)
                if time.monotonic() - saved > 60 * self.recipe.compute.checkpoint_minutes:
                    self.save_checkpoint()
                    saved = time.monotonic()
                self._stop_if_requested()

    def _step(self, rounds: Sequence[Round]) -> float:
        """Update the weights once, and return the loss."""
        self._wrapped_optimiser.zero_grad()
        total = torch.zeros((), device=self._fabric.device)
        trials = {session: sum(len(batches[session]) for batches in rounds) for session in self.data}
        first = self.step * self.recipe.optimiser.accumulate_steps  # number of the first round in the epoch
        for number, batches in enumerate(rounds, start=first):
            for index, (session, batch) in enumerate(batches.items()):
                # one backward pass for each batch, so that only one batch is in memory; gradients accumulate
                key = (self.seed, self.epoch, number, *([index] if index else []))
                loss = self._batch_loss(batch, key) * batch_weight(self._trials[session], trials[session])
                if (penalty := self._penalty(session)) is not None:
                    loss = loss + (penalty if len(rounds) == 1 else penalty / len(rounds))
                self._fabric.backward(loss)
                total += loss.detach()
                if (unlabelled := self._unlabelled_batch(session, number)) is not None:
                    # each image counts as a trial of the batch, times a factor
                    weight = batch_weight(self._trials[session], trials[session]) * unlabelled.weight
                    loss = self._batch_loss(unlabelled.batch, (*key, "unlabelled")) * weight
                    self._fabric.backward(loss)
                    total += loss.detach()
        if self.recipe.optimiser.clip_norm:
            nn.utils.clip_grad_norm_(self.encoder.parameters(), self.recipe.optimiser.clip_norm)
        self._wrapped_optimiser.step()
        if self._average is not None and self.recipe.schedule.ema_decay:
            self._average.update_parameters(self.encoder)
        value = float(total)
        if not np.isfinite(value):
            raise StriateError(
                f"Training diverged: the loss became {value} in epoch {self.epoch + 1}. Use a lower "
                "schedule.learning_rate, and check the recordings for outliers (striate check)."
            )
        return value

    def _unlabelled_batch(self, session: str, number: int) -> WeightedBatch | None:
        """Return the images of a round of the epoch that have no measured responses, with the targets of the teacher."""
        if self._distillation is None:
            return None
        return self._distillation.batch(session, self.epoch, number, self._rounds)

    def _batch_loss(self, batch: Batch, key: tuple[int | str, ...]) -> Tensor:
        """Return the loss of a batch, without weight and penalties; `key` decides all random numbers."""
        responses, weights = batch.measured_responses(), self._neuron_weights.get(batch.session)
        neurons, scale = responses.shape[1], 1.0
        drawn = self.recipe.compute.neurons_per_step
        if 0 < drawn < neurons:
            generator = torch.Generator().manual_seed(_seed(*key, "neurons"))
            chosen = torch.randperm(neurons, generator=generator)[:drawn].sort().values.to(responses.device)
            batch, responses, scale = replace(batch, neurons=chosen), responses[:, chosen], neurons / drawn
            weights = None if weights is None else weights[chosen]
        torch.manual_seed(_seed(*key))
        loss = total_loss(self._loss(self._rates(batch, self.encoder), responses), weights)
        return loss if scale == 1.0 else loss * scale

    def _penalty(self, session: str) -> Tensor | None:
        regulariser = getattr(self.encoder, "regulariser", None)
        if not callable(regulariser):
            return None
        return valid_penalty(regulariser(session), f"regulariser(session) of {type(self.encoder).__name__}")

    def _rates(self, batch: Batch, encoder: nn.Module) -> Tensor:
        """Predict the responses to a batch in the precision of the recipe, and convert them to float32."""
        with self._fabric.autocast():
            rates = encoder(batch)
        return valid_rates(rates, batch, self._measured[batch.session].shape[1]).float()

    def validate(self) -> float:
        """Return the mean single-trial correlation of all neurons of all recordings; undefined correlations count as 0.

        With stochastic weight averaging, the weights and their mean are validated, and the better ones count.
        """
        swa = self._average is not None and bool(self.recipe.schedule.swa_start)
        if swa:
            self._average_is_better = False
        correlation = self._validation_correlation()
        if not swa or not self._several_epochs_averaged:
            return correlation
        self._average_is_better = True
        of_average = self._validation_correlation()
        self._average_is_better = of_average > correlation
        return max(correlation, of_average)

    def _validation_correlation(self) -> float:
        correlations = []
        with self._evaluated_encoder() as encoder, torch.inference_mode():
            for session in self.data:
                predicted = self._validation_rates(encoder, session)
                correlations.append(single_trial_correlation(self._measured[session], predicted))
        return float(np.nan_to_num(np.concatenate(correlations)).mean())

    def validation_scores(self) -> SessionScores:
        """Score the encoder of a finished training on the validation trials of each recording, with confidence intervals."""
        sessions = {}
        with torch.inference_mode():
            for session, loaders in self.data.items():
                spec, trials = loaders.recording.benchmark, loaders.recording.trials
                predicted = self._validation_rates(self.encoder, session)
                images = trials["image_id"].to_numpy()[loaders.prediction(spec.validation_tier).dataset.rows]
                summary = summarise_tier(spec.metrics.names, self._measured[session], predicted, images)
                sessions[session] = {spec.validation_tier: summary}
        return SessionScores(sessions=sessions)

    def _validation_rates(self, encoder: nn.Module, session: str) -> NDArray[np.float32]:
        """Predict the responses to the validation trials of a recording, (T, N)."""
        predicted = []
        for batch in self.data[session].prediction("validation"):
            predicted.append(self._rates(batch, encoder).cpu().numpy())
            self._stop_if_requested()
        return np.concatenate(predicted)

    @property
    def _several_epochs_averaged(self) -> bool:
        return self._average is not None and int(self._average.n_averaged) > 1

    def _average_epoch(self) -> None:
        """Take the weights at the end of an epoch into their mean, unless this was done before an interruption."""
        start, completed = self.recipe.schedule.swa_start, self.epoch + 1
        if self._average is None or not start or completed < start or self._state.averaged_epochs == completed:
            return
        with evaluation_weights(self.optimiser):
            self._average.update_parameters(self.encoder)
        if self._several_epochs_averaged:
            module = self._average.module
            with _isolated_random_state(self._fabric.device):
                torch.manual_seed(_seed(self.seed, self.epoch, "statistics of the averaged weights"))
                rounds = self.data.cycle("train", epoch=self.epoch)
                batches = (batch for each in rounds for batch in each.values())
                update_batch_statistics(module, batches, lambda batch: self._rates(batch, module))
        self._state.averaged_epochs = completed

    @contextmanager
    def _evaluated_encoder(self) -> Iterator[nn.Module]:
        """Encoder that is validated and kept if it is the best, in evaluation mode: the trained one, or an average of it."""
        if self._average is not None and self._average_is_better:
            yield self._average.module.eval()
        else:
            with evaluation_weights(self.optimiser):
                yield self.encoder.eval()

    def _complete_epoch(self) -> None:
        started, state = time.monotonic(), self._state
        self._average_epoch()
        self.validation_correlation = self.validate()
        self.loss = state.loss / state.step
        self.learning_rate = self.schedule.learning_rate(self.epoch, self.steps - 1, self.steps)
        state.epoch += 1
        self._add_row(seconds=state.seconds + time.monotonic() - started)
        state.step, state.loss, state.seconds = 0, 0.0, 0.0
        for callback in self.callbacks:
            callback.on_epoch(self)
        self.save_checkpoint()

    def _add_row(self, seconds: float) -> None:
        row = {"epoch": self.epoch, "loss": self.loss, "validation_correlation": self.validation_correlation}
        row |= {"improved": False, "restored": False, "learning_rate": self.learning_rate, "seconds": seconds}
        self.history.append(row)

    def keep_best(self) -> None:
        """Keep the evaluated weights as the best."""
        with self._evaluated_encoder() as encoder:
            self.best = {name: value.detach().clone() for name, value in encoder.state_dict().items()}
        self.history[-1]["improved"] = True

    def restore_best(self) -> None:
        """Go on from the best weights."""
        self.encoder.load_state_dict(self.best)
        if self._average is not None and self.recipe.schedule.ema_decay:
            self._average.module.load_state_dict(self.best)
        restart(self.optimiser)
        self.history[-1]["restored"] = True

    def _stop_if_requested(self) -> None:
        if self._should_stop():
            raise TrainingStopped(resumable=self.checkpoint.exists())  # without a checkpoint, training has not begun

    def save_checkpoint(self) -> None:
        """Write a checkpoint, from which training can resume."""
        self._state.callbacks = {name: dict(each.state()) for name, each in _named(self.callbacks)}
        checkpoints.write(self.checkpoint, self.encoder, self._average, self.best, self.optimiser, self._state)

    def _load_checkpoint(self) -> None:
        self.best, self._state = checkpoints.read(self.checkpoint, self.encoder, self._average, self.optimiser)
        self.validation_correlation = self.history[-1]["validation_correlation"]
        for name, callback in _named(self.callbacks):
            if (state := self._state.callbacks.get(name)) is not None:
                callback.load_state(state)


def initial_seed(seed: int) -> int:
    """Return the seed of the initial weights."""
    return _seed(seed, "initial weights")


def _seed(*parts: int | str) -> int:
    """Return a seed that is derived from the seed of the run, an epoch, a batch and a recording."""
    digest = hashlib.sha256(" ".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8]) >> 1


def _groups(rounds: Iterable[Round], size: int) -> Iterator[list[Round]]:
    """Yield lists of `size` rounds; the last list may be shorter."""
    iterator = iter(rounds)
    while group := list(islice(iterator, size)):
        yield group


def _named(callbacks: Iterable[Callback]) -> Iterator[tuple[str, Callback]]:
    """Yield each callback with a name for its state: its class, and a number from the second of a class on."""
    count: dict[str, int] = {}
    for callback in callbacks:
        name = f"{type(callback).__module__}.{type(callback).__qualname__}"
        count[name] = count.get(name, 0) + 1
        yield (name if count[name] == 1 else f"{name} {count[name]}"), callback


def _isolated_random_state(device: torch.device) -> Any:
    """Restore the state of the global random number generators at the end of the ``with`` block."""
    return torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])
