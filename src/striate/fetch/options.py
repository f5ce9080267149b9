"""How files are fetched, and what became of them."""

from dataclasses import dataclass, field
from pathlib import Path

from striate.errors import StriateError
from striate.fetch.errors import OutageError, UnavailableError
from striate.fetch.retry_policy import RetryPolicy


@dataclass(frozen=True)
class Options:
    """How files are fetched.

    Attributes
    ----------
    mirrors
        Further addresses, or folders, that are tried before those of the catalogue.
    wait
        Whether to wait for a host that is down.
    offline
        Never touch the network; folders are no network.
    overwrite
        Whether a file that stands in a file's place, and is another one, may be replaced.
    trusted
        SHA-256 that are taken although the catalogue has another, unconfirmed one.
    at_once
        Files at a time.
    per_host
        Connections to one host at a time.
    patience
        Times and attempts.
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
    """What became of the files.

    Attributes
    ----------
    paths
        Where the whole files are, by name.
    failures
        Why the others are not, by name.
    """

    paths: dict[str, Path] = field(default_factory=dict)
    failures: dict[str, StriateError] = field(default_factory=dict)

    def raise_failures(self) -> None:
        """Raise the first failure, if there is one; an outage only where nothing worse happened; those with one reason as one."""
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
