"""The job of preparing a recording: made where one is not prepared, done by a process of its own, once."""

import tempfile
from pathlib import Path

from django.db.models import QuerySet
from django.utils import timezone

from striate.competition.manifest import ListedFile, sha256_of
from striate.portal.competition import competition, place
from striate.portal.looking import store
from striate.portal.models import Job
from striate.portal.receiving.decoding import PlatformError
from striate.portal.scoring.leases import MOST_ATTEMPTS, Lease

ASIDE = ".looking-"  # begins the names of folders with packed recordings, in the portal's folder


def look_later() -> None:
    """Make a job for each hosted recording that is not prepared, has none, and was not given up lately."""
    for archive in store.recordings():
        if store.is_prepared(archive) or given_up(archive) or _jobs(archive).filter(done_at=None).exists():
            continue
        Job.objects.create(kind=Job.Kind.LOOK, about=store.key(archive))


def given_up(archive: ListedFile) -> bool:
    """Whether a recording was tried too often; it is tried again when housekeeping has forgotten that."""
    return _jobs(archive).filter(attempts__gt=MOST_ATTEMPTS).exclude(done_at=None).exists()


def _jobs(archive: ListedFile) -> QuerySet[Job]:
    return Job.objects.filter(kind=Job.Kind.LOOK, about=store.key(archive))


def look(lease: Lease) -> None:
    """Prepare the recording of a job.

    Raises
    ------
    PlatformError
        If its archive is not the one that the manifest lists.
    LostLeaseError
        If somebody else has the job now.
    """
    from striate.portal.looking.prepare import prepare  # web processes need not load it

    about = lease.job.about
    archive = next((each for each in store.recordings() if store.key(each) == about), None)
    if archive is None or store.is_prepared(archive):  # hosted no longer, or done meanwhile
        lease.finish()
        return
    assert archive.session is not None
    made = competition()
    file = made.folder / archive.path
    if sha256_of(file) != archive.sha256:
        raise PlatformError(f"{archive.path} is not the file that the manifest lists.")
    hidden = made.rules.track(archive.track).withhold if archive.track is not None else ()
    with (
        tempfile.TemporaryDirectory(dir=place().data, prefix=ASIDE) as aside,
        store.filled(about) as folder,
    ):
        prepare(file, folder, Path(aside), archive.session, track=archive.track is not None, withheld=hidden)
    lease.finish()


def give_up(lease: Lease) -> bool:
    """Give a job up that was tried too often; return whether it was."""
    if lease.job.attempts <= MOST_ATTEMPTS:
        return False
    lease.finish()
    return True


def next_job() -> bool:
    """Whether a recording waits to be prepared, and nobody is at it."""
    now = timezone.now()
    waiting = Job.objects.filter(kind=Job.Kind.LOOK, done_at=None, due_at__lte=now)
    return waiting.exclude(leased_until__gte=now).exists()
