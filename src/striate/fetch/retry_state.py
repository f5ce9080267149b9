"""Retry state of one file: decides after each failure whether to retry at once, to wait, or to give up."""

import time

from striate.catalog import DataFile
from striate.errors import InputError, option
from striate.fetch.errors import BrokenOffError, DamagedError, DownError, FetchError, OutageError, SlowError
from striate.fetch.options import Options
from striate.fetch.retry_policy import format_duration

_MAX_RESTARTS = 3  # restarts of a file that changed or arrived damaged, in one run
_MAX_PAGES = 3  # web pages in place of a file before the host counts as unavailable


class RetryState:
    """Count the failures of a file, and decide how long to wait before the next attempt or to give up."""

    def __init__(self, options: Options, size: int) -> None:
        self._options = options
        self._furthest = self._before = size
        self._in_a_row = 0
        self._starts = 0
        self._wrong: str | None = None
        self._polls = 0
        self._down_since: float | None = None

    def record_restart(self, file: DataFile, failure: FetchError) -> None:
        """Count a restart from the first byte, and raise `InputError` after too many restarts."""
        self._starts += 1
        self._furthest = self._before = 0
        if isinstance(failure, DamagedError) and failure.sha256 is not None:
            if failure.sha256 == self._wrong:
                raise InputError(
                    f"{file.name} came twice with the same content, which is not that of the catalogue: {failure.reason}. The file "
                    f"changed at the host, or the entry is out of date: ask its owners, or try another address ({option('--mirror', 'Options(mirrors=…)')})."
                )
            self._wrong = failure.sha256
        if self._starts >= _MAX_RESTARTS:
            raise InputError(
                f"{file.name} cannot be fetched whole, after {self._starts} times from the start: {failure.reason}. Try another "
                f"network or another address ({option('--mirror', 'Options(mirrors=…)')})."
            )

    def next_wait(
        self, failure: DownError | BrokenOffError, size: int, *, another: bool, down: bool
    ) -> tuple[float, bool]:
        """Return the wait (s) before the next attempt, and whether the host is unavailable.

        Parameters
        ----------
        failure
            Failure of the last attempt.
        size
            Number of bytes received so far.
        another
            Whether the next attempt uses another mirror.
        down
            Whether the host was found to be unavailable while another file was downloaded.

        Raises
        ------
        OutageError
            If the host is unavailable and `Options.wait` is not set, or the outage exceeds `RetryPolicy.max_outage`.
        """
        retry_policy = self._options.retry_policy
        sends = size != self._before  # the host responds, even if it only sent bytes that were received before
        self._before = size
        if size > self._furthest:
            self._furthest, self._down_since = size, None
            self._in_a_row = self._in_a_row if isinstance(failure, SlowError) else 0
        self._in_a_row += 1
        asked = failure.seconds if isinstance(failure, DownError) else None
        most = (
            _MAX_PAGES
            if isinstance(failure, DownError) and failure.page
            else retry_policy.max_attempts * (4 if sends else 1)
        )
        if another and self._in_a_row < 4 * retry_policy.max_attempts:
            return 0.0, False
        if not down and self._in_a_row < most and (asked is None or asked <= retry_policy.max_retry_after):
            return max(asked or 0.0, retry_policy.backoff(self._in_a_row)), False
        now = time.monotonic()
        self._down_since = self._down_since or now
        if not self._options.wait or now - self._down_since > retry_policy.max_outage:
            when = f" in {format_duration(asked)}" if asked is not None else " later"
            raise OutageError(
                failure.reason,
                f"Run the same command again{when}, or let it wait ({option('--wait', 'Options(wait=True)')}).",
                size,
            )
        self._polls += 1
        return retry_policy.poll_wait(asked, self._polls), True
