"""Callbacks that show the progress of training: progress bars, log lines, and TensorBoard events."""

import contextlib
import itertools
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from striate._internal.progress_bars import NotebookBar, is_notebook, is_quiet, is_terminal, print_to_stderr
from striate.training.early_stopping import EarlyStopping

if TYPE_CHECKING:
    from rich.progress import Progress as Bar


class Display(Protocol):
    """Callback that shows the progress of training to the user."""

    def begin(self, epoch: int, resumed: str | None) -> None:
        """Start after `epoch` completed epochs; `resumed` is the message of a training that resumes, else None."""

    def on_step(self, step: int, steps: int, loss: float) -> None:
        """Show the progress within an epoch."""

    def on_epoch(self, row: dict[str, Any], early_stopping: EarlyStopping) -> None:
        """Show the results of an epoch."""


class _ProgressBar(ABC):
    """Base class of the progress bars for terminals and notebooks."""

    def __init__(self, max_epochs: int) -> None:
        self._max_epochs = max_epochs
        self._epoch = 0
        self._text = ""

    def begin(self, epoch: int, resumed: str | None) -> None:
        """Start after `epoch` completed epochs."""
        self._epoch = epoch

    def on_step(self, step: int, steps: int, loss: float) -> None:
        """Show the progress within an epoch."""
        completed, total = self._epoch * steps + step, self._max_epochs * steps
        self._draw(completed, total, f"epoch {self._epoch + 1} loss {loss:.4g}{self._text}")

    def on_epoch(self, row: dict[str, Any], early_stopping: EarlyStopping) -> None:
        """Show the results of an epoch."""
        self._epoch = int(row["epoch"])
        correlation = f"validation {row['validation_correlation']:.4f} best {early_stopping.best:.4f}"
        self._text = f" {correlation} rate {early_stopping.learning_rate:.3g}"

    @abstractmethod
    def _draw(self, completed: int, total: int, text: str) -> None:
        """Draw the bar: `completed` of `total` steps, with a text beside it."""


class TerminalProgressBar(_ProgressBar):
    """Progress bar on a terminal: loss, validation correlation, learning rate, and an upper bound of the remaining time."""

    def __init__(self, bar: "Bar", max_epochs: int) -> None:
        super().__init__(max_epochs)
        self._bar = bar
        self._task = bar.add_task("", total=None, text="first epoch")

    def begin(self, epoch: int, resumed: str | None) -> None:
        """Start after `epoch` completed epochs."""
        super().begin(epoch, resumed)
        if resumed:
            self._bar.console.print(resumed, markup=False, highlight=False, soft_wrap=True)

    def _draw(self, completed: int, total: int, text: str) -> None:
        self._bar.update(self._task, total=total, completed=completed, text=text)


class NotebookProgressBar(_ProgressBar):
    """Progress bar in the output of a notebook cell; the results of the last epoch stay there when training ends."""

    def __init__(self, max_epochs: int) -> None:
        super().__init__(max_epochs)
        self._bar = NotebookBar()
        self._prefix = ""
        self._last = ""

    def begin(self, epoch: int, resumed: str | None) -> None:
        """Start after `epoch` completed epochs."""
        super().begin(epoch, resumed)
        self._prefix = f"{resumed} " if resumed else ""

    def on_epoch(self, row: dict[str, Any], early_stopping: EarlyStopping) -> None:
        """Show the results of an epoch."""
        super().on_epoch(row, early_stopping)
        self._last = f"{self._prefix}epoch {self._epoch}:{self._text}"

    def end(self) -> None:
        """Replace the bar by the results of the last epoch."""
        self._bar.end(self._last)

    def _draw(self, completed: int, total: int, text: str) -> None:
        self._bar.total = total
        self._bar.show(completed, self._prefix + text)


class EpochLog:
    """Writes one line for each epoch to standard error, for log files and job schedulers."""

    def begin(self, epoch: int, resumed: str | None) -> None:
        """Write the message of a training that resumes."""
        if resumed:
            print_to_stderr(resumed)

    def on_step(self, step: int, steps: int, loss: float) -> None:
        """Ignore steps; only epochs are logged."""

    def on_epoch(self, row: dict[str, Any], early_stopping: EarlyStopping) -> None:
        """Write the line of an epoch."""
        print_to_stderr(
            f"epoch {row['epoch']}: loss {row['loss']:.6g}, validation {row['validation_correlation']:.4f} "
            f"(best {early_stopping.best:.4f} in epoch {early_stopping.best_epoch}), rate {row['learning_rate']:.3g}, "
            f"{row['seconds']:.1f} s"
        )


@contextlib.contextmanager
def display(max_epochs: int, enabled: bool) -> Iterator[list[Display]]:
    """Choose the display: a progress bar on a terminal or in a notebook, else log lines.

    Yields an empty list if `enabled` is false or the environment variable ``STRIATE_QUIET`` is set.
    """
    if not enabled or is_quiet():
        yield []
    elif is_terminal():
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        # an upper bound: early stopping may end training before max_epochs
        columns = (BarColumn(bar_width=6), TextColumn("{task.fields[text]}"), TextColumn("≤"), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            yield [TerminalProgressBar(bar, max_epochs)]
    elif is_notebook():
        cell = NotebookProgressBar(max_epochs)
        try:
            yield [cell]
        finally:
            cell.end()
    else:
        yield [EpochLog()]


class TensorBoard:
    """Writes the history as TensorBoard events.

    Parameters
    ----------
    folder
        Folder of the event files.
    first_epoch
        First epoch to be written. Events of this and later epochs from an interrupted run are discarded.
    """

    def __init__(self, folder: Path, first_epoch: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._event = Event
        self._file = _new_event_file(folder)
        self._writer = RecordWriter(self._file)
        first = first_epoch if first_epoch > 1 else None
        self._write(file_version="brain.Event:2")
        if first is not None:  # makes TensorBoard discard later events of earlier files
            self._write(step=first, session_log=SessionLog(status=SessionLog.START))
        self._file.flush()

    def on_step(self, step: int, steps: int, loss: float) -> None:
        """Ignore steps; events are written once per epoch."""

    def on_epoch(self, row: dict[str, Any], early_stopping: EarlyStopping) -> None:
        """Write the events of an epoch."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        values = {name: row[name] for name in ("loss", "validation_correlation", "learning_rate", "seconds")}
        values["best_validation_correlation"] = early_stopping.best
        shown = [Summary.Value(tag=name, simple_value=float(value)) for name, value in values.items()]
        self._write(step=int(row["epoch"]), summary=Summary(value=shown))
        self._file.flush()

    def close(self) -> None:
        """Finish the event file."""
        self._file.close()

    def _write(self, **content: Any) -> None:
        self._writer.write(self._event(wall_time=time.time(), **content).SerializeToString())


def _new_event_file(folder: Path) -> BinaryIO:
    """Open a new event file; unlike that of PyTorch's writer, its name does not contain the host name."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in itertools.count():
        with contextlib.suppress(FileExistsError):
            return (folder / f"events.out.tfevents.{int(time.time()):010d}.striate.{number}").open("xb")
    raise AssertionError
