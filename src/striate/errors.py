"""What striate raises: one clear sentence that says what was got, what is allowed and how to mend it."""

import contextlib
from collections.abc import Iterable, Iterator
from difflib import get_close_matches

LONGEST = 1000  # characters of a message, whatever is quoted in it
_LISTED = 180  # characters of a list of valid names


def printable_text(text: str) -> str:
    """Return a text that can be written as UTF-8: bytes of a path that are none become ``?``."""
    return text.encode(errors="replace").decode()


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


def _one_line(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() else repr(c)[1:-1] for c in text)


def quoted(value: object, most: int = 60) -> str:
    """Quote a value in a message as Python writes it, with at most `most` characters.

    What cannot be printed is escaped before the text is cut, so that escapes do not make it longer again.
    """
    return shortened(repr(value), most)


class StriateError(Exception):
    """Base of every error that striate raises on purpose; its text is meant for the user as it is.

    Attributes
    ----------
    exit_status
        Of the command line, when it ends with such an error.
    """

    exit_status = 1

    def __str__(self) -> str:
        """The message on one line, of at most `LONGEST` characters.

        Where something quoted makes it longer, its middle is left out: the beginning says what is wrong, the end how to
        mend it. What cannot be printed is escaped: a name in somebody's file could steer the terminal.
        """
        return shortened(_one_line(super().__str__()), LONGEST)


class InputError(StriateError, ValueError):
    """Something that the user gave (a file, a name, a setting, an array) cannot be used as it is."""


class WithheldError(StriateError):
    """Responses (or behaviour) were asked for that the recording withholds."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """Say which valid names there are, nearest first: ``"did you mean 'train'? Valid: …"``.

    Long names are shortened, and a long list ends in ``and 12 more``: names may come from the user's own file.

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
    shown, length = 0, 0
    while shown < len(names) and (shown == 0 or length + len(shortened(names[shown])) + 2 <= _LISTED):
        length += len(shortened(names[shown])) + 2
        shown += 1
    valid_names = listed(map(shortened, names), shown) if names else "none"
    return f"did you mean {quoted(close[0])}? Valid: {valid_names}" if close else f"valid: {valid_names}"


class UnknownAttributeError(InputError, AttributeError):
    """An attribute that does not exist; an `AttributeError`, so that ``hasattr`` and ``getattr`` work as always."""

    def __init__(self, owner: str, name: str, valid: Iterable[str]) -> None:
        public = [v for v in valid if not v.startswith("_")]
        close = get_close_matches(name, public, n=1, cutoff=0.5) or [v for v in public if v.startswith(name.lower())]
        hint = f": did you mean {close[0]!r}?" if close else f"; it has {listed(sorted(public), 12)}."
        super().__init__(f"{owner} has no attribute {name!r}{hint}")


_on_command_line = False


@contextlib.contextmanager
def command_line() -> Iterator[None]:
    """Let errors name the options of the command line instead of the arguments of Python."""
    global _on_command_line
    before, _on_command_line = _on_command_line, True
    try:
        yield
    finally:
        _on_command_line = before


def option(flag: str, argument: str) -> str:
    """Name an option as the user would give it.

    Parameters
    ----------
    flag
        On the command line, such as ``"--overwrite"``.
    argument
        In Python, such as ``"overwrite=True"``.
    """
    return flag if _on_command_line else argument


def validate_seed(seed: int) -> int:
    """Return a seed that random generators take.

    Raises
    ------
    InputError
        If it is no whole number, or negative.
    """
    return validate_count("seed", seed, least=0)


def validate_count(name: str, value: object, *, least: int = 1) -> int:
    """Return a whole number of at least `least`.

    Raises
    ------
    InputError
        If it is something else; a list of several is called that.
    """
    whole = getattr(value, "__index__", None)
    if whole is None or isinstance(value, bool):
        several = isinstance(value, list | tuple | range) or getattr(value, "ndim", 0) > 0
        hint = f": give one {name} a call" if several else ""
        raise InputError(
            f"{name} is {quoted(str(value))}, of type {type(value).__name__}; expected a whole number ≥ {least}{hint}."
        )
    try:
        number = int(whole())
    except TypeError as error:  # arrays of several numbers
        raise InputError(f"{name} is {str(value)[:60]}; expected one whole number ≥ {least}.") from error
    if number < least:
        what = "must not be negative" if least == 0 else f"must be at least {least}"
        raise InputError(f"The {name} {what}, got {number}.")
    return number


def describe_type(value: object) -> str:
    """Say what was given, for a message: its type, and the shape of an array."""
    shape = getattr(value, "shape", None)
    return f"{type(value).__name__} of shape {tuple(shape)}" if shape is not None else type(value).__name__


def listed(items: Iterable[object], limit: int = 3) -> str:
    """Join the first few items for a message: ``"3, 7, 9 and 12 more"``."""
    values = list(items)
    shown = ", ".join(str(v) for v in values[:limit])
    return f"{shown} and {len(values) - limit} more" if len(values) > limit else shown
