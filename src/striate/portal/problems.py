"""Errors for programs: every one of them is a problem document (RFC 9457), whatever part of the portal refused the request."""

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from striate._internal.safe_parsing import MalformedError, parse_json_object

CONTENT_TYPE = "application/problem+json"
_LONGEST_TEXT = 500  # characters
_ERRORS = 400  # and above
_GENERAL = gettext_lazy("The portal did not do this.")
# What is said where the part of the portal that refused the request said nothing that programs could show.
_SENTENCES: Mapping[int, Promise] = {
    400: gettext_lazy("The request cannot be understood: check its address, its Host header and its body."),
    401: gettext_lazy("A token is missing or not valid: send the header “Authorization: Bearer TOKEN”."),
    403: gettext_lazy("This is not for you to see or to do."),
    404: gettext_lazy("There is nothing at this address: /api/v1/openapi.json lists all calls."),
    405: gettext_lazy("This address does not take this method: the header “Allow” names those that it takes."),
    408: gettext_lazy("The body of the request did not arrive in time: send it again."),
    411: gettext_lazy("The length of the body is missing: send the header “Content-Length” instead of chunks."),
    413: gettext_lazy("The body is larger than this address takes, and nothing of it was kept."),
    414: gettext_lazy("The address is longer than the portal takes (4,094 bytes with its query): shorten it."),
    417: gettext_lazy("The header “Expect” can say “100-continue” and nothing else: leave it out."),
    429: gettext_lazy("This was tried too often: the header “Retry-After” says in how many seconds to try again."),
    431: gettext_lazy("The headers of the request are larger than the portal takes: send fewer or shorter ones."),
    500: gettext_lazy("The portal has a fault, which its log describes: try again later."),
    501: gettext_lazy("The portal does not know this transfer coding: send the body with “Content-Length”."),
    503: gettext_lazy("The portal is busy: try again in some seconds."),
    507: gettext_lazy("The disk of the portal is full, and nothing was kept: try again later."),
}


def problem(status: int, detail: str = "") -> HttpResponse:
    """Make a problem document.

    Parameters
    ----------
    status
        HTTP status, 400 or more.
    detail
        What went wrong, in one sentence; by default a general one for the status.
    """
    title = HTTPStatus(status).phrase
    told = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail or str(_SENTENCES.get(status, _GENERAL)),
    }
    return HttpResponse(json.dumps(told, ensure_ascii=False), content_type=CONTENT_TYPE, status=status)


def for_programs(request: HttpRequest) -> bool:
    """Whether the reader of an answer is a program: it calls the API, or accepts JSON and no page."""
    return is_program(request.path, request.headers.get("Accept", ""))


def is_program(path: str, accepted: str) -> bool:
    """Whether a request for a path with this header ``Accept`` is a program's."""
    return path.startswith("/api/v") or ("json" in accepted and "html" not in accepted)


def problems_for_programs(
    answer: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Turn every error that a program is answered into a problem document, and keep its headers."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = answer(request)
        if response.status_code < _ERRORS or not for_programs(request) or _told(response) == CONTENT_TYPE:
            return response
        if request.path == "/ready":  # its body says what is not ready
            return response
        made = problem(response.status_code, _detail(response))
        for name, value in response.items():
            if name.lower() not in ("content-type", "content-length"):
                made.headers[name] = value
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            made.headers["WWW-Authenticate"] = "Bearer"
        made.cookies = response.cookies
        response.close()
        return made

    return middleware


def _told(response: HttpResponseBase) -> str:
    return response.headers.get("Content-Type", "").partition(";")[0]


def _detail(response: HttpResponseBase) -> str:
    """The sentence of an answer that programs can read; empty if there is none, or only the name of the status."""
    if not isinstance(response, HttpResponse):
        return ""
    text = response.content.decode(response.charset, "replace")
    if _told(response) == "application/json":
        try:
            said = parse_json_object(text)["detail"]
        except (MalformedError, KeyError):
            return ""
        known = isinstance(said, str) and said.rstrip(".") != HTTPStatus(response.status_code).phrase
        return said if known else ""
    return text.strip() if _told(response) == "text/plain" and len(text) <= _LONGEST_TEXT else ""
