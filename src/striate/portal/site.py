"""The front page, and what shows that the portal is alive."""

import sys

from django.db import InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from striate.portal.competition import competition
from striate.submissions.scorecard import LABELS

_WAIT = 3  # seconds


@require_safe
def home(request: HttpRequest) -> HttpResponseBase:
    """What the competition is about, its phases, tracks and boards."""
    made = competition()
    now = timezone.now()
    boards = [(slug, board, LABELS[board.track.metric]) for slug, board in made.boards.items()]
    return render(request, "portal/home.html", {"boards": boards, "now": now, "phase": made.rules.phase_at(now)})


@require_safe
def health(request: HttpRequest) -> HttpResponseBase:
    """Whether pages can be answered: the database is asked."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("ok\n", content_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})


def fault(request: HttpRequest) -> HttpResponse:
    """Answer what went wrong: a database that is busy or being restarted is worth asking again, anything else is ours to mend.

    The answer needs no template and no database.
    """
    away = isinstance(sys.exception(), OperationalError | InterfaceError)
    said = (
        "The portal is busy: try again in some seconds."
        if away
        else "The portal has a fault: its organisers can see it."
    )
    kind = "text/plain; charset=utf-8"
    answer = HttpResponse(f"{said}\n", content_type=kind, status=503 if away else 500)
    answer.headers["Cache-Control"] = "no-store"
    if away:
        answer.headers["Retry-After"] = str(_WAIT)
    return answer
