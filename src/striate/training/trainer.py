"""The loop of training: epochs, validation, the schedule's verdicts, checkpoints."""

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
from striate.training import checkpoints
from striate.training.checkpoints import Progress, Tensors
from striate.training.early_stopping import Schedule, Verdict
from striate.training.losses import LOSSES, batch_weight
from striate.training.recipe import Recipe
from striate.training.signals import TrainingStopped

Row = dict[str, Any]


class Watcher(Protocol):
    """Who is told how training goes."""

    def on_round(self, done: int, rounds: int, loss: float) -> None:
        """One round of an epoch is done; `loss` is the mean over those so far."""

    def on_epoch(self, row: Row, schedule: Schedule) -> None:
        """An epoch was validated; `row` goes into the history."""


class Trainer:
    """Trains one encoder on one or several recordings.

    A round takes one batch of each recording, sums their losses and makes one step. Every round draws its random
    numbers from a seed of its own, made of the run's seed, the epoch and the round. So a training that goes on from
    a checkpoint draws the same as one that was never interrupted, and nothing outside the run is disturbed.

    Parameters
    ----------
    recipe
        Objective, schedule, precision.
    encoder
        To be trained, in place.
    data
        Loaders of the recordings, with tiers ``train`` and ``validation``.
    seed
        Of everything that is drawn.
    fabric
        Device and precision.
    checkpoint
        Where to write checkpoints, and to go on from if there is one.
    watchers
        Callbacks that see each batch and each epoch.
    stopping
        Called after each batch; return True to end the training there.
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
        watchers: Callable[[Progress], list[Watcher]],
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self.recipe = recipe
        self.encoder = encoder
        self.data = data
        self.seed = seed
        self.checkpoint = checkpoint
        self._stopping = stopping
        trained = [parameter for parameter in encoder.parameters() if parameter.requires_grad]
        optimiser = torch.optim.Adam(trained, lr=recipe.schedule.learning_rate)
        self._fabric = fabric
        _, self._optimiser = fabric.setup(encoder, optimiser)
        self._adam = optimiser
        self._average = _average(encoder, recipe.schedule.ema_decay)
        self._loss = LOSSES[recipe.loss.type]
        self._trials = {session: len(loaders.recording.trials) for session, loaders in data.items()}
        self._measured = {session: loaders.responses("validation") for session, loaders in data.items()}
        self.best: Tensors
        self.progress = Progress()
        if checkpoint.exists():
            self.best, self.progress = checkpoints.read(checkpoint, encoder, self._average, optimiser)
            self.schedule = Schedule.from_state(recipe.schedule, self.progress.schedule)
        else:
            self._begin()
        self._watchers = watchers(self.progress)

    def run(self) -> None:
        """Train until the schedule ends it; the encoder then has the best weights.

        Raises
        ------
        TrainingStopped
            If `stopping` ends it early, after a checkpoint has been written.
        """
        with freed_memory_kept():
            while not self.schedule.finished:
                self._train_epoch()
                self._complete_epoch()
        self.encoder.load_state_dict(self.best)
        self.encoder.eval()

    def _begin(self) -> None:
        """Validate the untrained model: it is the first best."""
        started = time.monotonic()
        self.best = _copy(self._candidate)
        correlation = self.validate()
        self.schedule = Schedule(self.recipe.schedule, best=correlation)
        row = {"epoch": 0, "loss": float("nan"), "validation_correlation": correlation, "improved": True}
        rate = self.schedule.learning_rate
        row |= {"restored": False, "learning_rate": rate, "seconds": time.monotonic() - started}
        self.progress.history.append(row)
        self._save()

    def _train_epoch(self) -> None:
        epoch, progress = self.schedule.epoch, self.progress
        for group in self._adam.param_groups:
            group["lr"] = self.schedule.learning_rate
        cycle = self.data.cycle("train", epoch=epoch)
        rounds = len(cycle)
        before, started = progress.seconds, time.monotonic()
        saved = started
        self.encoder.train()
        with _own_generator(self._fabric.device):
            for done, batches in enumerate(cycle):
                if done < progress.round:  # before the interruption
                    continue
                torch.manual_seed(_seed(self.seed, epoch, done))
                progress.loss += self._step(batches)
                progress.round = done + 1
                progress.seconds = before + time.monotonic() - started
                for watcher in self._watchers:
                    watcher.on_round(progress.round, rounds, progress.loss / progress.round)
                if time.monotonic() - saved > 60 * self.recipe.compute.checkpoint_minutes:
                    self._save()
                    saved = time.monotonic()
                self._stop_if_asked()

    def _step(self, batches: dict[str, Batch]) -> float:
        self._optimiser.zero_grad()
        total = torch.zeros((), device=self._fabric.device)
        for session, batch in batches.items():
            # each is differentiated at once, so that the memory of one batch suffices; gradients add up
            loss = self._loss(self._rates(batch, self.encoder), batch.measured_responses())
            loss = loss * batch_weight(self._trials[session], len(batch)) + self.encoder.regulariser(session)
            self._fabric.backward(loss)
            total += loss.detach()
        self._optimiser.step()
        if self._average is not None:
            self._average.update_parameters(self.encoder)
        value = float(total)
        if not np.isfinite(value):
            raise StriateError(
                f"Training diverged: the loss became {value} in epoch {self.schedule.epoch + 1}. Use a lower "
                "schedule.learning_rate, and check the recordings for outliers (striate check)."
            )
        return value

    @property
    def _candidate(self) -> Encoder:
        """What is validated, and is the result if it is the best: the encoder, or its running average."""
        if self._average is None:
            return self.encoder
        average = self._average.module
        assert isinstance(average, Encoder)
        return average

    def _rates(self, batch: Batch, encoder: Encoder) -> Tensor:
        """Predictions of a batch, in float32, computed in the precision that the recipe asks for."""
        with self._fabric.autocast():
            rates: Tensor = encoder(batch)
        return rates.float()

    def validate(self) -> float:
        """Mean single-trial correlation over all neurons of all recordings; undefined ones count as 0."""
        candidate = self._candidate
        candidate.eval()
        correlations = []
        with torch.inference_mode():
            for session, loaders in self.data.items():
                predicted = []
                for batch in loaders.prediction("validation"):
                    predicted.append(self._rates(batch, candidate).cpu().numpy())
                    self._stop_if_asked()
                correlations.append(single_trial_correlation(self._measured[session], np.concatenate(predicted)))
        return float(np.nan_to_num(np.concatenate(correlations)).mean())

    def _complete_epoch(self) -> None:
        started, rate, progress = time.monotonic(), self.schedule.learning_rate, self.progress
        correlation = self.validate()
        verdict = self.schedule.complete_epoch(correlation)
        self._obey(verdict)
        row = {"epoch": self.schedule.epoch, "loss": progress.loss / progress.round}
        row |= {"validation_correlation": correlation, "improved": verdict.improved, "restored": verdict.restore}
        row |= {"learning_rate": rate, "seconds": progress.seconds + time.monotonic() - started}
        progress.history.append(row)
        progress.round, progress.loss, progress.seconds = 0, 0.0, 0.0
        self._save()
        for watcher in self._watchers:
            watcher.on_epoch(row, self.schedule)

    def _obey(self, verdict: Verdict) -> None:
        if verdict.improved:
            self.best = _copy(self._candidate)
        elif verdict.restore:
            for encoder in {self.encoder, self._candidate}:
                encoder.load_state_dict(self.best)

    def _stop_if_asked(self) -> None:
        if self._stopping():
            begun = self.checkpoint.exists()  # without one, the untrained model is being validated: nothing was learnt
            if begun:
                self._save()
            raise TrainingStopped(begun)

    def _save(self) -> None:
        self.progress.schedule = self.schedule.state()
        checkpoints.write(self.checkpoint, self.encoder, self._average, self.best, self._adam, self.progress)


def initial_seed(seed: int) -> int:
    """Seed of the initial weights."""
    return _seed(seed, "initial weights")


def _seed(*parts: int | str) -> int:
    """Turn a run's seed, an epoch and a round into a seed that is unlike that of any other."""
    digest = hashlib.sha256(" ".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8]) >> 1


def _own_generator(device: torch.device) -> Any:
    """Give back the global generators as they were."""
    return torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])


def _average(encoder: Encoder, share: float) -> AveragedModel | None:
    """Set up the running average of an encoder; None if there shall be none."""
    if share == 0:
        return None
    rule = get_ema_multi_avg_fn(share)  # type: ignore[no-untyped-call]
    return AveragedModel(encoder, multi_avg_fn=rule, use_buffers=True)


def _copy(encoder: Encoder) -> Tensors:
    return {name: value.detach().clone() for name, value in encoder.state_dict().items()}
