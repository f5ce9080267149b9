"""A worker says every few seconds that it is there: from a thread of its own, also while it does a long job."""

import logging
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from striate._internal.periodic_thread import run_periodically

_EVERY = 10.0  # seconds

log = logging.getLogger("striate.portal.worker")


@contextmanager
def heartbeat() -> Iterator[None]:
    """Say so as long as the context lasts."""
    from striate.competition.commitment import scorer
    from striate.portal.competition import competition
    from striate.portal.models import Worker

    name, begun = f"{platform.node()}-{os.getpid()}", timezone.now()

    def beat() -> None:
        with _whatever_the_database_does():
            now = {"scorer": scorer(competition().benchmark), "started_at": begun, "seen_at": timezone.now()}
            Worker.objects.update_or_create(name=name, defaults=now)

    def leave() -> None:
        with _whatever_the_database_does():
            Worker.objects.filter(name=name).delete()

    with run_periodically(_EVERY, beat, on_start=beat, on_stop=leave, join_timeout=5):
        yield


@contextmanager
def _whatever_the_database_does() -> Iterator[None]:
    try:
        yield
    except (DatabaseError, InterfaceError):  # the next time
        log.warning("the database does not answer")
    finally:
        connection.close()
