"""How much of a web process those who send files may take: pages are answered however many send at once.

A few have a place, a few more wait for one for a moment, and everybody else is asked to come back before anything is asked of the
database or read of what is sent; ``striate submit`` does so by itself.
"""

import random
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.utils.translation import gettext as _

THREADS = 40  # of a web process, downloads among them; each may keep a connection to the database
PLACES = 6  # threads that senders may have: the processor does not do more at a time, and people wait for pages
_QUEUE, _PATIENCE = 6, 2.0  # threads in which somebody waits for a place, and for how many seconds
_WAIT = (2, 5)  # seconds: not all come back in the same moment
_UPLOAD = re.compile(r"/api/uploads(/[^/]*)?")
_SUBMISSION = "/api/submissions"


class CrowdedError(Exception):
    """There is no place in this moment."""


_places = threading.BoundedSemaphore(PLACES)
_queue = threading.BoundedSemaphore(_QUEUE)


def places(answer: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Give senders a place while they are answered. Who asks how far an upload is, only needs that there may be one."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        upload = _UPLOAD.fullmatch(request.path)
        try:
            if upload and request.method == "GET":
                require_place()
            elif request.method in ("POST", "PUT") and (upload or request.path == _SUBMISSION):
                with place_to_send():
                    return answer(request)
        except CrowdedError:
            detail = _("Many people send files at this moment: send yours again in some seconds.")
            return JsonResponse({"detail": detail}, status=503, headers={"Retry-After": str(random.randint(*_WAIT))})
        return answer(request)

    return middleware


@contextmanager
def place_to_send() -> Iterator[None]:
    """Have a place as long as bytes are received, or what has arrived is made a submission.

    Raises
    ------
    CrowdedError
        If there is none, or none within a moment.
    """
    if not _places.acquire(blocking=False):
        with _held(_queue):
            if not _places.acquire(timeout=_PATIENCE):
                raise CrowdedError
    try:
        yield
    finally:
        _places.release()


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
        with _held(_queue):
            pass


@contextmanager
def _held(of: threading.Semaphore) -> Iterator[None]:
    if not of.acquire(blocking=False):
        raise CrowdedError
    try:
        yield
    finally:
        of.release()
