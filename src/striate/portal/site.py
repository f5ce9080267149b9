"""The front page, and what shows that the portal is alive."""

from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from striate.portal.competition import competition
from striate.portal.organising.announcing import latest
from striate.submissions.scorecard import LABELS


@require_safe
def home(request: HttpRequest) -> HttpResponseBase:
    """What the competition is about, its phases, tracks and boards."""
    made = competition()
    now = timezone.now()
    boards = [(slug, board, LABELS[board.track.metric]) for slug, board in made.boards.items()]
    shown = {"boards": boards, "now": now, "phase": made.rules.phase_at(now), "announcements": latest()}
    return render(request, "portal/home.html", shown)


@require_safe
def health(request: HttpRequest) -> HttpResponseBase:
    """Whether pages can be answered: the database is asked."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("ok\n", content_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})
