"""Publish the results of a competition that was closed elsewhere, where its vault is."""

from datetime import datetime
from pathlib import Path

from django.db import transaction

from striate.competition import Results
from striate.competition.manifest import sha256_of
from striate.competition.results import FILE as RESULTS
from striate.errors import InputError
from striate.portal import storage as files
from striate.portal.boards.published import storage
from striate.portal.competition import competition
from striate.portal.in_force import rules_in_force
from striate.portal.models import Chain, Link, Publication, State, Submission
from striate.portal.organising import audit
from striate.portal.receiving.on_the_way import ON_THE_WAY


def publish(bundle: Path, *, at: datetime) -> Results:
    """Take over a bundle of results, so that the final boards exist.

    The files are copied first, and found by every machine when all of them are there.

    Parameters
    ----------
    bundle
        Folder that ``striate competition close`` wrote.
    at
        Now.

    Raises
    ------
    InputError
        If submissions are still taken, receipts may still come, or it is the bundle of another competition or another chain of receipts.
    """
    rules = rules_in_force()
    _refuse_while_receipts_may_come(rules.closes, at)
    results = Results.read(bundle)
    last = Link.objects.order_by("-number").first()
    head = last.digest if last else Chain.objects.get(pk=1).anchor
    if results.commitment != competition().anchor:
        raise InputError(f"{bundle} holds the results of another competition: its commitment is another.")
    if results.chain != head:
        raise InputError(
            f"{bundle} was made with another chain of receipts than the portal's: close with the portal's submissions and its "
            "receipts.jsonl."
        )
    digest = sha256_of(bundle / RESULTS)
    for file in sorted(bundle.rglob("*")):
        if file.is_file():
            files.put(storage(), file, f"{digest}/{file.relative_to(bundle).as_posix()}", copy=True)
    with transaction.atomic():
        Publication.objects.create(digest=digest, at=at)  # all of it is there: from now on it is found
        audit.note(None, "publish results", about=rules.name, after={"chain": head, "scorer": results.scorer})
    return results


def _refuse_while_receipts_may_come(closes: datetime, at: datetime) -> None:
    """What was sent in time has its receipt in time: results of a chain that goes on would know nothing of it."""
    if at < closes:
        raise InputError(f"Submissions are taken until {closes.isoformat()}: results are published after that.")
    if at < closes + ON_THE_WAY:
        raise InputError(
            f"Submissions were taken until {closes.isoformat()}, and what was sent before may still be on its way: results can be "
            f"published from {(closes + ON_THE_WAY).isoformat()} on, when the chain of receipts is whole."
        )
    if waiting := Submission.objects.filter(state=State.RECEIVED).count():
        raise InputError(
            f"Files that were sent are still being checked, and may get receipts ({waiting} of them): when the page Organise shows "
            "none as received any more, close with the chain of receipts as it is then, and publish that."
        )
