"""When tokens were used last: written down at once, or, where many are used at the same time, some seconds later and together.

SQLite lets one write at a time. Where 200 senders began in the same moment, and the first request of each wrote down that its token
was used, threads of the web processes waited up to fifteen seconds for each other, and pages for the threads.
"""

import logging
import threading
import time

from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

_EVERY = 5.0  # seconds

log = logging.getLogger("striate.portal.tokens")


class LastUse:
    """What a process writes down of the use of tokens."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._used: set[int] = set()
        self._together = False

    def note(self, token: int) -> None:
        """Note that a token is used now."""
        with self._lock:
            self._used.add(token)
        if not self._together:
            self.write()

    def write(self) -> None:
        """Write down what was noted, in one statement; where the database does not take it, the next use is noted."""
        from striate.portal.models import Token

        with self._lock:
            used, self._used = self._used, set()
        if used:
            Token.objects.filter(pk__in=used).update(used_at=timezone.now())

    def beside(self) -> None:
        """From now on, write every few seconds, beside the requests, in a thread that ends with the process."""
        self._together = True
        threading.Thread(target=self._go_on, name="last use of tokens", daemon=True).start()

    def _go_on(self) -> None:
        while True:
            time.sleep(_EVERY)
            try:
                self.write()
            except (DatabaseError, InterfaceError):
                log.warning("the database does not answer")
            finally:
                connection.close()


last_use = LastUse()
