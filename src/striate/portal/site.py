"""The front page, requests that are not understood, and what shows that the portal is alive."""

import sys
from datetime import datetime
from http import HTTPStatus
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, UnreadablePostError
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.http import require_safe

from striate.competition.tables import Phase
from striate.portal.boards.metric_names import metric_name
from striate.portal.boards.pages import leaders
from striate.portal.boards.published import published
from striate.portal.bodies import LengthRequiredError
from striate.portal.competition import competition
from striate.portal.hosting.dataset import accepted
from striate.portal.in_force import in_force
from striate.portal.models import Submission, User
from striate.portal.organising.announcing import latest
from striate.portal.unavailable import is_full_disk

_WAIT = 3  # seconds


@require_safe
def home(request: HttpRequest) -> HttpResponseBase:
    """What the competition is about, its phases, who leads its boards, and how to begin."""
    made, now = competition(), timezone.now()
    boards = [
        (slug, board, metric_name(board.track.metric), leaders(slug, board)) for slug, board in made.boards.items()
    ]
    standing = in_force()
    phases = [(phase, _tense(phase, now), standing.moves_of(phase.name)) for phase in standing.rules.phases]
    shown = {"boards": boards, "phases": phases, "steps": _steps(request.user), "announcements": latest()}
    return render(request, "portal/home.html", shown | {"final": published() is not None})


def _tense(phase: Phase, now: datetime) -> str:
    return "past" if phase.ends <= now else "coming" if now < phase.starts else "now"


def _steps(user: Any) -> dict[str, bool]:
    """Which of the first steps a person has taken."""
    if not isinstance(user, User):
        return {}
    team = user.team
    return {
        "account": user.admitted and team is not None,
        "terms": accepted(user),
        "submitted": team is not None and Submission.objects.filter(team=team).exists(),
    }


@require_safe
def health(request: HttpRequest) -> HttpResponseBase:
    """Whether pages can be answered: the database is asked."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("ok\n", content_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})


def not_understood(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The answer to a request that Django refuses; nothing of the request is relied on."""
    if isinstance(exception, RequestDataTooBig):
        return HttpResponse(render_to_string("413.html"), status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    length = isinstance(exception, LengthRequiredError)
    return HttpResponse(
        render_to_string("400.html"), status=HTTPStatus.LENGTH_REQUIRED if length else HTTPStatus.BAD_REQUEST
    )


def fault(request: HttpRequest) -> HttpResponse:
    """Answer an error that no other part of the portal handled; the answer needs no database.

    A full disk is named. A database that is busy or being restarted is worth asking again, and so is a body that broke off.
    Anything else is a fault of the portal.
    """
    error = sys.exception()
    if is_full_disk(error):
        return full_disk(request)
    if isinstance(error, UnreadablePostError | TimeoutError):
        return HttpResponse(render_to_string("400.html"), status=HTTPStatus.REQUEST_TIMEOUT)
    away = isinstance(error, OperationalError | InterfaceError)
    answer = HttpResponse(render_to_string("503.html" if away else "500.html"), status=503 if away else 500)
    answer.headers["Cache-Control"] = "no-store"
    if away:
        answer.headers["Retry-After"] = str(_WAIT)
    return answer


def full_disk(request: HttpRequest) -> HttpResponse:
    """Say that the disk of the portal is full; the answer needs neither the disk nor the database."""
    answer = HttpResponse(render_to_string("507.html"), status=HTTPStatus.INSUFFICIENT_STORAGE)
    answer.headers["Cache-Control"] = "no-store"
    return answer
