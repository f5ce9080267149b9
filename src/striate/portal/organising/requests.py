"""What is done around every request: it gets a number, is logged as one line, counted, and what it changes in the admin is whole."""

import logging
import re
import secrets
import time
from collections.abc import Callable

from django.db import transaction
from django.http import HttpRequest, HttpResponseBase

from striate.portal.organising import counting
from striate.portal.organising.asking import request_now
from striate.portal.organising.watching import in_admin

Answer = Callable[[HttpRequest], HttpResponseBase]

log = logging.getLogger("striate.portal.requests")
_NUMBER = re.compile(r"[0-9A-Za-z-]{8,64}")
_SILENT = {"health", "ready", "metrics"}  # asked every few seconds, by machines
_SERVER_ERROR = 500


def numbered(answer: Answer) -> Answer:
    """Log each request: which page (by its pattern, since addresses may hold secrets), the answer, how long, and whose account."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        asked = request.headers.get("X-Request-Id", "")
        number = asked if _NUMBER.fullmatch(asked) else secrets.token_hex(8)
        request.META["REQUEST_NUMBER"] = number
        held = request_now.set(request)
        begun = time.perf_counter()
        try:
            response = answer(request)
        finally:
            request_now.reset(held)
        seconds = time.perf_counter() - begun
        match = request.resolver_match
        page = (match.view_name or "unnamed") if match else "none"
        counting.count(request.method or "", page, response.status_code, seconds)
        response.headers["X-Request-Id"] = number
        if page not in _SILENT:
            user = getattr(request, "user", None)
            about = {
                "request": number,
                "method": request.method,
                "page": page,
                "route": match.route if match else "",
                "status": response.status_code,
                "ms": round(1000 * seconds, 1),
                "user": user.pk if user is not None else None,
            }
            log.info("answered", extra={"about": about})
        return response

    return middleware


def whole_in_admin(answer: Answer) -> Answer:
    """What is changed in the admin and its entries in the audit log are one transaction."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if not in_admin(request):
            return answer(request)
        with transaction.atomic():
            response = answer(request)
            if response.status_code >= _SERVER_ERROR:
                transaction.set_rollback(True)
        return response

    return middleware
