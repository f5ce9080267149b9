"""Signals that ask a training to end: it writes a checkpoint first, and then ends as the signal says."""

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from striate._internal.progress_bars import say

# Ctrl-C, and what schedulers and closed terminals send: SLURM sends SIGTERM at the end of a job's time, and before it whatever
# --signal names, mostly SIGUSR1.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


class TrainingStopped(Exception):  # noqa: N818 - not an error
    """A signal asked the training to end, and its checkpoint is written.

    Attributes
    ----------
    goes_on
        Whether there is a checkpoint that the training can go on from.
    """

    def __init__(self, goes_on: bool) -> None:
        super().__init__("training was stopped by a signal")
        self.goes_on = goes_on


class Interruption:
    """Defers signals while a training runs, and delivers the first one when its files are closed.

    A second Ctrl-C is not deferred. Signals that the process ignores (as under ``nohup``) stay ignored. In a thread other than
    the main one nothing is deferred, since Python handles signals only there.
    """

    def __init__(self) -> None:
        self._received: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    @property
    def asked(self) -> bool:
        """Whether a signal arrived."""
        return self._received is not None

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Note signals within a ``with`` block, instead of handling them."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        for each in SIGNALS:
            handler = signal.getsignal(each)
            if handler not in (None, signal.SIG_IGN):
                self._before[each] = signal.signal(each, self._note)
        try:
            yield
        finally:
            self._restore()

    def deliver(self, sentence: Callable[[str], str]) -> None:
        """Handle the signal that was deferred, as it would have been handled without this class.

        Nothing happens if none arrived, and this returns if the handler of the signal does.

        Parameters
        ----------
        sentence
            Makes the message from the name of the signal. It is printed if the signal ends the process, and added to the
            exception as a note if its handler raises one.
        """
        if self._received is None:
            return
        said = sentence(self._received.name)
        if signal.getsignal(self._received) is signal.SIG_DFL:
            say(said)
            if sys.stdout is not None:
                sys.stdout.flush()
        try:
            signal.raise_signal(self._received)
        except BaseException as error:
            error.add_note(said)
            raise

    def _note(self, number: int, _: FrameType | None) -> None:
        if self._received is signal.SIGINT and number == signal.SIGINT:
            self._restore()
            signal.raise_signal(signal.SIGINT)
        self._received = self._received or signal.Signals(number)

    def _restore(self) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)
        self._before.clear()
