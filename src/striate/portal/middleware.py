"""What holds for every answer: who asks, a strict content security policy, nothing private in caches; and, under maintenance, no writes."""

import logging
from collections.abc import Callable
from urllib.parse import unquote_plus

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _

from striate.portal.bodies import body_length, largest_body
from striate.portal.crowded import CrowdedError, come_back
from striate.portal.receiving.crowd import place_of
from striate.portal.unavailable import StorageUnavailableError

log = logging.getLogger("striate.portal.storage")

Answer = Callable[[HttpRequest], HttpResponseBase]

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_RETRY_AFTER = 20  # seconds
_READS = ("GET", "HEAD", "OPTIONS")
_ALWAYS = ("/admin/", "/accounts/sign-in/", "/accounts/sign-out/")  # or nobody could end the maintenance


def who_asks(answer: Answer) -> Answer:
    """Take the address of who asks from the proxy that passes the request on, so that limits count people and not the proxy."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        # The last entry is the one that the proxy wrote; those before it are what the client says of itself.
        named = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
        if named and request.META.get("REMOTE_ADDR") in settings.PROXIES:
            request.META["REMOTE_ADDR"] = named[:45]
        return answer(request)

    return middleware


def content_security_policy(answer: Answer) -> Answer:
    """Let pages load and run only what comes from this site, and nothing inline."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = answer(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        response.headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        return response

    return middleware


def refuse_what_nobody_sends(answer: Answer) -> Answer:
    """Refuse NUL in addresses and cookies, which PostgreSQL cannot compare with."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        from striate.portal.site import not_understood

        texts = (request.path, unquote_plus(request.META.get("QUERY_STRING", "")), *request.COOKIES.values())
        if any("\0" in text for text in texts):
            return not_understood(request, SuspiciousOperation("NUL"))
        return answer(request)

    return middleware


def limit_bodies(answer: Answer) -> Answer:
    """Refuse a body that is longer than its address takes, or of unknown length, before anything of it is read."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        from striate.portal.site import not_understood

        try:
            if (length := body_length(request)) > largest_body(request.path):
                raise RequestDataTooBig(f"{length} bytes")
        except SuspiciousOperation as error:
            return not_understood(request, error)
        return answer(request)

    return middleware


def keep_private(answer: Answer) -> Answer:
    """Keep pages of those who have signed in out of every cache."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = answer(request)
        if request.user.is_authenticated:
            response.headers.setdefault("Cache-Control", "private, no-store")
        return response

    return middleware


def maintenance(answer: Answer) -> Answer:
    """Refuse writes in a maintenance window, and say when it ends; reads go on."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        from striate.portal.models import MaintenanceWindow

        if request.method in _READS or request.path.startswith(_ALWAYS):
            return answer(request)
        window = MaintenanceWindow.current()
        if window is None:
            return answer(request)
        if request.path.startswith("/api/"):
            sentence = _("The portal is under maintenance until %(end)s: try again then.") % {
                "end": window.ends.isoformat(timespec="minutes")
            }
            response: HttpResponse = HttpResponse(sentence, content_type="text/plain; charset=utf-8", status=503)
        else:
            response = render(request, "portal/maintenance.html", {"window": window}, status=503)
        response.headers["Retry-After"] = str(window.seconds_left)
        return response

    return middleware


class Places:
    """Ask to come back whom there is no place for: senders before anything is done for them, others where what they ask for finds none."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer as ever, senders while they have a place."""
        try:
            with place_of(request):
                return self._answer(request)
        except CrowdedError as error:
            return come_back(request, error)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        """Answer for what found no place."""
        return come_back(request, error) if isinstance(error, CrowdedError) else None


class Withdrawals:
    """Say that a version of the data was withdrawn, and why, where something of it is asked for."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer as ever."""
        return self._answer(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        """Answer 410."""
        from striate.portal.hosting.withdrawing import WithdrawnError, gone

        return gone(request, error) if isinstance(error, WithdrawnError) else None


class StorageFaults:
    """Say that the portal has a fault that may pass, where the service that keeps the files does not answer."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer as ever."""
        return self._answer(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        """Answer 503, and tell the log what the service said."""
        if not isinstance(error, StorageUnavailableError):
            return None
        log.error("the storage failed", extra={"about": {"path": request.path, "why": str(error)}})
        if request.path.startswith("/api/"):
            sentence = _("The storage of the portal does not answer: try again later.")
            response: HttpResponse = HttpResponse(sentence, content_type="text/plain; charset=utf-8", status=503)
        else:
            response = render(request, "portal/storage_fault.html", status=503)
        response.headers["Retry-After"] = str(_RETRY_AFTER)
        return response
