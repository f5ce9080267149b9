"""Places of which there are few, and a queue before them that is short, too: who waits in it has a thread that others want."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def place_among(
    places: threading.Semaphore, queue: threading.Semaphore, patience: float, crowded: Callable[[], Exception]
) -> Iterator[None]:
    """Have a place as long as the context lasts.

    Parameters
    ----------
    places, queue
        How many there are, and how many may wait for one.
    patience
        Seconds that somebody waits at most.
    crowded
        Makes the error that is raised where there is no place to wait in, or none has become free in time.
    """
    if not places.acquire(blocking=False):
        with place_in(queue, crowded):
            if not places.acquire(timeout=patience):
                raise crowded()
    try:
        yield
    finally:
        places.release()


@contextmanager
def place_in(places: threading.Semaphore, crowded: Callable[[], Exception]) -> Iterator[None]:
    """Have a place without waiting for it."""
    if not places.acquire(blocking=False):
        raise crowded()
    try:
        yield
    finally:
        places.release()
