"""How much of a web process those who send files may take: pages are answered however many send at once.

A few have a place, a few more wait for one for a moment, and everybody else is asked to come back before anything is asked of the
database or read of what is sent; ``striate submit`` does so by itself.
"""

import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from django.http import HttpRequest
from django.utils.translation import gettext as _

from striate.portal.crowded import CrowdedError
from striate.portal.receiving.places import place_among, place_in

THREADS = 40  # of a web process, downloads among them; each may keep a connection to the database
PLACES = 6  # threads that senders may have: the processor does not do more at a time, and people wait for pages
OF_ONE_PERSON = 3  # places: whoever sends slowly, and much at once, leaves some to others
_QUEUE, _PATIENCE = 6, 2.0  # threads in which somebody waits for a place, and for how many seconds
_WAIT = (2, 5)  # seconds
_UPLOAD = re.compile(r"/api/v1/uploads(/[^/]*)?")
_SUBMISSION = "/api/v1/submissions"


_places = threading.BoundedSemaphore(PLACES)
_queue = threading.BoundedSemaphore(_QUEUE)
_lock, _sending = threading.Lock(), Counter[int]()  # how many places each person has


@contextmanager
def place_of(request: HttpRequest) -> Iterator[None]:
    """Have a place while a sender is answered. Who asks how far an upload is only needs that there may be one; others need none.

    Raises
    ------
    CrowdedError
        If there is none.
    """
    upload = _UPLOAD.fullmatch(request.path)
    if request.method in ("POST", "PUT") and (upload or request.path == _SUBMISSION):
        with place_to_send():
            yield
        return
    if upload and request.method == "GET":
        require_place()
    yield


@contextmanager
def place_to_send() -> Iterator[None]:
    """Have a place as long as bytes are received, or what has arrived is made a submission.

    Raises
    ------
    CrowdedError
        If there is none, or none within a moment.
    """
    with place_among(_places, _queue, _PATIENCE, _crowded):
        yield


def require_place() -> None:
    """Before a sender begins or goes on: whether there is a place at this moment, or one to wait in.

    Raises
    ------
    CrowdedError
        If there is none.
    """
    if _places.acquire(blocking=False):
        _places.release()
    else:
        with place_in(_queue, _crowded):
            pass


@contextmanager
def among_others(person: int) -> Iterator[None]:
    """Have one of the places that a person may have, as long as bytes are received.

    Raises
    ------
    CrowdedError
        If the person has them all.
    """
    with _lock:
        if _sending[person] >= OF_ONE_PERSON:
            raise CrowdedError(_("You send several files at this moment: send this one when they have arrived."), _WAIT)
        _sending[person] += 1
    try:
        yield
    finally:
        with _lock:
            _sending[person] -= 1
            if not _sending[person]:
                del _sending[person]


def _crowded() -> CrowdedError:
    return CrowdedError(_("Many people send files at this moment: send yours again in some seconds."), _WAIT)
