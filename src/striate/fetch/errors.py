"""Errors of downloads, one class for each way of handling them."""

from striate._internal.progress_bars import format_size
from striate.errors import InputError, StriateError


class OutageError(StriateError):
    """A host is temporarily unavailable. Received bytes are kept, and a later run resumes from them.

    Parameters
    ----------
    reason
        Why the host is considered unavailable, as a clause.
    advice
        Sentence that says what the user can do.
    size
        Number of bytes received so far.
    files
        Number of files that wait for the host.

    Attributes
    ----------
    reason, advice, size
        As passed to the constructor.

    Examples
    --------
    >>> from striate.fetch import OutageError
    >>> str(OutageError("data.example is down (503)"))
    'data.example is down (503). Try again later.'
    """

    exit_status = 75  # "temporary failure; try again later", as sysexits.h has it

    def __init__(self, reason: str, advice: str = "Try again later.", size: int = 0, files: int = 1) -> None:
        kept = f" The {format_size(size)} that were received are kept." if size else ""
        several = f" {files} files wait for it." if files > 1 else ""
        super().__init__(f"{reason}.{several}{kept} {advice}")
        self.reason = reason
        self.advice = advice
        self.size = size


class UnavailableError(InputError):
    """No mirror can serve a file, and retrying does not help.

    Attributes
    ----------
    file
        Name of the file.
    dataset
        Name of its dataset.
    reason
        Why no mirror can serve it, as a clause.
    """

    def __init__(self, file: str, dataset: str, reason: str, files: int = 1) -> None:
        others = f" and {files - 1} other file{'s' if files > 2 else ''}" if files > 1 else ""
        super().__init__(f"{file}{others} of {dataset} cannot be fetched: {reason}.")
        self.file, self.dataset, self.reason = file, dataset, reason


class StoppedError(StriateError):
    """The download was cancelled."""


class FetchError(Exception):
    """One attempt at one mirror failed. `reason` is a clause, such as ``"the connection broke off"``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BrokenOffError(FetchError):
    """The connection failed. A retry resumes from the received bytes."""


class SlowError(BrokenOffError):
    """The transfer rate is below the minimum. The few received bytes do not count as progress."""


class UnreachableError(BrokenOffError):
    """The host cannot be reached."""


class DownError(FetchError):
    """The host is busy or under maintenance, or sends a web page instead of the file.

    Attributes
    ----------
    seconds
        Wait that the host asks for (``Retry-After``), in seconds; None if it does not ask.
    page
        Whether the host sent a web page or other wrong content with a success status.
    """

    def __init__(self, reason: str, seconds: float | None = None, *, page: bool = False) -> None:
        super().__init__(reason)
        self.seconds = seconds
        self.page = page


class UnusableError(FetchError):
    """The mirror cannot serve the file, and retrying does not help: it is missing, forbidden or a different file."""


class ChangedError(FetchError):
    """The file changed on the host, so the received bytes belong to an earlier version."""


class DamagedError(FetchError):
    """Verification failed: the received content differs from the catalogue entry.

    Attributes
    ----------
    sha256
        SHA-256 of the received content, if the hash is what differs.
    """

    def __init__(self, reason: str, sha256: str | None = None) -> None:
        super().__init__(reason)
        self.sha256 = sha256


class LocalError(InputError):
    """A problem of the local machine, such as a full disk or a folder without write permission."""
