"""What tiers and sessions are called: every room speaks of them, and nothing heavy is needed for that."""

import re

from striate.errors import InputError, nearest

TIERS = ("train", "validation", "test", "final_test")
TRAINING_TIERS = ("train", "validation")
TEST_TIERS = ("test", "final_test")

# The data's own page once calls the final tier `live_test`; the live test is `test`. Accepted when typed, never written.
_TIER_ALIASES = {"live_test": "test", "live": "test", "final": "final_test"}


def tier_name(typed: str) -> str:
    """Turn what a user typed into the name of a tier.

    Raises
    ------
    InputError
        If it is neither one of `TIERS` nor an alias of one.
    """
    tier = _TIER_ALIASES.get(typed, typed)
    if tier not in TIERS:
        raise InputError(f"There is no tier {typed!r}: {nearest(typed, TIERS)}.")
    return tier


_SESSION = re.compile(r"^[A-Za-z0-9_-]+$")


def is_session(name: str) -> bool:
    """Whether `name` can name a session."""
    return bool(_SESSION.match(name))


def valid_session(session: str) -> str:
    """Return `session` if it can name a recording.

    Raises
    ------
    InputError
        If it has other characters than letters, digits, ``-`` and ``_``.
    """
    if not is_session(session):
        raise InputError(
            f"{session!r} cannot name a session: use letters, digits, '-' and '_', like 27204-5-13 (animal-session-scan)."
        )
    return session
