"""The chain of receipts and notices: added to by one transaction at a time, published as ``striate competition`` reads it."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils import timezone

from striate._internal.safe_parsing import parse_model
from striate.competition import Receipt, Receipts
from striate.competition.boards import Board
from striate.competition.clock import ClockError
from striate.competition.receipts import Entry, linked
from striate.portal.models import Chain, Link, Submission, Team
from striate.portal.models.submissions import State
from striate.portal.receiving import clock


def lock_chain() -> Chain:
    """Lock the chain until the transaction ends: nobody else adds to it, or counts towards a limit, meanwhile."""
    return Chain.objects.select_for_update().get(pk=1)


def add(
    chain: Chain, submission: Submission, *, kind: str = "submission", at: datetime, chosen: int | None = None
) -> Link:
    """Add a receipt to the locked chain."""
    receipt = following(
        chain,
        at,
        kind="choice" if kind == "choice" else "submission",
        team=submission.row,
        track=submission.track,
        protocol=submission.protocol,
        sha256=submission.kept,
        chosen=chosen,
        baseline=bool(submission.baseline),
    )
    return write(receipt, submission=submission)


def following(chain: Chain, at: datetime, **fields: Any) -> Entry:
    """Make the next link of the locked chain.

    Raises
    ------
    ClockError
        If the clock cannot be trusted now: a link with a wrong time would bind all that follow.
    """
    if why := clock.problem():
        raise ClockError(why)
    at = min(at, timezone.now())  # a file that was received while the clock was ahead
    last = Link.objects.order_by("-number").first()
    if last is None:
        return linked(1, chain.anchor, at=at, **fields)
    # Files are checked side by side: one that was received first may get its receipt second. The chain is in the order of time.
    return linked(last.number + 1, last.digest, at=max(at, last.at), **fields)


def write(entry: Entry, *, submission: Submission | None = None, team: Team | None = None) -> Link:
    """Write a link; `team` is whom a notice is about."""
    return Link.objects.create(
        number=entry.number,
        submission=submission,
        team=team,
        kind=entry.kind,
        at=entry.at,
        body=entry.model_dump_json(),
        digest=entry.digest,
    )


def counted(chain: Chain, submission: Submission) -> Receipts:
    """Receipts that count towards the limits of a submission: of its team on its board, without the platform's failures."""
    same = Q(submission__team=submission.team, submission__baseline=submission.baseline)
    board = Q(submission__track=submission.track, submission__protocol=submission.protocol)
    links = Link.objects.filter(same & board, kind="submission").exclude(submission__state=State.FAILED)
    return Receipts(chain.anchor, tuple(receipt_of(link) for link in links))


def of_board(board: Board) -> Receipts:
    """Receipts and choices of a board."""
    links = Link.objects.filter(submission__track=board.track.name, submission__protocol=board.protocol)
    return Receipts(Chain.objects.get(pk=1).anchor, tuple(receipt_of(link) for link in links))


def receipt_of(link: Link) -> Receipt:
    """The receipt of a link."""
    return parse_model(Receipt, link.body, f"Receipt {link.number}", "restore the portal from a backup")


def lines() -> Iterator[str]:
    """The chain as it is published, line by line: ``receipts.jsonl``."""
    for link in Link.objects.order_by("number").only("body").iterator():
        yield link.body + "\n"
