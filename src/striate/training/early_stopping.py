"""When to reduce the learning rate, when to go back to the best weights, when to stop."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from striate.training.recipe import ScheduleSettings


@dataclass(frozen=True)
class Verdict:
    """What follows from the validation of one epoch.

    Attributes
    ----------
    improved
        The weights are the best so far: keep them.
    restore
        Go back to the best weights.
    finished
        The training is over (and the best weights are the result).
    """

    improved: bool
    restore: bool
    finished: bool


@dataclass
class Schedule:
    """The course of a training, as far as its validation correlations decide it.

    The untrained model is the first best. `patience` epochs in a row that do not improve on the best are a plateau: the
    best weights are restored, and the last of `max_plateaus` ends the training. The rate has a counter of its own: it is
    reduced after `lr_patience` epochs in a row without improvement, whether or not the weights were restored among
    them.

    Attributes
    ----------
    settings
        Patience, reductions, rates.
    best
        Highest validation correlation so far.
    best_epoch
        The epoch that reached it; 0 is the untrained model.
    epoch
        Epochs that have been completed.
    waited
        Epochs since the last improvement or plateau.
    plateaus
        Stalls so far.
    rate_waited
        Epochs since the last improvement or reduction.
    reductions
        Reductions of the rate so far.
    """

    settings: ScheduleSettings
    best: float
    best_epoch: int = 0
    epoch: int = 0
    waited: int = 0
    plateaus: int = 0
    rate_waited: int = 0
    reductions: int = 0

    @property
    def learning_rate(self) -> float:
        """The rate of the coming epoch."""
        return self.settings.learning_rate * self.settings.lr_decay_factor**self.reductions

    @property
    def finished(self) -> bool:
        """Whether the training is over."""
        return self.plateaus >= self.settings.max_plateaus or self.epoch >= self.settings.max_epochs

    def complete_epoch(self, validation: float) -> Verdict:
        """Record the validation correlation after an epoch.

        Parameters
        ----------
        validation
            Mean single-trial correlation of the validation trials, in evaluation mode.
        """
        self.epoch += 1
        improved = validation > self.best + self.settings.min_delta
        if improved:
            self.best, self.best_epoch, self.waited, self.rate_waited = validation, self.epoch, 0, 0
            return Verdict(improved=True, restore=False, finished=self.finished)
        self.waited += 1
        self.rate_waited += 1
        plateau = self.waited == self.settings.patience
        if plateau:
            self.plateaus, self.waited = self.plateaus + 1, 0
        if self.rate_waited == self.settings.lr_patience and not self.finished:
            self.reductions, self.rate_waited = self.reductions + 1, 0
        return Verdict(improved=False, restore=plateau or self.finished, finished=self.finished)

    def state(self) -> dict[str, Any]:
        """Everything but the settings, as plain numbers."""
        state = asdict(self)
        del state["settings"]
        return state

    @classmethod
    def from_state(cls, settings: ScheduleSettings, state: dict[str, Any]) -> "Schedule":
        """Go on from what `state` returned.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is something else.
        """
        counters = {f.name: int(state[f.name]) for f in fields(cls) if f.name not in ("settings", "best")}
        return cls(settings, float(state["best"]), **counters)
