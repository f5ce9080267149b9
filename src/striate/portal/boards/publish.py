"""Publish the results of a competition that was closed elsewhere, where its vault is."""

import shutil
from datetime import datetime
from pathlib import Path

from django.db import transaction

from striate.competition import Results
from striate.errors import InputError
from striate.files import whole_folder
from striate.portal.competition import competition, place
from striate.portal.models import Chain, Link
from striate.portal.organising import audit


def publish(bundle: Path, *, at: datetime) -> Results:
    """Take over a bundle of results, so that the final boards exist.

    Parameters
    ----------
    bundle
        Folder that ``striate competition close`` wrote.
    at
        Now.

    Raises
    ------
    InputError
        If submissions are still taken, or it is the bundle of another competition or another chain of receipts.
    """
    rules = competition().rules
    if at < rules.closes:
        raise InputError(f"Submissions are taken until {rules.closes.isoformat()}: results are published after that.")
    results = Results.read(bundle)
    last = Link.objects.order_by("-number").first()
    head = last.digest if last else Chain.objects.get(pk=1).anchor
    if results.commitment != competition().anchor:
        raise InputError(f"{bundle} holds the results of another competition: its commitment is another.")
    if results.chain != head:
        raise InputError(
            f"{bundle} was made with another chain of receipts than the portal's: close with {place().submissions} and the portal's "
            "receipts.jsonl."
        )
    with transaction.atomic():
        with whole_folder(place().data / "results", overwrite=True) as aside:
            shutil.copytree(bundle, aside, dirs_exist_ok=True)
        audit.note(None, "publish results", about=rules.name, after={"chain": head, "scorer": results.scorer})
    return results
