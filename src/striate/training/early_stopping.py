"""Early stopping: which epoch was the best, and when training ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from striate.training.callbacks import StatefulCallback
from striate.training.recipe import ScheduleSettings

if TYPE_CHECKING:
    from striate.training.trainer import Trainer


class EarlyStopping(StatefulCallback):
    """Keeps the best weights, and ends training when the validation correlation does not improve any more.

    The untrained model is the first best model. `patience` consecutive epochs without improvement are a plateau, and plateau
    number `max_plateaus` ends training. What happens at earlier plateaus is up to the schedule.

    Parameters
    ----------
    settings
        Settings of the recipe.

    Attributes
    ----------
    best
        Highest validation correlation so far.
    best_epoch
        Epoch that reached `best`; 0 is the untrained model.
    epoch
        Number of completed epochs.
    bad_epochs
        Number of epochs since the last improvement, plateau or restart.
    plateaus
        Number of plateaus so far.
    improved
        Whether the last epoch improved.
    plateau
        Whether the last epoch completed a plateau.

    Examples
    --------
    >>> early_stopping = EarlyStopping(ScheduleSettings(patience=1, max_plateaus=1))
    >>> early_stopping.start(0.1)
    >>> early_stopping.update(0.2)
    >>> early_stopping.improved, early_stopping.finished
    (True, False)
    >>> early_stopping.update(0.15)
    >>> early_stopping.improved, early_stopping.plateau, early_stopping.finished, early_stopping.best
    (False, True, True, 0.2)
    """

    def __init__(self, settings: ScheduleSettings) -> None:
        self.settings = settings
        self.best = float("-inf")
        self.best_epoch = 0
        self.epoch = 0
        self.bad_epochs = 0
        self.plateaus = 0
        self.improved = False
        self.plateau = False

    @property
    def finished(self) -> bool:
        """Whether training ends."""
        return self.plateaus >= self.settings.max_plateaus or self.epoch >= self.settings.max_epochs

    def start(self, validation: float) -> None:
        """Record the validation correlation of the untrained model."""
        self.best = validation

    def update(self, validation: float) -> None:
        """Record the validation correlation after an epoch.

        Parameters
        ----------
        validation
            Mean single-trial correlation on the validation trials, with the model in evaluation mode.
        """
        self.epoch += 1
        self.improved = validation > self.best + self.settings.min_delta
        self.bad_epochs += 1
        self.plateau = not self.improved and self.bad_epochs == self.settings.patience
        if self.improved:
            self.best, self.best_epoch, self.bad_epochs = validation, self.epoch, 0
        elif self.plateau:
            self.plateaus, self.bad_epochs = self.plateaus + 1, 0

    def restart_patience(self) -> None:
        """Count epochs without improvement from 0 again."""
        self.bad_epochs = 0

    def restart(self) -> None:
        """Count epochs without improvement and plateaus from 0 again; the best epoch stays the best."""
        self.bad_epochs = self.plateaus = 0

    def on_start(self, trainer: Trainer) -> None:
        """Keep the untrained model as the first best model."""
        if not trainer.resumed:
            self.start(trainer.validation_correlation)
            trainer.keep_best()

    def on_epoch(self, trainer: Trainer) -> None:
        """Keep the weights of an epoch that improved, and end training."""
        self.update(trainer.validation_correlation)
        if self.improved:
            trainer.keep_best()
        if self.finished:
            trainer.stop()
