"""Schedules of the learning rate."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from striate.registry import schedules
from striate.training.callbacks import StatefulCallback
from striate.training.early_stopping import EarlyStopping
from striate.training.recipe import ScheduleSettings

if TYPE_CHECKING:
    from striate.training.trainer import Trainer

_NEVER = 1_000_000  # epochs: patience that early stopping never loses


class Schedule(StatefulCallback):
    """Base class of learning-rate schedules.

    A derived class is registered with ``@striate.registry.schedules.register(name, settings=...)``, where the class of the
    settings derives from `ScheduleSettings`. It defines `learning_rate` and, if it reacts to the validation, `update`. Its
    public attributes are saved in checkpoints; they must be numbers.

    Parameters
    ----------
    settings
        Settings of the recipe.

    Attributes
    ----------
    first_epoch
        Number of epochs that were completed when the schedule began; not 0 if it was started again.
    finished
        Whether the schedule is over; training ends then.

    Examples
    --------
    >>> class Halved(Schedule):
    ...     def learning_rate(self, epoch, step, steps):
    ...         return self.settings.learning_rate * 0.5**epoch
    >>> Halved(ScheduleSettings(learning_rate=1.0)).learning_rate(2, 0, 10)
    0.25
    """

    def __init__(self, settings: ScheduleSettings) -> None:
        self.settings = settings
        self.first_epoch = 0
        self.finished = False

    @abstractmethod
    def learning_rate(self, epoch: int, step: int, steps: int) -> float:
        """Return the learning rate of a step.

        Parameters
        ----------
        epoch
            Number of completed epochs.
        step
            Number of completed steps of the current epoch.
        steps
            Number of steps of an epoch.
        """

    def update(self, early_stopping: EarlyStopping) -> bool:
        """Record an epoch, and return whether training goes on from the best weights.

        Parameters
        ----------
        early_stopping
            Early stopping, which has recorded the validation of the epoch.
        """
        return False

    def restart(self, epoch: int) -> None:
        """Start again after `epoch` completed epochs."""
        vars(self).update(vars(type(self)(self.settings)))
        self.first_epoch = epoch

    def on_epoch(self, trainer: Trainer) -> None:
        """Record an epoch; restore the best weights, or end training."""
        early_stopping = trainer.early_stopping
        restore = self.update(early_stopping)
        if self.finished:
            trainer.stop()
        if restore:
            early_stopping.restart_patience()
        if (restore or trainer.finished) and not early_stopping.improved:
            trainer.restore_best()


class PlateauSettings(ScheduleSettings):
    """Settings of the schedule that reduces the learning rate when the validation correlation does not improve.

    At each plateau, training goes on from the best weights. The learning rate is counted separately.

    Attributes
    ----------
    lr_patience
        Number of consecutive epochs without improvement after which the learning rate is reduced. If it equals
        ``patience``, the learning rate is reduced at every plateau. If it is ``patience + 1``, as in the 2022 tools,
        the best weights are trained for one epoch at the old learning rate before it is reduced.
    lr_decay_factor
        Factor by which each reduction multiplies the learning rate (2022: ``lr_decay_factor``).

    Examples
    --------
    >>> PlateauSettings().lr_patience
    6
    """

    lr_patience: Annotated[int, Field(ge=1)] = 6
    lr_decay_factor: Annotated[float, Field(gt=0, lt=1)] = 0.3


@schedules.register("plateau", settings=PlateauSettings)
class PlateauSchedule(Schedule):
    """Reduces the learning rate when the validation correlation does not improve.

    Attributes
    ----------
    lr_bad_epochs
        Number of epochs since the last improvement or reduction of the learning rate.
    lr_reductions
        Number of reductions of the learning rate so far.

    Examples
    --------
    >>> schedule = PlateauSchedule(PlateauSettings(lr_patience=1, lr_decay_factor=0.5, learning_rate=1.0))
    >>> early_stopping = EarlyStopping(schedule.settings)
    >>> early_stopping.start(0.5)
    >>> early_stopping.update(0.1)
    >>> schedule.update(early_stopping), schedule.learning_rate(1, 0, 10)
    (False, 0.5)
    """

    settings: PlateauSettings

    def __init__(self, settings: PlateauSettings) -> None:
        super().__init__(settings)
        self.lr_bad_epochs = 0
        self.lr_reductions = 0

    def learning_rate(self, epoch: int, step: int, steps: int) -> float:
        """Return the learning rate, which is the same for all steps of an epoch."""
        return self.settings.learning_rate * self.settings.lr_decay_factor**self.lr_reductions

    def update(self, early_stopping: EarlyStopping) -> bool:
        """Record an epoch; a plateau restores the best weights."""
        self.lr_bad_epochs = 0 if early_stopping.improved else self.lr_bad_epochs + 1
        if self.lr_bad_epochs == self.settings.lr_patience:
            self.lr_reductions, self.lr_bad_epochs = self.lr_reductions + 1, 0
        return early_stopping.plateau


class CosineSettings(ScheduleSettings):
    """Settings of the schedule that lets the learning rate rise linearly, and fall as a half cosine until ``max_epochs``.

    Attributes
    ----------
    patience
        As in the other schedules. By default early stopping does not end training, because the last epochs with their small
        learning rates are often the best.
    warmup_epochs
        Number of epochs over which the learning rate rises; fractions are allowed.
    final_factor
        Learning rate at the end of the last epoch, as a fraction of ``learning_rate``.

    Examples
    --------
    >>> CosineSettings(max_epochs=100).warmup_epochs
    1.0
    """

    patience: Annotated[int, Field(ge=1)] = _NEVER
    warmup_epochs: Annotated[float, Field(ge=0)] = 1.0
    final_factor: Annotated[float, Field(ge=0, le=1)] = 0.0


@schedules.register("cosine", settings=CosineSettings)
class CosineSchedule(Schedule):
    """Lets the learning rate rise linearly, and fall as a half cosine (Loshchilov and Hutter, 2017, without restarts).

    Examples
    --------
    >>> schedule = CosineSchedule(CosineSettings(learning_rate=1.0, max_epochs=3, warmup_epochs=1))
    >>> [round(schedule.learning_rate(epoch, step, 2), 3) for epoch in range(3) for step in range(2)]
    [0.5, 1.0, 1.0, 0.854, 0.5, 0.146]
    """

    settings: CosineSettings

    def learning_rate(self, epoch: int, step: int, steps: int) -> float:
        """Return the learning rate of a step."""
        done, warmup = epoch - self.first_epoch + step / steps, self.settings.warmup_epochs
        if done < warmup:
            return self.settings.learning_rate * _warm_up_factor(done, steps, warmup)
        left = self.settings.max_epochs - self.first_epoch - warmup
        progress = min(1.0, (done - warmup) / left) if left > 0 else 1.0
        floor = self.settings.final_factor
        return self.settings.learning_rate * (floor + (1 - floor) * (1 + math.cos(math.pi * progress)) / 2)


class StepSettings(ScheduleSettings):
    """Settings of the schedule that reduces the learning rate after fixed periods, and goes on from the best weights.

    A plateau ends a period early. Training ends with the last period.

    Attributes
    ----------
    max_plateaus
        As in the other schedules; by default no number of plateaus ends training before the last period.
    periods
        Number of epochs of each period.
    lr_decay_factor
        Factor by which the learning rate of each period is multiplied for the next.

    Examples
    --------
    >>> StepSettings(periods=[10, 5]).lr_decay_factor
    0.3333333333333333
    """

    max_plateaus: Annotated[int, Field(ge=1, le=1000)] = 1000
    periods: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (100, 30, 30, 30)
    lr_decay_factor: Annotated[float, Field(gt=0, lt=1)] = 1 / 3


@schedules.register("step", settings=StepSettings)
class StepSchedule(Schedule):
    """Reduces the learning rate after fixed periods, and restores the best weights in between.

    Attributes
    ----------
    period
        Number of completed periods.
    epochs_of_period
        Number of completed epochs of the current period.

    Examples
    --------
    >>> schedule = StepSchedule(StepSettings(periods=(1, 2), learning_rate=0.9))
    >>> early_stopping = EarlyStopping(schedule.settings)
    >>> early_stopping.update(0.1)
    >>> schedule.update(early_stopping), round(schedule.learning_rate(1, 0, 10), 6)
    (True, 0.3)
    """

    settings: StepSettings

    def __init__(self, settings: StepSettings) -> None:
        super().__init__(settings)
        self.period = 0
        self.epochs_of_period = 0

    def learning_rate(self, epoch: int, step: int, steps: int) -> float:
        """Return the learning rate of the current period."""
        return self.settings.learning_rate * self.settings.lr_decay_factor**self.period

    def update(self, early_stopping: EarlyStopping) -> bool:
        """Record an epoch; the end of a period restores the best weights."""
        self.epochs_of_period += 1
        if not early_stopping.plateau and self.epochs_of_period < self.settings.periods[self.period]:
            return False
        self.finished = self.period + 1 == len(self.settings.periods)
        if not self.finished:
            self.period, self.epochs_of_period = self.period + 1, 0
        return True


class ConstantSettings(ScheduleSettings):
    """Settings of the schedule that keeps the learning rate, after a linear rise.

    Attributes
    ----------
    warmup_epochs
        Number of epochs over which the learning rate rises; fractions are allowed.

    Examples
    --------
    >>> ConstantSettings().warmup_epochs
    0.0
    """

    warmup_epochs: Annotated[float, Field(ge=0)] = 0.0


@schedules.register("constant", settings=ConstantSettings)
class ConstantSchedule(Schedule):
    """Keeps the learning rate, after a linear rise.

    Examples
    --------
    >>> schedule = ConstantSchedule(ConstantSettings(learning_rate=1.0, warmup_epochs=2))
    >>> [schedule.learning_rate(epoch, step, 2) for epoch in range(3) for step in range(2)]
    [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    """

    settings: ConstantSettings

    def learning_rate(self, epoch: int, step: int, steps: int) -> float:
        """Return the learning rate of a step."""
        done = epoch - self.first_epoch + step / steps
        return self.settings.learning_rate * _warm_up_factor(done, steps, self.settings.warmup_epochs)


def _warm_up_factor(done: float, steps: int, warmup_epochs: float) -> float:
    """Return the factor of the learning rate after `done` epochs: linear, and 1 for the last step of the warm-up."""
    return min(1.0, (done + 1 / steps) / warmup_epochs) if warmup_epochs else 1.0
