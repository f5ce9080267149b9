"""Pages about one's team."""

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from striate.portal.access import admitted
from striate.portal.accounts.forms import NewTeam, RenameTeam
from striate.portal.boards.pages import level_text
from striate.portal.boards.progress import picture, progress_of
from striate.portal.boards.standings import DECIMALS
from striate.portal.competition import competition
from striate.portal.decimals import decimals
from striate.portal.models import Link, Membership, Score, Submission, Team, User
from striate.portal.organising import audit
from striate.portal.receiving.limits import left


@admitted
@require_http_methods(["GET", "HEAD", "POST"])
def team(request: HttpRequest) -> HttpResponseBase:
    """One's own team, or how to have one."""
    assert isinstance(request.user, User)
    own = request.user.team
    if own is not None:
        members = own.memberships.select_related("user").order_by("joined_at")
        invitation = request.build_absolute_uri(reverse("join", args=[own.invitation]))
        now, boards = timezone.now(), competition().boards.values()
        shown = {
            "team": own,
            "members": members,
            "invitation": invitation,
            "submissions": _with_scores(own),
            "pictures": [(found, picture(found)) for board in boards if (found := progress_of(own, board))],
            "limits": [left(own, board, now) for board in boards],
            "level": level_text(),
            "rename": RenameTeam(instance=own),
        }
        return render(request, "portal/accounts/team.html", shown)
    form = NewTeam(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                made = form.save()
                Membership.objects.create(user=request.user, team=made)
                _note(request, "make team", made)
        except IntegrityError:  # the name, or another team of this person, came in between
            form.add_error("name", _("There is a team of this name already, or you are in one now."))
        else:
            return redirect("team")
    return render(request, "portal/accounts/new_team.html", {"form": form})


@admitted
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest, invitation: str) -> HttpResponseBase:
    """Join a team by its invitation."""
    assert isinstance(request.user, User)
    found = get_object_or_404(Team, invitation=invitation)
    own = request.user.team
    if own is not None and own != found:
        why = _(
            "You are in team %(team)s: a person is in one team. You can leave it as long as it has not submitted."
        ) % {"team": own.name}
        return render(request, "portal/refused.html", {"why": why}, status=400)
    if request.method != "POST" and own is None:
        return render(request, "portal/accounts/join.html", {"team": found})
    try:
        with transaction.atomic():
            if Membership.objects.get_or_create(user=request.user, team=found)[1]:
                _note(request, "join team", found)
    except IntegrityError:
        messages.error(request, _("You have joined another team meanwhile."))
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
            said = (
                _("Team %(team)s was disqualified: its members stay its members until the end.")
                if membership.team.disqualified_at
                else _("Team %(team)s has submitted: its members stay its members until the end.")
            )
            why = said % {"team": membership.team.name}
            return render(request, "portal/refused.html", {"why": why}, status=400)
        _note(request, "leave team", membership.team)
        membership.delete()
        if not membership.team.memberships.exists():
            membership.team.delete()
    return redirect("team")


@admitted
@require_POST
def rename(request: HttpRequest) -> HttpResponseBase:
    """Rename one's team, as long as its name stands in no receipt."""
    assert isinstance(request.user, User)
    own = request.user.team
    if own is None:
        return redirect("team")
    try:
        with transaction.atomic():
            own = Team.objects.select_for_update().get(pk=own.pk)
            if own.fixed:
                why = _("The name of team %(team)s stands in the chain of receipts and stays.") % {"team": own.name}
                return render(request, "portal/refused.html", {"why": why}, status=400)
            form = RenameTeam(request.POST, instance=own)
            if form.is_valid():
                form.save()
                messages.success(request, _("The team is renamed."))
            else:
                messages.error(request, " ".join(map(str, form.errors["name"])))
    except IntegrityError:  # somebody took the name in this instant
        messages.error(request, _("There is a team of this name already."))
    return redirect("team")


@admitted
@require_POST
def new_invitation(request: HttpRequest) -> HttpResponseBase:
    """Make the link by which others join another one; the old one works no longer."""
    assert isinstance(request.user, User)
    if (own := request.user.team) is not None:
        own.invite_anew()
        messages.success(request, _("The old link works no longer."))
    return redirect("team")


def _note(request: HttpRequest, what: str, about: Team) -> None:
    """Write down whether an organiser competes: that decides what the person may see."""
    if request.user.is_staff:
        audit.note(request, what, about=about)


def _with_scores(own: Team) -> list[Submission]:
    """The submissions of a team, the last first, with the score that ranks, as it is shown, and the number of the receipt."""
    scores = Prefetch("scores", Score.objects.defer("draws"))
    found = list(own.submissions.prefetch_related(scores))
    receipts = dict(Link.objects.filter(submission__team=own, kind="submission").values_list("submission", "number"))
    for each in found:
        score = max(each.scores.all(), key=lambda one: one.pk, default=None)
        each.shown = None if score is None or score.value is None else decimals(score.value, DECIMALS)  # type: ignore[attr-defined]
        each.receipt = receipts.get(each.pk)  # type: ignore[attr-defined]
    return found
