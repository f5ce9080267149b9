"""A worker says every few seconds that it is there: from a thread of its own, also while it does a long job."""

import logging
import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

_EVERY = 10.0  # seconds

log = logging.getLogger("striate.portal.worker")


@contextmanager
def heartbeat() -> Iterator[None]:
    """Say so as long as the context lasts."""
    from striate.competition.commitment import scorer
    from striate.portal.models import Worker

    name, over = f"{platform.node()}-{os.getpid()}", threading.Event()
    begun = timezone.now()

    def beat() -> None:
        while True:
            try:
                now = {"scorer": scorer(), "started_at": begun, "seen_at": timezone.now()}
                Worker.objects.update_or_create(name=name, defaults=now)
            except (DatabaseError, InterfaceError):  # the next time
                log.warning("the database does not answer")
            finally:
                connection.close()
            if over.wait(_EVERY):
                break
        try:
            Worker.objects.filter(name=name).delete()
        except (DatabaseError, InterfaceError):
            log.warning("the database does not answer")
        finally:
            connection.close()

    beating = threading.Thread(target=beat, daemon=True)
    beating.start()
    try:
        yield
    finally:
        over.set()
        beating.join(timeout=5)
