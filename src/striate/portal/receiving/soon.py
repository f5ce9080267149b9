"""Check a file in the answer to its upload, where a place is free; else a worker does it a moment later."""

import logging
import threading

from striate.portal.models import Job, Submission
from striate.portal.scoring.leases import Lease
from striate.portal.scoring.work import do

# Each check holds a child process with some memory; what finds no place waits for a worker, and the page shows it.
_places = threading.BoundedSemaphore(2)

log = logging.getLogger("striate.portal.jobs")


def check_soon(submission: Submission) -> Submission:
    """Do the job of checking a submission now, if there is a place; return the submission as it is then."""
    job = Job.objects.filter(submission=submission, kind=Job.Kind.CHECK, done_at=None).first()
    if job is not None and _places.acquire(blocking=False):
        try:
            lease = Lease.claim(job=job)
            if lease is not None:
                do(lease, None)
        except Exception:  # the file is safe: a worker checks it when the lease has run out
            log.exception("a file could not be checked at once")
        finally:
            _places.release()
    return Submission.objects.get(pk=submission.pk)
