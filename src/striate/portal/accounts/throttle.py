"""Some things may not be tried too often."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from django import forms

from striate.portal.models import Attempt


@dataclass(frozen=True)
class Throttle:
    """How often something may be tried.

    Attributes
    ----------
    what
        What is tried.
    limit
        How often within the window.
    window
        How long attempts count.
    """

    what: str
    limit: int
    window: timedelta


SIGN_IN = Throttle("sign-in", 10, timedelta(minutes=15))
SIGN_UP = Throttle("sign-up", 20, timedelta(hours=1))
RESET = Throttle("reset", 5, timedelta(hours=1))
UPLOAD = Throttle("upload", 120, timedelta(hours=1))


def too_many(throttle: Throttle, key: str) -> bool:
    """Whether a key has used up its attempts."""
    return Attempt.too_many(throttle.what, key, limit=throttle.limit, window=throttle.window)


@contextmanager
def require_few(throttle: Throttle, keys: Sequence[str]) -> Iterator[None]:
    """Refuse what was tried too often in vain; note it where it is in vain again.

    Raises
    ------
    forms.ValidationError
        If one of the keys has used up its attempts.
    """
    if any(too_many(throttle, key) for key in keys):
        minutes = round(throttle.window.total_seconds() / 60)
        raise forms.ValidationError(f"This was tried too often: wait {minutes} minutes.")
    try:
        yield
    except forms.ValidationError:
        for key in keys:
            Attempt.note(throttle.what, key)
        raise
