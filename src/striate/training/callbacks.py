"""How training is watched: a bar on a terminal or in a notebook, a line an epoch in a log, and events for TensorBoard."""

import contextlib
import itertools
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from striate._internal.progress_bars import NotebookBar, in_notebook, on_terminal, quiet, say
from striate.training.early_stopping import Schedule

if TYPE_CHECKING:
    from rich.progress import Progress as Bar


class Display(Protocol):
    """Shows a person how training goes."""

    def begin(self, epoch: int, resumed: str | None) -> None:
        """Start after so many complete epochs; `resumed` says so where an interrupted training goes on."""

    def on_round(self, done: int, rounds: int, loss: float) -> None:
        """Advance within the epoch."""

    def on_epoch(self, row: dict[str, Any], schedule: Schedule) -> None:
        """Show the results of an epoch."""


class _DrawnBar(ABC):
    """What the bars of a terminal and of a notebook have in common."""

    def __init__(self, max_epochs: int) -> None:
        self._max_epochs = max_epochs
        self._epoch = 0
        self._text = ""

    def begin(self, epoch: int, resumed: str | None) -> None:
        """Start after so many complete epochs."""
        self._epoch = epoch

    def on_round(self, done: int, rounds: int, loss: float) -> None:
        """Advance within the epoch."""
        completed, total = self._epoch * rounds + done, self._max_epochs * rounds
        self._draw(completed, total, f"epoch {self._epoch + 1} loss {loss:.4g}{self._text}")

    def on_epoch(self, row: dict[str, Any], schedule: Schedule) -> None:
        """Show the results of an epoch."""
        self._epoch = int(row["epoch"])
        correlation = f"validation {row['validation_correlation']:.4f} best {schedule.best:.4f}"
        self._text = f" {correlation} rate {schedule.learning_rate:.3g}"

    @abstractmethod
    def _draw(self, completed: int, total: int, text: str) -> None:
        """Show so many of all rounds, and a text beside them."""


class TerminalBar(_DrawnBar):
    """Loss, validation correlation, learning rate and the longest time that can be left, on a terminal."""

    def __init__(self, bar: "Bar", max_epochs: int) -> None:
        super().__init__(max_epochs)
        self._bar = bar
        self._task = bar.add_task("", total=None, text="first epoch")

    def begin(self, epoch: int, resumed: str | None) -> None:
        """Start after so many complete epochs."""
        super().begin(epoch, resumed)
        if resumed:
            self._bar.console.print(resumed, markup=False, highlight=False, soft_wrap=True)

    def _draw(self, completed: int, total: int, text: str) -> None:
        self._bar.update(self._task, total=total, completed=completed, text=text)


class CellBar(_DrawnBar):
    """The same in the output of a notebook's cell; a line of text stays when training ends."""

    def __init__(self, max_epochs: int) -> None:
        super().__init__(max_epochs)
        self._bar = NotebookBar()
        self._said = ""
        self._last = ""

    def begin(self, epoch: int, resumed: str | None) -> None:
        """Start after so many complete epochs."""
        super().begin(epoch, resumed)
        self._said = f"{resumed} " if resumed else ""

    def on_epoch(self, row: dict[str, Any], schedule: Schedule) -> None:
        """Show the results of an epoch."""
        super().on_epoch(row, schedule)
        self._last = f"{self._said}epoch {self._epoch}:{self._text}"

    def end(self) -> None:
        """Leave the results of the last epoch."""
        self._bar.end(self._last)

    def _draw(self, completed: int, total: int, text: str) -> None:
        self._bar.total = total
        self._bar.show(completed, self._said + text)


class LogLines:
    """One line for each epoch on standard error, for logs and job schedulers."""

    def begin(self, epoch: int, resumed: str | None) -> None:
        """Say where an interrupted training goes on."""
        if resumed:
            say(resumed)

    def on_round(self, done: int, rounds: int, loss: float) -> None:
        """Rounds are not logged."""

    def on_epoch(self, row: dict[str, Any], schedule: Schedule) -> None:
        """Write the line of an epoch."""
        say(
            f"epoch {row['epoch']}: loss {row['loss']:.6g}, validation {row['validation_correlation']:.4f} "
            f"(best {schedule.best:.4f} in epoch {schedule.best_epoch}), rate {row['learning_rate']:.3g}, "
            f"{row['seconds']:.1f} s"
        )


@contextlib.contextmanager
def display(max_epochs: int, wanted: bool) -> Iterator[list[Display]]:
    """Choose how to show training: a bar on a terminal or in a notebook, else lines; none if not wanted or ``STRIATE_QUIET`` is set."""
    if not wanted or quiet():
        yield []
    elif on_terminal():
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        # the time that is left if no plateau ends the training before its last epoch
        columns = (BarColumn(bar_width=6), TextColumn("{task.fields[text]}"), TextColumn("≤"), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            yield [TerminalBar(bar, max_epochs)]
    elif in_notebook():
        cell = CellBar(max_epochs)
        try:
            yield [cell]
        finally:
            cell.end()
    else:
        yield [LogLines()]


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
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._event = Event
        self._file = _new_event_file(folder)
        self._writer = RecordWriter(self._file)
        first = first_epoch if first_epoch > 1 else None
        self._write(file_version="brain.Event:2")
        if first is not None:  # drops later events of an earlier file
            self._write(step=first, session_log=SessionLog(status=SessionLog.START))
        self._file.flush()

    def on_round(self, done: int, rounds: int, loss: float) -> None:
        """Events are written by epoch."""

    def on_epoch(self, row: dict[str, Any], schedule: Schedule) -> None:
        """Write the events of an epoch."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        values = {name: row[name] for name in ("loss", "validation_correlation", "learning_rate", "seconds")}
        values["best_validation_correlation"] = schedule.best
        shown = [Summary.Value(tag=name, simple_value=float(value)) for name, value in values.items()]
        self._write(step=int(row["epoch"]), summary=Summary(value=shown))
        self._file.flush()

    def close(self) -> None:
        """Finish the event file."""
        self._file.close()

    def _write(self, **content: Any) -> None:
        self._writer.write(self._event(wall_time=time.time(), **content).SerializeToString())


def _new_event_file(folder: Path) -> BinaryIO:
    """Open a new event file; its name holds the time, but not the host as that of PyTorch's writer."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in itertools.count():
        with contextlib.suppress(FileExistsError):
            return (folder / f"events.out.tfevents.{int(time.time()):010d}.striate.{number}").open("xb")
    raise AssertionError
