"""Callbacks that show the progress of training: progress bars, or log lines."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from striate._internal.progress_bars import NotebookBar, is_notebook, is_quiet, is_terminal, print_to_stderr
from striate.training.callbacks import Callback

if TYPE_CHECKING:
    from striate.training.trainer import Trainer


class _ProgressBar(Callback):
    """Base class of the progress bars for terminals and notebooks."""

    def __init__(self) -> None:
        self._text = ""

    def on_step(self, trainer: Trainer) -> None:
        """Show the progress within an epoch."""
        completed = trainer.epoch * trainer.steps + trainer.step
        total = trainer.recipe.schedule.max_epochs * trainer.steps
        self._draw(completed, total, f"epoch {trainer.epoch + 1} loss {trainer.loss:.4g}{self._text}")

    def on_epoch(self, trainer: Trainer) -> None:
        """Show the results of an epoch."""
        correlation = f"validation {trainer.validation_correlation:.4f} best {trainer.early_stopping.best:.4f}"
        self._text = f" {correlation} rate {trainer.learning_rate:.3g}"

    @abstractmethod
    def _draw(self, completed: int, total: int, text: str) -> None:
        """Draw the bar: `completed` of `total` steps, with a text beside it."""


class TerminalProgressBar(_ProgressBar):
    """Progress bar on a terminal: loss, validation correlation, learning rate, and an upper bound of the remaining time."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        super().__init__()
        # an upper bound: early stopping may end training before max_epochs
        columns = (BarColumn(bar_width=6), TextColumn("{task.fields[text]}"), TextColumn("≤"), TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("", total=None, text="first epoch")

    def on_start(self, trainer: Trainer) -> None:
        """Show the bar."""
        self._bar.start()
        if trainer.resumed:
            self._bar.console.print(_resume_message(trainer), markup=False, highlight=False, soft_wrap=True)

    def on_end(self, trainer: Trainer) -> None:
        """Remove the bar."""
        self._bar.stop()

    def _draw(self, completed: int, total: int, text: str) -> None:
        self._bar.update(self._task, total=total, completed=completed, text=text)


class NotebookProgressBar(_ProgressBar):
    """Progress bar in the output of a notebook cell; the results of the last epoch stay there when training ends."""

    def __init__(self) -> None:
        super().__init__()
        self._bar = NotebookBar()
        self._prefix = ""
        self._last = ""

    def on_start(self, trainer: Trainer) -> None:
        """Say where a training resumes."""
        self._prefix = f"{_resume_message(trainer)} " if trainer.resumed else ""

    def on_epoch(self, trainer: Trainer) -> None:
        """Show the results of an epoch."""
        super().on_epoch(trainer)
        self._last = f"{self._prefix}epoch {trainer.epoch}:{self._text}"

    def on_end(self, trainer: Trainer) -> None:
        """Replace the bar by the results of the last epoch."""
        self._bar.end(self._last)

    def _draw(self, completed: int, total: int, text: str) -> None:
        self._bar.total = total
        self._bar.show(completed, self._prefix + text)


class EpochLog(Callback):
    """Writes one line for each epoch to standard error, for log files and job schedulers."""

    def on_start(self, trainer: Trainer) -> None:
        """Say where a training resumes."""
        if trainer.resumed:
            print_to_stderr(_resume_message(trainer))

    def on_epoch(self, trainer: Trainer) -> None:
        """Write the line of an epoch."""
        row, early_stopping = trainer.history[-1], trainer.early_stopping
        print_to_stderr(
            f"epoch {row['epoch']}: loss {row['loss']:.6g}, validation {row['validation_correlation']:.4f} "
            f"(best {early_stopping.best:.4f} in epoch {early_stopping.best_epoch}), rate {row['learning_rate']:.3g}, "
            f"{row['seconds']:.1f} s"
        )


def progress_display(enabled: bool) -> list[Callback]:
    """Choose the display: a progress bar on a terminal or in a notebook, else log lines.

    The list is empty if `enabled` is false or the environment variable ``STRIATE_QUIET`` is set.
    """
    if not enabled or is_quiet():
        return []
    if is_terminal():
        return [TerminalProgressBar()]
    return [NotebookProgressBar() if is_notebook() else EpochLog()]


def _resume_message(trainer: Trainer) -> str:
    steps = f" and {trainer.step} steps of the next" if trainer.step else ""
    return f"Resuming {trainer.folder} after {trainer.epoch} epoch{'s' * (trainer.epoch != 1)}{steps}."
