"""Who may see and do what: each view says it in one word, and a test compares all of them with a table."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase
from django.utils.translation import gettext_lazy as _

from striate.portal.models import Submission, User

View = TypeVar("View", bound=Callable[..., HttpResponseBase])
Row = TypeVar("Row", bound=Model)

NOT_ADMITTED = _(
    "Your account is not admitted yet: follow the link in the mail that was sent to you, or wait until an organiser approves it."
)


def signed_in(view: View) -> View:
    """Let in whoever has signed in; send others to the page where that is done."""
    return login_required(view)


def admitted(view: View) -> View:
    """Let in whoever has signed in and may take part."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **named: Any) -> HttpResponseBase:
        if not request.user.admitted:  # type: ignore[union-attr]
            raise PermissionDenied(NOT_ADMITTED)
        return view(request, *args, **named)

    return signed_in(guarded)  # type: ignore[return-value]


# Whoever competes, organisers and administrators included, sees of other teams what every participant sees, and nothing else.
# The functions below are the only place that says so. Baselines are rows of the organisers' own, and no rivals; their files are kept
# from those who compete all the same.


def competes(user: Any) -> bool:
    """Whether a person is in a team."""
    return user.team is not None


def without_rivals(user: Any, rows: QuerySet[Row], team: str = "team") -> QuerySet[Row]:
    """Leave out rows that belong to other teams, if a person competes.

    Parameters
    ----------
    user
        Who asks.
    rows
        Of any table.
    team
        What leads from a row to its team: ``submission__team``, say. Rows without a team stay.
    """
    own = user.team
    if own is None:
        return rows
    return rows.filter(Q(**{team: own.pk}) | Q(**{f"{team}__isnull": True}))


def require_no_rival(user: User, submission: Submission) -> None:
    """Refuse the file of a submission to everybody who competes in another team than the one that sent it.

    Raises
    ------
    PermissionDenied
        If the person is in another team.
    """
    team = user.team
    if team is not None and submission.team_id != team.pk:
        raise PermissionDenied(
            _("You compete in team %(team)s: nobody who competes gets the files of others.") % {"team": team.name}
        )


def may_see(user: User, submission: Submission) -> bool:
    """Whether a person may see a submission's own page: a member of its team, or an organiser who is not in another one."""
    if user.is_staff and (submission.team_id is None or not competes(user)):
        return True
    team = user.team
    return team is not None and submission.team_id == team.pk


def require_visible(user: User, submission: Submission) -> None:
    """Refuse the page of a submission to those who may not see it; to all but organisers it is as if there was none.

    Raises
    ------
    PermissionDenied
        If the person is an organiser who competes in another team.
    Http404
        If it is somebody else who may not see it.
    """
    if may_see(user, submission):
        return
    if user.is_staff:
        raise PermissionDenied(
            _("You compete in team %(team)s: nobody who competes sees the submissions of others.") % {"team": user.team}
        )
    raise Http404
