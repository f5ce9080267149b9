"""The process that prepares recordings: beside the worker, so that no submission waits for it, and without the live truth."""

import logging
import os
import shutil
import time

from striate.portal.place import Place
from striate.portal.running.parent import end_with_parent
from striate.portal.running.prepare import set_up

_KINDNESS = 10  # whoever scores or answers goes first
_ABANDONED = 24 * 3600.0  # seconds

log = logging.getLogger("striate.portal.looking")


def main() -> None:
    """Do the jobs that wait, one after another, and end."""
    place = Place.from_environment()
    assert place is not None
    set_up(place)
    end_with_parent()
    os.nice(_KINDNESS)
    remove_abandoned(place)
    while do_next():
        pass


def do_next() -> bool:
    """Do the next job that is due; return whether there was one."""
    from striate.errors import InputError
    from striate.portal.looking.jobs import give_up, look
    from striate.portal.receiving.decoding import PlatformError
    from striate.portal.scoring.leases import Lease, LostLeaseError

    lease = Lease.claim(looking=True)
    if lease is None:
        return False
    about = {"job": lease.job.pk, "key": lease.job.about}
    try:
        if give_up(lease):
            log.error("a recording was given up", extra={"about": about})
            return True
        began = time.monotonic()
        with lease.kept():
            look(lease)
        seconds = round(time.monotonic() - began, 1)
        log.info("a recording was prepared", extra={"about": {**about, "seconds": seconds}})
    except LostLeaseError:
        log.warning("a job was taken over", extra={"about": about})
    except (PlatformError, InputError, OSError) as error:  # a full disk, a store that does not answer
        log.error("a recording was not prepared", extra={"about": {**about, "why": str(error)}})
        lease.postpone()
    return True


def remove_abandoned(place: Place) -> None:
    """Remove packed recordings that a killed process left."""
    from striate.portal.looking.jobs import ASIDE

    for folder in place.data.glob(f"{ASIDE}*"):
        if time.time() - folder.stat().st_mtime > _ABANDONED:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
