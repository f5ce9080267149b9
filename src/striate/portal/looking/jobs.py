"""The job of preparing a recording: made where one is not prepared, done by a process of its own, once for the same bytes."""

import tempfile
import time
from pathlib import Path

from django.db.models import Q
from django.utils import timezone

from striate.competition.manifest import sha256_of
from striate.portal.competition import competition, place
from striate.portal.hosting import contents
from striate.portal.looking import store
from striate.portal.models import Content, Job, SnapshotFile
from striate.portal.receiving.decoding import PlatformError
from striate.portal.scoring.leases import MOST_ATTEMPTS, Lease

ASIDE = ".looking-"  # begins the names of folders with packed recordings, in the portal's folder
_REMEMBERED = 3600.0  # seconds
_found: set[str] = set()  # keys of what this process has found prepared
_next_look = [0.0]


def look_later() -> None:
    """Make a job for each hosted archive of a recording that is not prepared, has none, and was not given up lately.

    What was found prepared is looked for again only after an hour: on a service, each look takes time and money.
    """
    if time.monotonic() >= _next_look[0]:  # somebody may have deleted it
        _found.clear()
        _next_look[0] = time.monotonic() + _REMEMBERED
    jobs = Job.objects.filter(Q(done_at=None) | Q(attempts__gt=MOST_ATTEMPTS), kind=Job.Kind.LOOK)
    left_alone = set(jobs.values_list("about", flat=True))
    for archive in store.archives():
        about = store.key(archive.content)
        if about in left_alone or about in _found:
            continue
        if store.is_prepared(archive.content):
            _found.add(about)
        else:
            Job.objects.create(kind=Job.Kind.LOOK, about=about)


def given_up(content: Content) -> bool:
    """Whether an archive was tried too often; it is tried again when housekeeping has forgotten that."""
    tried = Job.objects.filter(kind=Job.Kind.LOOK, about=store.key(content), attempts__gt=MOST_ATTEMPTS)
    return tried.exclude(done_at=None).exists()


def look(lease: Lease) -> None:
    """Prepare the recording of a job.

    Raises
    ------
    PlatformError
        If its archive is not the one that was published.
    LostLeaseError
        If somebody else has the job now.
    """
    from striate.portal.looking.prepare import prepare  # web processes need not load it

    about = lease.job.about
    archive = next((each for each in store.archives() if store.key(each.content) == about), None)
    if archive is None or store.is_prepared(archive.content):  # prepared by another version of the code, or meanwhile
        lease.finish()
        return
    hidden = _withheld(archive)
    with tempfile.TemporaryDirectory(dir=place().data, prefix=ASIDE) as aside, store.filled(about) as folder:
        packed, named = Path(aside) / "packed", Path(aside) / Path(archive.path).name
        packed.mkdir()
        with contents.on_disk(archive.content, Path(aside)) as file:
            if sha256_of(file) != archive.content.sha256:
                raise PlatformError(f"{archive.path} of version {archive.snapshot.number} is not what was published.")
            named.symlink_to(file)  # what is found is said of the name that readers know
            prepare(named, folder, packed, archive.session, track=hidden is not None, withheld=hidden or ())
    lease.finish()


def _withheld(archive: SnapshotFile) -> tuple[str, ...] | None:
    """What is withheld beside the responses to test images; None where the archive is of no track, in whatever version it stands."""
    rules = competition().rules
    sessions = store.sessions(archive.content)
    tracks = [track for session in sessions if (track := rules.track_of(session)) is not None]
    return tuple({name for track in tracks for name in track.withhold}) if tracks else None


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
