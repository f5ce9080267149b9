"""One training at a time in a process."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from striate.errors import InputError

_lock = threading.Lock()
# a forked child starts without the threads of its parent, and so without their training
os.register_at_fork(after_in_child=lambda: globals().update(_lock=threading.Lock()))


@contextmanager
def only_training() -> Iterator[None]:
    """Refuse a second training within the block.

    Threads share PyTorch's random numbers, so that two trainings would disturb each other's: the same seed would no longer give the
    same weights.

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
