"""What can go wrong while a file is fetched; each kind is answered in another way."""

from striate._internal.progress_bars import format_size
from striate.errors import InputError, StriateError


class OutageError(StriateError):
    """A host is down for now. What was received is kept, and a later run goes on from there.

    Attributes
    ----------
    reason
        Why it counts as down, as a clause.
    advice
        What to do.
    size
        Bytes of the file that were received.
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
    """No address can give a file, now or later.

    Attributes
    ----------
    file
        Its name.
    dataset
        That it belongs to.
    reason
        Why, as a clause.
    """

    def __init__(self, file: str, dataset: str, reason: str, files: int = 1) -> None:
        others = f" and {files - 1} other file{'s' if files > 2 else ''}" if files > 1 else ""
        super().__init__(f"{file}{others} of {dataset} cannot be fetched: {reason}.")
        self.file, self.dataset, self.reason = file, dataset, reason


class StoppedError(StriateError):
    """Somebody asked to stop."""


class FetchError(Exception):
    """Why one attempt at one address came to nothing, as a clause: ``"the connection broke off"``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BrokenOffError(FetchError):
    """The connection failed: worth another attempt, which goes on from what was received."""


class SlowError(BrokenOffError):
    """The host sends next to nothing; what little came does not count as progress."""


class UnreachableError(BrokenOffError):
    """The host did not answer at all."""


class DownError(FetchError):
    """The host says that it is busy or under maintenance, or sends a page in the place of the file.

    Attributes
    ----------
    seconds
        After which it asks to be called again; None if it does not say.
    page
        Whether it sent a page, as hosts do that are down, instead of a status.
    """

    def __init__(self, reason: str, seconds: float | None = None, *, page: bool = False) -> None:
        super().__init__(reason)
        self.seconds = seconds
        self.page = page


class UnusableError(FetchError):
    """The address cannot give the file, now or later: missing, forbidden, another file."""


class ChangedError(FetchError):
    """The file changed at the host: what was received so far belongs to another one."""


class DamagedError(FetchError):
    """What was received is not the file: bytes were changed on the way, or at the host.

    Attributes
    ----------
    sha256
        Of what was received, where its hash speaks against it.
    """

    def __init__(self, reason: str, sha256: str | None = None) -> None:
        super().__init__(reason)
        self.sha256 = sha256


class LocalError(InputError):
    """Something on this machine is in the way: the disk is full, the folder cannot be written."""
