"""Settings that say how often something may be done, such as ``10/15m``."""

import os
import re
from dataclasses import dataclass
from datetime import timedelta

from striate.errors import InputError, quoted

PREFIX = "STRIATE_PORTAL_LIMIT_"
_RATE = re.compile(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,3})?([smh])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours"}
_LONGEST = timedelta(days=1)  # attempts are kept for so long


@dataclass(frozen=True)
class Limit:
    """A limit as the documentation lists it.

    Attributes
    ----------
    default
        How often, within how long.
    what
        What is limited.
    whose
        For whom it is counted.
    """

    default: str
    what: str
    whose: str


_GUESSES = "wrong passwords when signing in"
# By name of the limit; each can be set by the environment variable PREFIX + name in capitals with underscores.
LIMITS = {
    "sign-in": Limit("10/15m", _GUESSES, "one account, from one network address or one known device"),
    "sign-in-address": Limit("200/15m", _GUESSES, "all accounts, from one network address"),
    "sign-in-account": Limit(
        "50/15m", _GUESSES, "one account, from all network addresses: beyond that, each address has 3 attempts"
    ),
    "password": Limit(
        "10/15m",
        "wrong passwords when changing the password or the mail address, or deleting the account",
        "one account, from one network address",
    ),
    "token": Limit(
        "100/15m", "wrong tokens of programs", "one network address; valid tokens are accepted all the same"
    ),
    "sign-up": Limit("100/1h", "new accounts", "one network address"),
    "link": Limit("5/1h", "links that are asked for", "one mail address, from one network address"),
    "link-address": Limit("100/1h", "links that are asked for", "all mail addresses, from one network address"),
    "link-account": Limit("10/1h", "mails of one kind that are sent", "one mail address"),
    "upload": Limit("120/1h", "files that are sent", "one account"),
}


def variable(name: str) -> str:
    """Return the environment variable that sets a limit."""
    return PREFIX + name.upper().replace("-", "_")


def rate(name: str) -> tuple[int, timedelta]:
    """Read a limit from the environment.

    Parameters
    ----------
    name
        Key of `LIMITS`.

    Returns
    -------
    int, datetime.timedelta
        How many attempts are allowed, and within how long.

    Raises
    ------
    InputError
        If the variable is set to something else than a rate.
    """
    text = os.environ.get(variable(name), "").strip() or LIMITS[name].default
    found = _RATE.fullmatch(text)
    window = timedelta(**{_UNITS[found[3]]: int(found[2] or 1)}) if found else None
    if found is None or window is None or window > _LONGEST:
        raise InputError(
            f"{variable(name)} is {quoted(text, 40)}: give a number and a time of at most 24 hours, such as {LIMITS[name].default} (s, m, h)."
        )
    return int(found[1]), window


def rates() -> dict[str, tuple[int, timedelta]]:
    """Read all limits from the environment, by name."""
    return {name: rate(name) for name in LIMITS}
