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

    The untrained model is the first best. After `patience` epochs in a row that do not improve on the best, the best
    weights are restored and the rate is reduced; after `reductions` of these, the next such stall ends the training.

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
        Epochs since the last improvement or stall.
    stalls
        Stalls so far.
    """

    settings: ScheduleSettings
    best: float
    best_epoch: int = 0
    epoch: int = 0
    waited: int = 0
    stalls: int = 0

    @property
    def learning_rate(self) -> float:
        """The rate of the coming epoch."""
        reductions = min(self.stalls, self.settings.reductions)
        return self.settings.learning_rate * self.settings.reduction_factor**reductions

    @property
    def finished(self) -> bool:
        """Whether the training is over."""
        return self.stalls > self.settings.reductions or self.epoch >= self.settings.max_epochs

    def complete_epoch(self, validation: float) -> Verdict:
        """Record the validation correlation after an epoch.

        Parameters
        ----------
        validation
            Mean single-trial correlation of the validation trials, in evaluation mode.
        """
        self.epoch += 1
        improved = validation > self.best + self.settings.tolerance
        stalled = False
        if improved:
            self.best, self.best_epoch, self.waited = validation, self.epoch, 0
        else:
            self.waited += 1
            stalled = self.waited == self.settings.patience
        if stalled:
            self.stalls += 1
            self.waited = 0
        return Verdict(improved, restore=stalled or (self.finished and not improved), finished=self.finished)

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
