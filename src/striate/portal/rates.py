"""Settings that say how often something may be done, such as ``10/15m``."""

import os
import re
from datetime import timedelta

from striate.errors import InputError, quoted

PREFIX = "STRIATE_PORTAL_LIMIT_"
_RATE = re.compile(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,3})?([smh])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours"}
_LONGEST = timedelta(days=1)  # attempts are kept for so long

# By name of the limit; each can be set by the environment variable PREFIX + name in capitals with underscores.
DEFAULTS = {
    "sign-in": "10/15m",
    "sign-in-address": "200/15m",
    "sign-in-account": "50/15m",
    "sign-up": "100/1h",
    "password": "10/15m",
    "link": "5/1h",
    "link-address": "100/1h",
    "link-account": "10/1h",
    "upload": "120/1h",
}


def variable(name: str) -> str:
    """Return the environment variable that sets a limit."""
    return PREFIX + name.upper().replace("-", "_")


def rate(name: str) -> tuple[int, timedelta]:
    """Read a limit from the environment.

    Parameters
    ----------
    name
        Key of `DEFAULTS`.

    Returns
    -------
    int, datetime.timedelta
        How many attempts are allowed, and within how long.

    Raises
    ------
    InputError
        If the variable is set to something else than a rate.
    """
    text = os.environ.get(variable(name), "").strip() or DEFAULTS[name]
    found = _RATE.fullmatch(text)
    window = timedelta(**{_UNITS[found[3]]: int(found[2] or 1)}) if found else None
    if found is None or window is None or window > _LONGEST:
        raise InputError(
            f"{variable(name)} is {quoted(text, 40)}: give a number and a time of at most 24 hours, such as {DEFAULTS[name]} (s, m, h)."
        )
    return int(found[1]), window


def rates() -> dict[str, tuple[int, timedelta]]:
    """Read all limits from the environment, by name."""
    return {name: rate(name) for name in DEFAULTS}
