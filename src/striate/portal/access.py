"""Who may see and do what: each view says it in one word, and a test compares all of them with a table."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext_lazy as _

from striate.portal.models import Submission, User

View = TypeVar("View", bound=Callable[..., HttpResponseBase])

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


def require_no_rival(user: User, submission: Submission) -> None:
    """Refuse the files of other teams to everybody who competes, organisers and administrators included.

    Raises
    ------
    PermissionDenied
        If the person is in another team than the one whose submission it is.
    """
    team = user.team
    if team is not None and submission.team_id != team.pk:
        raise PermissionDenied(
            _("You compete in team %(team)s: nobody who competes gets the files of others.") % {"team": team.name}
        )


def may_see(user: User, submission: Submission) -> bool:
    """Whether a person may see a submission's own page: a member of its team, or an organiser."""
    if user.is_staff:
        return True
    team = user.team
    return team is not None and submission.team_id == team.pk
