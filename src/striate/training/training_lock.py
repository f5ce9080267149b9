"""A lock that allows one training at a time in a process."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from striate.errors import InputError

_lock = threading.Lock()
# a forked child process has none of its parent's threads, so its lock must be free
os.register_at_fork(after_in_child=lambda: globals().update(_lock=threading.Lock()))


@contextmanager
def only_training() -> Iterator[None]:
    """Prevent a second training in this process within the ``with`` block.

    Threads share PyTorch's random number generators, so that the weights of two simultaneous trainings would not be
    determined by their seeds.

    Raises
    ------
    InputError
        If another thread of this process is training.
    """
    lock = _lock
    if not lock.acquire(blocking=False):
        raise InputError(
            "Another thread of this process is training, and both would draw from the same random numbers, so that seeds decided "
            "nothing: wait for it, or train in processes instead of threads."
        )
    try:
        yield
    finally:
        lock.release()
