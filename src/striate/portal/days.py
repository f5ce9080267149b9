"""Settings that are a number of days."""

import os
from datetime import timedelta

from striate.errors import InputError, quoted

_MOST = 3650


def days_told(name: str, default: float) -> timedelta:
    """Read a variable of the environment.

    Parameters
    ----------
    name
        Of the variable.
    default
        Days, if it is not set.

    Raises
    ------
    InputError
        If it is no number from 1 to 3650.
    """
    told = os.environ.get(name, "")
    try:
        days = float(told) if told else default
    except ValueError:
        days = 0.0
    if not 1 <= days <= _MOST:
        raise InputError(f"{name} is {quoted(told, 40)}, and is to be a number of days from 1 to {_MOST}, such as 7.")
    return timedelta(days=days)
