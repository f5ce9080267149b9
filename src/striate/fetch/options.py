"""Settings of a download, and its outcome."""

from dataclasses import dataclass, field
from pathlib import Path

from striate.errors import StriateError
from striate.fetch.errors import OutageError, UnavailableError
from striate.fetch.retry_policy import RetryPolicy


@dataclass(frozen=True)
class Options:
    """Settings of a download.

    Attributes
    ----------
    mirrors
        Additional base URLs or folders, tried before those of the catalogue.
    wait
        Whether to wait for a host that is temporarily unavailable, instead of raising `OutageError`.
    offline
        Never use the network. Mirrors that are folders are still used.
    overwrite
        Whether to replace an existing file whose content differs.
    trusted
        SHA-256 hashes to accept although the catalogue has a different, unconfirmed hash.
    at_once
        Number of files to download in parallel.
    per_host
        Maximum number of concurrent connections to one host.
    retry_policy
        Timeouts, waits and number of attempts.

    Examples
    --------
    >>> from striate.fetch import Options, RetryPolicy
    >>> options = Options(mirrors=("/media/usb/",), retry_policy=RetryPolicy(max_attempts=3))
    >>> options.wait, options.retry_policy.max_attempts
    (False, 3)
    """

    mirrors: tuple[str, ...] = ()
    wait: bool = False
    offline: bool = False
    overwrite: bool = False
    trusted: frozenset[str] = frozenset()
    at_once: int = 4
    per_host: int = 3
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)


@dataclass
class Outcome:
    """Result of a download.

    Attributes
    ----------
    paths
        Paths of the complete files by file name.
    failures
        Errors of the other files by file name.

    Examples
    --------
    >>> from striate.fetch import Outcome, OutageError
    >>> outcome = Outcome(failures={"a.zip": OutageError("data.example is down (503)")})
    >>> outcome.raise_failures()
    Traceback (most recent call last):
    ...
    striate.fetch.errors.OutageError: data.example is down (503). Try again later.
    """

    paths: dict[str, Path] = field(default_factory=dict)
    failures: dict[str, StriateError] = field(default_factory=dict)

    def raise_failures(self) -> None:
        """Raise the most severe failure, if any. Failures with the same reason are combined into one error."""
        worst = sorted(self.failures.values(), key=lambda error: isinstance(error, OutageError))
        if not worst:
            return
        first = worst[0]
        if isinstance(first, OutageError):
            alike = [error for error in worst if isinstance(error, OutageError) and error.reason == first.reason]
            raise OutageError(first.reason, first.advice, sum(error.size for error in alike), len(alike))
        if isinstance(first, UnavailableError):
            same = [error for error in worst if isinstance(error, UnavailableError) and error.reason == first.reason]
            raise UnavailableError(first.file, first.dataset, first.reason, len(same))
        raise first
