"""Pages about one's team."""

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from striate.portal.access import admitted
from striate.portal.accounts.forms import NewTeam
from striate.portal.boards.standings import DECIMALS
from striate.portal.models import Membership, Submission, Team, User


@admitted
@require_http_methods(["GET", "POST"])
def team(request: HttpRequest) -> HttpResponseBase:
    """One's own team, or how to have one."""
    assert isinstance(request.user, User)
    own = request.user.team
    if own is not None:
        members = own.memberships.select_related("user").order_by("joined_at")
        invitation = request.build_absolute_uri(reverse("join", args=[own.invitation]))
        shown = {"team": own, "members": members, "invitation": invitation, "submissions": _with_scores(own)}
        return render(request, "portal/accounts/team.html", shown)
    form = NewTeam(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                made = form.save()
                Membership.objects.create(user=request.user, team=made)
        except IntegrityError:  # the name, or another team of this person, came in between
            form.add_error("name", "There is a team of this name already, or you are in one now.")
        else:
            return redirect("team")
    return render(request, "portal/accounts/new_team.html", {"form": form})


@admitted
@require_http_methods(["GET", "POST"])
def join(request: HttpRequest, invitation: str) -> HttpResponseBase:
    """Join a team by its invitation."""
    assert isinstance(request.user, User)
    found = get_object_or_404(Team, invitation=invitation)
    own = request.user.team
    if own is not None and own != found:
        why = f"You are in team {own.name}: a person is in one team. You can leave it as long as it has not submitted."
        return render(request, "portal/refused.html", {"why": why}, status=400)
    if request.method == "GET" and own is None:
        return render(request, "portal/accounts/join.html", {"team": found})
    try:
        with transaction.atomic():
            Membership.objects.get_or_create(user=request.user, team=found)
    except IntegrityError:
        messages.error(request, "You have joined another team meanwhile.")
    return redirect("team")


@admitted
@require_POST
def leave(request: HttpRequest) -> HttpResponseBase:
    """Leave one's team, as long as it has not submitted."""
    assert isinstance(request.user, User)
    with transaction.atomic():
        membership = Membership.objects.select_for_update().select_related("team").filter(user=request.user).first()
        if membership is None:
            return redirect("team")
        Team.objects.select_for_update().get(pk=membership.team_id)
        if membership.team.fixed:
            why = f"Team {membership.team.name} has submitted: its members stay its members until the end."
            return render(request, "portal/refused.html", {"why": why}, status=400)
        membership.delete()
        if not membership.team.memberships.exists():
            membership.team.delete()
    return redirect("team")


def _with_scores(own: Team) -> list[Submission]:
    """The submissions of a team, the last first, with the score that ranks, as it is shown."""
    found = list(own.submissions.prefetch_related("scores"))
    for each in found:
        score = max(each.scores.all(), key=lambda one: one.pk, default=None)
        each.shown = None if score is None or score.value is None else f"{score.value:.{DECIMALS}f}"  # type: ignore[attr-defined]
    return found
