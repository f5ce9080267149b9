"""What striate raises: one clear sentence that says what was got, what is allowed and how to mend it."""

from collections.abc import Iterable
from difflib import get_close_matches

LONGEST = 300  # characters of a message


def shortened(text: object, most: int = 60) -> str:
    """Cut a text in its middle so that it has at most `most` characters; its beginning and end stay.

    Parameters
    ----------
    text
        What a message quotes, such as a name or a value of unknown length.
    most
        Length of the result at most, in characters.
    """
    whole = str(text)
    if len(whole) <= most:
        return whole
    end = (most - 1) // 2
    return f"{whole[: most - 1 - end]}…{whole[len(whole) - end :]}"


class StriateError(Exception):
    """Base of every error that striate raises on purpose; its text is meant for the user as it is.

    Attributes
    ----------
    exit_status
        Of the command line, when it ends with such an error.
    """

    exit_status = 1

    def __str__(self) -> str:
        """The message, of at most `LONGEST` characters.

        Where something quoted makes it longer, its middle is left out: the beginning says what is wrong, the end how to
        mend it.
        """
        return shortened(super().__str__(), LONGEST)


class InputError(StriateError, ValueError):
    """Something that the user gave (a file, a name, a setting, an array) cannot be used as it is."""


class WithheldError(StriateError):
    """Responses (or behaviour) were asked for that the recording withholds."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """Say which valid names there are, nearest first: ``"did you mean 'train'? Valid: …"``.

    Parameters
    ----------
    name
        What the user typed.
    valid
        Every name that would have been accepted.

    Returns
    -------
    str
        A clause to append to an error's sentence.
    """
    names = [str(v) for v in valid]
    close = get_close_matches(str(name), names, n=1, cutoff=0.5)
    if not close and name:
        close = [n for n in names if n.startswith(str(name).lower())]  # "val" is far from "validation" by letters
    listed = ", ".join(names) if names else "none"
    return f"did you mean {close[0]!r}? Valid: {listed}" if close else f"valid: {listed}"


def checked_seed(seed: int) -> int:
    """Return a seed that random generators take.

    Raises
    ------
    InputError
        If it is negative.
    """
    if seed < 0:
        raise InputError(f"The seed must not be negative, got {seed}.")
    return seed


def listed(items: Iterable[object], limit: int = 3) -> str:
    """Join the first few items for a message: ``"3, 7, 9 and 12 more"``."""
    values = list(items)
    shown = ", ".join(str(v) for v in values[:limit])
    return f"{shown} and {len(values) - limit} more" if len(values) > limit else shown
