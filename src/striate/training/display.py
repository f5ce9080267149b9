"""How training is watched: a bar on the terminal, and events for TensorBoard."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from striate.training.schedule import Schedule

if TYPE_CHECKING:
    from rich.progress import Progress as Bar


class TerminalBar:
    """Loss, validation correlation, rate and the time that is left at most."""

    def __init__(self, bar: "Bar", max_epochs: int) -> None:
        self._bar = bar
        self._max_epochs = max_epochs
        self._task = bar.add_task("", total=None, text="first epoch")
        self._epoch = 0
        self._text = ""

    def begin(self, epoch: int) -> None:
        """Start after so many epochs that are complete already."""
        self._epoch = epoch

    def on_round(self, done: int, rounds: int, loss: float) -> None:
        """Advance within the epoch."""
        total, completed = self._max_epochs * rounds, self._epoch * rounds + done
        text = f"epoch {self._epoch + 1} loss {loss:.4g}{self._text}"
        self._bar.update(self._task, total=total, completed=completed, text=text)

    def on_epoch(self, row: dict[str, Any], schedule: Schedule) -> None:
        """Show what the epoch has brought."""
        self._epoch = int(row["epoch"])
        correlation = f"validation {row['validation_correlation']:.4f} best {schedule.best:.4f}"
        self._text = f" {correlation} rate {schedule.learning_rate:.3g}"


@contextlib.contextmanager
def terminal_bar(max_epochs: int, wanted: bool) -> Iterator[list[TerminalBar]]:
    """Draw the bar on standard error; none where that is no terminal, or ``STRIATE_QUIET`` is set."""
    if not wanted or not sys.stderr.isatty() or os.environ.get("STRIATE_QUIET"):
        yield []
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    # the time that is left if no stall ends the training before its last epoch
    columns = (BarColumn(bar_width=6), TextColumn("{task.fields[text]}"), TextColumn("≤"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield [TerminalBar(bar, max_epochs)]


class TensorBoard:
    """Writes the history as events that TensorBoard draws.

    Parameters
    ----------
    folder
        Where the event files go.
    first_epoch
        The epoch that training goes on with; what an interrupted run wrote of later ones is dropped.
    """

    def __init__(self, folder: Path, first_epoch: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=first_epoch if first_epoch > 1 else None)

    def on_round(self, done: int, rounds: int, loss: float) -> None:
        """Events are written by epoch."""

    def on_epoch(self, row: dict[str, Any], schedule: Schedule) -> None:
        """Write the events of an epoch."""
        for name in ("loss", "validation_correlation", "learning_rate", "seconds"):
            self._writer.add_scalar(name, row[name], row["epoch"])
        self._writer.add_scalar("best_validation_correlation", schedule.best, row["epoch"])
        self._writer.flush()

    def close(self) -> None:
        """Finish the event file."""
        self._writer.close()
