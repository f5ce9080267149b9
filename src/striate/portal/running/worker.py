"""The worker: it alone knows the live truth. It does one job after another until it is asked to end."""

import logging
import os
import signal
import time
from pathlib import Path
from types import FrameType

from django.db import DatabaseError, InterfaceError, close_old_connections, connection

from striate.competition import LiveTruth
from striate.errors import InputError
from striate.portal.logs import log_what_nobody_catches
from striate.portal.place import Place
from striate.portal.running.heartbeat import heartbeat
from striate.portal.running.parent import end_with_parent
from striate.portal.running.prepare import set_up
from striate.portal.running.priority import give_way

_PAUSE, _HOUSE_EVERY, _LONGEST_PAUSE = 0.3, 20.0, 30.0  # seconds

log = logging.getLogger("striate.portal.worker")


def main() -> None:
    """Work until asked to end; a job that was begun is finished."""
    place = Place.from_environment()
    assert place is not None
    set_up(place)
    log_what_nobody_catches()
    from striate.portal.running.serve import LIVE_TRUTH, require_live_truth

    live = require_live_truth(Path(os.environ.pop(LIVE_TRUTH)))
    ending = _Ending()
    signal.signal(signal.SIGTERM, ending.ask)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent asks this process to end
    end_with_parent()
    give_way(os.getpid())
    with heartbeat():
        _work(live, ending)


class _Ending:
    """Whether this process was asked to end.

    It is no `threading.Event`: who waits for one holds its lock for moments, and a signal that comes in such a moment would wait for
    that lock for ever, since its handler runs in the same thread.
    """

    def __init__(self) -> None:
        self.asked = False

    def ask(self, _number: int, _frame: FrameType | None) -> None:
        """Ask for it, as the handler of a signal."""
        self.asked = True

    def wait(self, seconds: float) -> None:
        """Wait for some seconds, or until asked."""
        until = time.monotonic() + seconds
        while not self.asked and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _PAUSE))


def _knows_tables() -> bool:
    """Whether the tables are still those of this version; where a newer one has changed them, no job is taken any more."""
    from striate.portal.running.upgrade import require_known_tables

    try:
        require_known_tables()
    except InputError as error:
        log.error("no job is taken until this worker is started anew", extra={"about": {"why": str(error)}})
        return False
    return True


def _work(live: LiveTruth, ending: _Ending) -> None:
    from striate.portal.looking.background import Background
    from striate.portal.receiving.decoding import make_ready, say_protection
    from striate.portal.scoring.housekeeping import keep_house
    from striate.portal.scoring.work import work

    say_protection()
    make_ready()
    next_house, failures, background = 0.0, 0, Background()
    while not ending.asked:
        try:
            close_old_connections()
            if time.monotonic() >= next_house:
                if not _knows_tables():
                    ending.wait(_HOUSE_EVERY)
                    continue
                keep_house()
                next_house = time.monotonic() + _HOUSE_EVERY
            background.tend()
            if not work(live):
                ending.wait(_PAUSE)
            failures = 0
        except (
            DatabaseError,
            InterfaceError,
        ) as error:  # it is being restarted, say: the job's lease runs out meanwhile
            failures += 1
            pause = min(_LONGEST_PAUSE, 2.0 ** (failures - 1))
            why = str(error).strip().partition("\n")[0]
            log.error("the database does not answer", extra={"about": {"why": why, "again_in_seconds": pause}})
            connection.close()
            ending.wait(pause)
        except (
            Exception
        ):  # a fault of ours in one job must not stop the others; the job's lease runs out, and it is tried again
            log.exception("a job went wrong")
            ending.wait(1.0)
    background.end()


if __name__ == "__main__":
    main()
