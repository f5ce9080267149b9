"""The page on which organisers see how the competition stands, and what has no place in the admin."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from striate.competition.commitment import scorer
from striate.portal.access import competes, signed_in, without_rivals
from striate.portal.competition import competition
from striate.portal.hosting import arriving
from striate.portal.in_force import rules_in_force
from striate.portal.models import Job, Submission, Team, User, Worker
from striate.portal.models.submissions import State
from striate.portal.organising import audit
from striate.portal.receiving import clock
from striate.portal.scoring.versions import progress, queue

_MOST_SHOWN = 200


def organisers(request: HttpRequest) -> None:
    """Raise `PermissionDenied` where somebody else asks."""
    if not (isinstance(request.user, User) and request.user.is_staff):
        raise PermissionDenied(_("This is for organisers."))


@signed_in
@require_safe
def overview(request: HttpRequest) -> HttpResponseBase:
    """Phases, what waits for an organiser, files that came from two teams, workers, versions of the scorer."""
    organisers(request)
    rules = rules_in_force()
    shown = {
        "now": timezone.now(),
        "clock": clock.problem(),
        "phases": rules.phases,
        "phase": rules.phase_at(timezone.now()),
        "states": _states(request.user),
        "to_approve": _to_approve(),
        "competes": competes(request.user),
        "same": () if competes(request.user) else same_files(),
        "workers": Worker.objects.order_by("name"),
        "there": set(Worker.there().values_list("pk", flat=True)),
        "progress": [progress(board) for board in competition().boards.values()],
        "rescoring": Job.objects.filter(kind=Job.Kind.RESCORE, done_at=None).exists(),
        "version": _version(),
        "arrivals": arriving.waiting(),
        "push_days": settings.PUSH_LASTS.days,
        "disqualified": Team.objects.exclude(disqualified_at=None),
    }
    return render(request, "portal/organising/overview.html", shown)


@signed_in
@require_POST
def rescore(request: HttpRequest) -> HttpResponseBase:
    """Queue everything that was not scored by the version of the workers."""
    organisers(request)
    queued = score_again(request, version=_version())
    messages.success(request, _("%(count)d submissions were queued to be scored again.") % {"count": queued})
    return redirect("organise")


def score_again(actor: audit.Actor, *, version: str, track: str = "") -> int:
    """Queue what has no score of a version; return how many submissions were queued."""
    boards = [each for each in competition().boards.values() if track in ("", each.track.name)]
    queued = sum(queue(each.track.name, each.protocol, version) for each in boards)
    audit.note(actor, "score again", about=track or "all tracks", after={"scorer": version, "queued": queued})
    return queued


def same_files() -> list[tuple[str, list[Submission]]]:
    """Files that came from two teams, or from a team and as a baseline: by hash, as sent or as kept; the last first."""
    groups: dict[str, dict[str, Submission]] = {}
    for field in ("sha256", "kept"):
        rows = Submission.objects.exclude(**{field: ""}).order_by().values(field)
        # a baseline has no team, and is counted by its name
        several = rows.annotate(teams=Count("team", distinct=True), names=Count("baseline", distinct=True))
        found = [row[field] for row in several if row["teams"] + max(0, row["names"] - (row["teams"] > 0)) > 1]
        for each in Submission.objects.filter(**{f"{field}__in": found[:_MOST_SHOWN]}).select_related("team"):
            groups.setdefault(getattr(each, field), {})[str(each.pk)] = each
    return [(digest, list(group.values())) for digest, group in groups.items()][:_MOST_SHOWN]


def _version() -> str:
    """What the workers that are there score with; that of this process where there is none."""
    latest = Worker.there().order_by("-started_at").first()
    return latest.scorer if latest else scorer(competition().benchmark)


def _states(user: Any) -> list[tuple[str, str, int]]:
    shown = without_rivals(user, Submission.objects.order_by())
    counts: dict[Any, int] = dict(shown.values_list("state").annotate(Count("pk")))
    return [(state.value, str(state.label), counts.get(state.value, 0)) for state in State]


def _to_approve() -> int:
    waiting = User.objects.filter(is_active=True, approved_at=None, is_staff=False)
    return sum(not user.admitted for user in waiting.only("is_staff", "approved_at", "verified_at"))
