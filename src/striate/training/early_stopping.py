"""Early stopping: when to reduce the learning rate, restore the best weights, and stop training."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from striate.training.recipe import ScheduleSettings


@dataclass(frozen=True)
class EpochDecision:
    """What the trainer does after the validation of an epoch.

    Attributes
    ----------
    improved
        Whether the weights are the best so far and are kept.
    restore
        Whether the trainer restores the best weights.
    finished
        Whether training ends. The best weights are its result.
    """

    improved: bool
    restore: bool
    finished: bool


@dataclass
class EarlyStopping:
    """Decides from the validation correlation of each epoch how training continues.

    The untrained model is the first best model. `patience` consecutive epochs without improvement are a plateau: the best
    weights are restored, and plateau number `max_plateaus` ends training. The learning rate is counted separately: it is
    reduced after `lr_patience` consecutive epochs without improvement, whether or not weights were restored in between.

    Attributes
    ----------
    settings
        Settings of the recipe.
    best
        Highest validation correlation so far.
    best_epoch
        Epoch that reached `best`; 0 is the untrained model.
    epoch
        Number of completed epochs.
    bad_epochs
        Number of epochs since the last improvement or plateau.
    plateaus
        Number of plateaus so far.
    lr_bad_epochs
        Number of epochs since the last improvement or reduction of the learning rate.
    lr_reductions
        Number of reductions of the learning rate so far.

    Examples
    --------
    >>> early_stopping = EarlyStopping(ScheduleSettings(patience=1, max_plateaus=1), best=0.1)
    >>> early_stopping.complete_epoch(0.2)
    EpochDecision(improved=True, restore=False, finished=False)
    >>> early_stopping.complete_epoch(0.15)
    EpochDecision(improved=False, restore=True, finished=True)
    """

    settings: ScheduleSettings
    best: float
    best_epoch: int = 0
    epoch: int = 0
    bad_epochs: int = 0
    plateaus: int = 0
    lr_bad_epochs: int = 0
    lr_reductions: int = 0

    @property
    def learning_rate(self) -> float:
        """Learning rate of the next epoch."""
        return self.settings.learning_rate * self.settings.lr_decay_factor**self.lr_reductions

    @property
    def finished(self) -> bool:
        """Whether training has ended."""
        return self.plateaus >= self.settings.max_plateaus or self.epoch >= self.settings.max_epochs

    def complete_epoch(self, validation: float) -> EpochDecision:
        """Record the validation correlation after an epoch.

        Parameters
        ----------
        validation
            Mean single-trial correlation on the validation trials, with the model in evaluation mode.

        Returns
        -------
        EpochDecision
            Whether the epoch improved, whether to restore the best weights, and whether training ends.
        """
        self.epoch += 1
        improved = validation > self.best + self.settings.min_delta
        if improved:
            self.best, self.best_epoch, self.bad_epochs, self.lr_bad_epochs = validation, self.epoch, 0, 0
            return EpochDecision(improved=True, restore=False, finished=self.finished)
        self.bad_epochs += 1
        self.lr_bad_epochs += 1
        plateau = self.bad_epochs == self.settings.patience
        if plateau:
            self.plateaus, self.bad_epochs = self.plateaus + 1, 0
        if self.lr_bad_epochs == self.settings.lr_patience and not self.finished:
            self.lr_reductions, self.lr_bad_epochs = self.lr_reductions + 1, 0
        return EpochDecision(improved=False, restore=plateau or self.finished, finished=self.finished)

    def state(self) -> dict[str, Any]:
        """Return all counters, without the settings, as JSON values."""
        state = asdict(self)
        del state["settings"]
        return state

    @classmethod
    def from_state(cls, settings: ScheduleSettings, state: dict[str, Any]) -> "EarlyStopping":
        """Restore the counters that `state` returned.

        Raises
        ------
        KeyError, TypeError, ValueError
            If `state` lacks a counter, or a counter is not a number.
        """
        counters = {f.name: int(state[f.name]) for f in fields(cls) if f.name not in ("settings", "best")}
        return cls(settings, float(state["best"]), **counters)
