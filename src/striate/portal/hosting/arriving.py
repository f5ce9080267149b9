"""Bytes on their way into a version: kept when they arrive, a version's own once it is published, cleared when their push was given up.

A row that names bytes and the file that holds them come and go by three rules:

1. Before a file is put into the storage, a row names it: an `Arrival`, written under the lock.
2. A file is removed only under the lock, while no row names it.
3. An `Arrival` goes only under the lock: with the version that makes a `Content` of it, in one transaction; or because no push has named
   it for days, which is looked at again under the lock of its row.

So whoever begins to send bytes whose file is being removed waits until it is gone, and puts it anew; and a version either finds the
arrivals that it needs, which are then its contents and stay, or says which are missing, and the push sends them again. Whoever is killed
between two steps leaves a row without a file, or a file without a row, both of which are cleared some days later.
"""

import re
import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TypeVar

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, Sum
from django.utils import timezone

from striate.competition.manifest import sha256_of
from striate.portal.competition import place
from striate.portal.hosting.contents import storage
from striate.portal.hosting.secrets import refuse_secret
from striate.portal.models import Arrival, Content
from striate.portal.models.snapshots import stored_name
from striate.portal.organising import audit
from striate.portal.storage import below, put

_LOCK = 2022_12_01  # any number that is always the same
_WRITERS = 8  # small files that are written at once: each waits until it is safe on the disk, or at the service
_ROWS = 500
_Item = TypeVar("_Item")
# A content in the storage, or what a process that was killed left of one beside it.
_STORED = re.compile(r"^[0-9a-f]{2}/(?P<aside>\.?)(?P<sha256>[0-9a-f]{64})(?:\.\d+)?$")


def here(hashes: Iterable[str]) -> set[str]:
    """Those of some contents that are here; the push that asks goes on, so that none of them is cleared for some days."""
    found: set[str] = set()
    for some in _parts(hashes):
        # Written before it is read: a clearing that was earlier has removed the row, and one that is later sees the moment.
        Arrival.objects.filter(sha256__in=some).update(asked_at=timezone.now())
        found.update(_named(some, whole=True))
    return found


@dataclass(frozen=True)
class Allowing:
    """That an organiser says of files that they hold no withheld responses, however they look.

    Attributes
    ----------
    by
        Who says so, for the audit log.
    hashes
        Of the files.
    """

    by: audit.Actor = None
    hashes: Collection[str] = ()

    def check(self, file: Path, sha256: str) -> None:
        """Refuse a secret; write down what would have been refused.

        Raises
        ------
        InputError
            If it is a secret, or suspicious and not allowed.
        """
        found = refuse_secret(file, sha256, allowed=sha256 in self.hashes)
        if found is not None:
            audit.note(self.by, "allow data", about=f"content {sha256}", after={"suspicion": found.why})


_NOTHING = Allowing()


def keep(file: Path, sha256: str, allowing: Allowing = _NOTHING) -> None:
    """Take a file in, whose hash was verified; it is moved away. What is there already is not kept twice.

    Raises
    ------
    InputError
        If it is a secret of the competition, or suspicious and not allowed.
    """
    if not here([sha256]):
        allowing.check(file, sha256)
        _announce({sha256: file.stat().st_size})
        put(storage(), file, stored_name(sha256))
        _arrived([sha256])
    file.unlink(missing_ok=True)


def keep_small(sent: Mapping[str, bytes], allowing: Allowing = _NOTHING) -> None:
    """Take in many small contents, by their verified hashes: all of them, or none.

    Raises
    ------
    InputError
        If one is a secret of the competition.
    """
    known = here(sent)
    new = {sha256: content for sha256, content in sent.items() if sha256 not in known}
    if not new:
        return
    kept = storage()
    with tempfile.TemporaryDirectory(dir=place().uploads, prefix="whole-") as aside:
        files = {sha256: Path(aside) / sha256 for sha256 in new}
        for sha256, file in files.items():
            file.write_bytes(new[sha256])
            allowing.check(file, sha256)
        _announce({sha256: len(content) for sha256, content in new.items()})
        with ThreadPoolExecutor(_WRITERS) as pool:
            list(pool.map(lambda sha256: put(kept, files[sha256], stored_name(sha256)), new))
    _arrived(new)


def keep_copy(file: Path, allowing: Allowing = _NOTHING) -> None:
    """Take in a copy of a file of this machine, so that what becomes of the original later changes nothing.

    Raises
    ------
    InputError
        If it is a secret of the competition, or suspicious and not allowed.
    """
    if here([sha256_of(file)]):
        return
    with tempfile.NamedTemporaryFile(dir=place().uploads, prefix="data-", delete=False) as aside:
        copy = Path(aside.name)
    try:
        shutil.copyfile(file, copy)
        keep(copy, sha256_of(copy), allowing)  # of the copy: the original may be written to meanwhile
    finally:
        copy.unlink(missing_ok=True)


def take_over(hashes: Sequence[str]) -> list[str]:
    """Make contents of arrivals, in the transaction that publishes a version; return the hashes of which nothing is here."""
    _lock()
    found: set[str] = set()
    for some in _parts(hashes):
        arrivals = list(Arrival.objects.filter(sha256__in=some, whole=True))
        known = _contents(some)
        new = [Content(sha256=each.sha256, size=each.size) for each in arrivals if each.sha256 not in known]
        Content.objects.bulk_create(new)
        Arrival.objects.filter(pk__in=[each.pk for each in arrivals]).delete()
        found |= known | {each.sha256 for each in arrivals}
    return [each for each in hashes if each not in found]


@dataclass(frozen=True)
class Amount:
    """How many contents, and how many bytes they have."""

    files: int
    size: int


def waiting() -> Amount:
    """What has arrived and is in no version yet."""
    told = Arrival.objects.aggregate(files=Count("pk"), size=Sum("size"))
    return Amount(told["files"], told["size"] or 0)


def clear(actor: audit.Actor, after: timedelta | None = None, most: int | None = None) -> Amount:
    """Remove what pushes have brought that were given up.

    Parameters
    ----------
    actor
        Who does so, for the audit log.
    after
        How long no push may have named a content; by default as the portal's setting says.
    most
        How many contents are removed at once, for whoever has other things to do; all by default.

    Returns
    -------
    Amount
        What was removed.

    Raises
    ------
    StorageUnavailableError
        If the service that keeps the files does not answer; what is left is removed another time.
    """
    before = timezone.now() - (settings.PUSH_LASTS if after is None else after)
    with _locked():
        old = list(Arrival.objects.select_for_update().filter(asked_at__lt=before).order_by("pk")[:most])
        for some in _parts(old):
            Arrival.objects.filter(pk__in=[each.pk for each in some]).delete()
        removed = Amount(len(old), sum(each.size for each in old))
        if old:
            audit.note(actor, "clear contents", after={"files": removed.files, "bytes": removed.size})
    for each in old:
        _remove(each.sha256)
    return removed


def sweep(most: int | None = None) -> int:
    """Remove files that no row names, and that have lain there for as long as a push may rest, at most so many; return how many."""
    before: datetime = timezone.now() - settings.PUSH_LASTS
    old = {name: match for name, written in below(storage(), "") if written < before and (match := _STORED.match(name))}
    known: set[str] = set()
    for some in _parts({match["sha256"] for match in old.values()}):
        known |= _named(some, whole=False)
    left = {name: match for name, match in old.items() if match["aside"] or match["sha256"] not in known}
    removed = list(left.items())[:most]
    for name, match in removed:
        if match["aside"]:
            storage().delete(name)
        else:
            _remove(match["sha256"])
    return len(removed)


def _remove(sha256: str) -> None:
    with _locked():
        if not _named([sha256], whole=False):  # somebody may bring it again in this instant
            storage().delete(stored_name(sha256))


def _announce(sizes: Mapping[str, int]) -> None:
    """Name what is about to be put into the storage."""
    now = timezone.now()
    with _locked():
        rows = [Arrival(sha256=sha256, size=size, asked_at=now) for sha256, size in sizes.items()]
        Arrival.objects.bulk_create(rows, ignore_conflicts=True)  # somebody else may be bringing the same
        Arrival.objects.filter(sha256__in=sizes).update(asked_at=now)


def _arrived(hashes: Iterable[str]) -> None:
    Arrival.objects.filter(sha256__in=list(hashes)).update(whole=True)


def _named(hashes: Sequence[str], *, whole: bool) -> set[str]:
    """Those of some contents that a row names. Arrivals come first: they become contents, and never the other way round."""
    arrivals = Arrival.objects.filter(sha256__in=hashes)
    if whole:
        arrivals = arrivals.filter(whole=True)
    return {*arrivals.values_list("sha256", flat=True)} | _contents(hashes)


def _contents(hashes: Sequence[str]) -> set[str]:
    return set(Content.objects.filter(sha256__in=hashes).values_list("sha256", flat=True))


def _parts(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    """Some of them at a time: a database takes no list of any length."""
    left = iter(items)
    while part := list(islice(left, _ROWS)):
        yield part


@contextmanager
def _locked() -> Iterator[None]:
    with transaction.atomic():
        _lock()
        yield


def _lock() -> None:
    """Wait for the lock, which goes with the transaction; on SQLite, every transaction that writes has it."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
