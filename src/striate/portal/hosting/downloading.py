"""How much of a web process downloads may take: who reads slowly holds a thread for as long as it takes.

Everybody else's pages need threads, too. So large files have places, and who finds none is asked to come back, which ``striate fetch``
does by itself. A connection to the database is not held meanwhile: a server has fewer of these than there are threads.
"""

import threading
from collections.abc import Callable

from django.db import connections
from django.utils.translation import gettext as _

from striate.portal.crowded import CrowdedError

PLACES = 20  # threads of a web process that downloads may have
SMALL = 2**18  # bytes: what fits into the buffer of a connection is sent at once, however slowly it is read
_WAIT = (30, 60)  # seconds

_places = threading.BoundedSemaphore(PLACES)


def place_for(length: int) -> Callable[[], None]:
    """Take a place for an answer of so many bytes; returns what gives it back, once.

    Raises
    ------
    CrowdedError
        If there is none.
    """
    if length <= SMALL:
        return lambda: None
    if not _places.acquire(blocking=False):
        sentence = _(
            "As many people download large files at this moment as the portal can serve. Try again in a minute; striate fetch does "
            "so by itself."
        )
        raise CrowdedError(sentence, _WAIT)
    for each in connections.all(initialized_only=True):
        if not each.in_atomic_block:
            each.close()
    once = threading.Lock()

    def give_back() -> None:
        if once.acquire(blocking=False):
            _places.release()

    return give_back
