"""How much of a web process uploads may take: pages are answered however many people send at once.

What finds no place is asked to come back in a moment, before any of it is read; ``striate submit`` does so by itself.
"""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.utils.translation import gettext as _

THREADS = 16  # of a web process; a slow download holds one, too
PLACES = 6  # threads that uploads may have: the processor does not do more at a time, and people wait for pages
_WAIT = (1, 4)  # seconds: not all come back in the same moment


class CrowdedError(Exception):
    """What is sent can be taken in a moment.

    Attributes
    ----------
    wait
        Seconds.
    """

    def __init__(self) -> None:
        super().__init__(_("Many people send files at this moment: send yours again in some seconds."))
        self.wait = random.randint(*_WAIT)


_places = threading.BoundedSemaphore(PLACES)


@contextmanager
def place_to_send() -> Iterator[None]:
    """Have a place as long as bytes are received, or what has arrived is made a submission.

    Raises
    ------
    CrowdedError
        If there is none.
    """
    if not _places.acquire(blocking=False):
        raise CrowdedError
    try:
        yield
    finally:
        _places.release()


def require_place() -> None:
    """Before a sender begins or goes on: whether there is a place at this moment.

    Raises
    ------
    CrowdedError
        If there is none.
    """
    with place_to_send():
        pass
