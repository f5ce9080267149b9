"""Moments of a competition: with a zone, and of a year that every time zone and every database can express."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime

from striate.errors import InputError

_FIRST, _LAST = 1970, 2999  # years


def _of_our_time(moment: datetime) -> datetime:
    if not _FIRST <= moment.year <= _LAST:
        raise ValueError(f"Value should be a moment between the years {_FIRST} and {_LAST}")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_of_our_time)]


def require_zone(moment: datetime) -> datetime:
    """Return a moment that has a time zone.

    Raises
    ------
    InputError
        If it has none, so that nobody could tell which phase it lies in; or if its year is a mistake.
    """
    if moment.tzinfo is None:
        raise InputError(f"The moment {moment.isoformat()} has no time zone: give one, such as datetime.now(UTC).")
    if not _FIRST <= moment.year <= _LAST:
        raise InputError(
            f"The moment {moment.isoformat()} is of the year {moment.year}: give one between {_FIRST} and {_LAST}."
        )
    return moment
