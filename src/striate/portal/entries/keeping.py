"""Keep method cards, and tell which entries are public."""

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from striate.competition import RowResult
from striate.errors import InputError
from striate.portal.boards.published import final_row
from striate.portal.entries.card import MethodCard
from striate.portal.models import Card, Link, Standing, Submission, User
from striate.portal.models.submissions import State

_MOST_VERSIONS = 200


@dataclass(frozen=True)
class Entry:
    """A submission that has a receipt.

    Attributes
    ----------
    link
        Its receipt.
    submission
        What was sent.
    row
        Its row on the live board; None if another submission counts for its team.
    final
        Its row on the final board; None until that is published, or if another one counts.
    """

    link: Link
    submission: Submission
    row: dict[str, Any] | None
    final: RowResult | None

    @property
    def public(self) -> bool:
        """Whether it stands on a board, for everybody to see."""
        return self.row is not None or self.final is not None


def entry(receipt: int) -> Entry | None:
    """The entry of a receipt; None if there is none."""
    link = Link.objects.select_related("submission__team").filter(number=receipt, kind="submission").first()
    if link is None:
        return None
    own = link.submission
    assert own is not None  # the link is a receipt
    standing = Standing.objects.filter(track=own.track, protocol=own.protocol).first()
    rows = standing.rows if standing else ()
    row = next((each for each in rows if each["receipt"] == receipt), None)
    return Entry(link, own, row, final_row(own.track, own.protocol, receipt))


def may_write(user: User, submission: Submission) -> bool:
    """Whether a person may write a submission's card: a member of its team; an organiser, if it is a baseline."""
    if submission.team_id is None:
        return user.is_staff
    team = user.team
    return team is not None and team.pk == submission.team_id


def current(submission: Submission) -> Card | None:
    """The card that counts."""
    return submission.cards.order_by("-version").first()


def keep(submission: Submission, card: MethodCard) -> Card:
    """Keep a new version of a card; the same content again is no new version.

    Raises
    ------
    InputError
        If the submission was refused, or has too many versions.
    """
    content = card.model_dump(mode="json")
    with transaction.atomic():
        locked = Submission.objects.select_for_update(of=("self",)).get(pk=submission.pk)
        if locked.state == State.REFUSED:
            raise InputError(_("The submission was refused: write the card of one that was taken."))
        last = current(locked)
        if last is not None and last.content == content:
            return last
        if last is not None and last.version >= _MOST_VERSIONS:
            raise InputError(
                _("The card has %(count)d versions already, and no more are kept.") % {"count": last.version}
            )
        return Card.objects.create(submission=locked, version=last.version + 1 if last else 1, content=content)
