"""TensorBoard: the history of a training as events."""

from __future__ import annotations

import contextlib
import itertools
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from striate.training.callbacks import Callback

if TYPE_CHECKING:
    from striate.training.trainer import Trainer


class TensorBoard(Callback):
    """Writes the history as TensorBoard events.

    Parameters
    ----------
    folder
        Folder of the event files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: BinaryIO | None = None

    def on_start(self, trainer: Trainer) -> None:
        """Begin an event file. Events of later epochs from an interrupted training are discarded."""
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._event = Event
        self._file = _new_event_file(self._folder)
        self._writer = RecordWriter(self._file)
        self._write(file_version="brain.Event:2")
        if trainer.epoch:  # makes TensorBoard discard later events of earlier files
            self._write(step=trainer.epoch + 1, session_log=SessionLog(status=SessionLog.START))
        self._file.flush()

    def on_epoch(self, trainer: Trainer) -> None:
        """Write the events of an epoch."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        assert self._file is not None
        shown = [Summary.Value(tag=name, simple_value=value) for name, value in epoch_values(trainer).items()]
        self._write(step=trainer.epoch, summary=Summary(value=shown))
        self._file.flush()

    def on_end(self, trainer: Trainer) -> None:
        """Finish the event file."""
        if self._file is not None:
            self._file.close()

    def _write(self, **content: Any) -> None:
        self._writer.write(self._event(wall_time=time.time(), **content).SerializeToString())


def epoch_values(trainer: Trainer) -> dict[str, float]:
    """Return what is logged of the last epoch, by name."""
    row = trainer.history[-1]
    values = {name: float(row[name]) for name in ("loss", "validation_correlation", "learning_rate", "seconds")}
    return values | {"best_validation_correlation": trainer.early_stopping.best}


def _new_event_file(folder: Path) -> BinaryIO:
    """Open a new event file; unlike that of PyTorch's writer, its name does not contain the host name."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in itertools.count():
        with contextlib.suppress(FileExistsError):
            return (folder / f"events.out.tfevents.{int(time.time()):010d}.striate.{number}").open("xb")
    raise AssertionError
