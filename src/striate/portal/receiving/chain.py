"""The chain of receipts: added to by one transaction at a time, published as the file that ``striate competition`` reads."""

from collections.abc import Iterator
from datetime import UTC, datetime

from django.db.models import Q

from striate.competition import Receipt, Receipts
from striate.competition.boards import Board
from striate.portal.models import Chain, Link, Submission
from striate.portal.models.submissions import State


def lock_chain() -> Chain:
    """Lock the chain until the transaction ends: nobody else adds to it, or counts towards a limit, meanwhile."""
    return Chain.objects.select_for_update().get(pk=1)


def add(
    chain: Chain, submission: Submission, *, kind: str = "submission", at: datetime, chosen: int | None = None
) -> Link:
    """Add a receipt to the locked chain."""
    last = Link.objects.order_by("-number").first()
    # Files are checked side by side: one that was received first may get its receipt second. The chain is in the order of time.
    moment = max(at, last.at) if last else at
    bare = Receipt(
        number=last.number + 1 if last else 1,
        kind="choice" if kind == "choice" else "submission",
        at=moment.astimezone(UTC),
        team=submission.row,
        track=submission.track,
        protocol=submission.protocol,
        sha256=submission.kept,
        chosen=chosen,
        baseline=bool(submission.baseline),
        previous=last.digest if last else chain.anchor,
    )
    receipt = bare.model_copy(update={"digest": bare.digested()})
    return Link.objects.create(
        number=receipt.number,
        submission=submission,
        kind=receipt.kind,
        at=receipt.at,
        body=receipt.model_dump_json(),
        digest=receipt.digest,
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
    return Receipt.model_validate_json(link.body)


def lines() -> Iterator[str]:
    """The chain as it is published, line by line: ``receipts.jsonl``."""
    for link in Link.objects.order_by("number").only("body").iterator():
        yield link.body + "\n"
