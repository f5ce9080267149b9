"""Deferred handling of signals: training writes a checkpoint before the signal takes effect."""

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from striate._internal.progress_bars import print_to_stderr

# Ctrl-C, and the signals of job schedulers and closed terminals. SLURM sends SIGTERM at the end of the time limit, and
# before it the signal that --signal names, usually SIGUSR1.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


class TrainingStopped(Exception):  # noqa: N818 - not an error
    """Raised when training stops because a signal was received.

    Attributes
    ----------
    resumable
        Whether there is a checkpoint from which training can resume.
    """

    def __init__(self, resumable: bool) -> None:
        super().__init__("training was stopped by a signal")
        self.resumable = resumable


class Interruption:
    """Defers signals during training and delivers the first one after all files are closed.

    A second Ctrl-C is not deferred. Signals that the process ignores (as under ``nohup``) stay ignored. In threads other than
    the main thread no signal is deferred, because Python handles signals in the main thread only.
    """

    def __init__(self) -> None:
        self._received: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    @property
    def received(self) -> bool:
        """Whether a signal has been received."""
        return self._received is not None

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Record signals within a ``with`` block instead of handling them."""
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

    def deliver(self, message_for: Callable[[str], str]) -> None:
        """Pass the deferred signal to the handler that was installed before.

        Does nothing if no signal was received. Returns if the handler of the signal returns.

        Parameters
        ----------
        message_for
            Function of the name of the signal that returns a message. The message is printed if the signal ends the
            process, and added as a note to an exception that the handler raises.
        """
        if self._received is None:
            return
        message = message_for(self._received.name)
        if signal.getsignal(self._received) is signal.SIG_DFL:
            print_to_stderr(message)
            if sys.stdout is not None:
                sys.stdout.flush()
        try:
            signal.raise_signal(self._received)
        except BaseException as error:
            error.add_note(message)
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
