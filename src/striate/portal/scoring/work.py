"""Take the next job and do it; what fails is tried again, later, and not for ever."""

import logging

from django.conf import settings
from django.utils.translation import override

from striate.competition import LiveTruth
from striate.portal.boards.standings import rank
from striate.portal.models import Job
from striate.portal.receiving.checking import check
from striate.portal.receiving.decoding import PlatformError
from striate.portal.scoring.housekeeping import fail
from striate.portal.scoring.leases import MOST_ATTEMPTS, Lease, LostLeaseError
from striate.portal.scoring.rescore import rescore
from striate.portal.scoring.score import score

log = logging.getLogger("striate.portal.jobs")


def work(live: LiveTruth) -> bool:
    """Do the next job that is due; return whether there was one."""
    lease = Lease.claim()
    if lease is None:
        return False
    do(lease, live)
    return True


def do(lease: Lease, live: LiveTruth | None) -> None:
    """Do a job; whoever has no live truth can only check files.

    What it writes down, such as why a file was refused, is in the language of the portal, and not of whoever happens to wait for it.
    """
    with override(settings.LANGUAGE_CODE):
        _do(lease, live)


def _do(lease: Lease, live: LiveTruth | None) -> None:
    job = lease.job
    if job.attempts > MOST_ATTEMPTS:
        _give_up(lease, "The platform tried several times, and failed.")
        return
    try:
        with lease.kept():
            if job.kind == Job.Kind.CHECK:
                check(lease)
            elif live is not None and job.kind == Job.Kind.SCORE:
                score(lease, live)
            elif live is not None and job.kind == Job.Kind.RESCORE:
                rescore(lease, live)
            elif live is not None:
                rank(lease, live)
    except LostLeaseError:
        log.warning("a job was taken over", extra={"about": {"job": job.pk}})
    except PlatformError as error:
        log.error("a job failed", extra={"about": {"job": job.pk, "kind": job.kind, "why": str(error)}})
        lease.postpone()
    except OSError as error:  # a full disk, a store that does not answer
        log.exception("a job failed", extra={"about": {"job": job.pk, "kind": job.kind, "why": type(error).__name__}})
        lease.postpone()


def _give_up(lease: Lease, why: str) -> None:
    if (
        lease.job.kind == Job.Kind.RESCORE
    ):  # it keeps the score that it has, and is missing in the count of the progress
        log.error(
            "a submission could not be scored again", extra={"about": {"submission": str(lease.job.submission_id)}}
        )
        lease.finish()
    elif lease.job.submission is not None:
        fail(lease.job.submission, why)
    else:
        lease.finish()
