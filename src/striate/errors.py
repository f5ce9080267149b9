"""Exceptions of striate, and helpers for their messages: what was received, what is allowed, and how to fix it."""

import contextlib
from collections.abc import Iterable, Iterator
from difflib import get_close_matches

LONGEST = 1000  # maximum number of characters of a message
_MEMORY_TEXTS = ("allocate memory", "out of memory")
_LISTED = 180  # maximum number of characters of a list of valid names


def printable_text(text: str) -> str:
    r"""Replace characters that cannot be encoded as UTF-8, such as undecodable bytes of a path, with ``?``.

    Examples
    --------
    >>> from striate.errors import printable_text
    >>> printable_text("mouse\udce9")
    'mouse?'
    """
    return text.encode(errors="replace").decode()


def shortened(text: object, max_length: int = 60) -> str:
    """Shorten a text to at most `max_length` characters by replacing its middle with ``…``.

    Parameters
    ----------
    text
        Text or other value, converted with ``str``.
    max_length
        Maximum length of the result in characters.

    Examples
    --------
    >>> from striate.errors import shortened
    >>> shortened("abcdefghij", 5)
    'ab…ij'
    """
    full = str(text)
    if len(full) <= max_length:
        return full
    end = (max_length - 1) // 2
    return f"{full[: max_length - 1 - end]}…{full[len(full) - end :]}"


def _one_line(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() else repr(c)[1:-1] for c in text)


def quoted(value: object, max_length: int = 60) -> str:
    """Return the ``repr`` of a value, shortened to at most `max_length` characters.

    Examples
    --------
    >>> from striate.errors import quoted
    >>> quoted("mouse 1")
    "'mouse 1'"
    """
    return shortened(repr(value), max_length)


class StriateError(Exception):
    """Base class of all errors that striate raises deliberately. The message is written for users.

    Attributes
    ----------
    exit_status
        Exit status of the command line when this error ends it.

    Examples
    --------
    >>> import striate
    >>> try:
    ...     striate.catalog.get_dataset("sensorium")
    ... except striate.StriateError as error:
    ...     print(error.exit_status)
    1
    """

    exit_status = 1

    def __str__(self) -> str:
        """Return the message on one line, with at most `LONGEST` characters.

        The middle of a longer message is removed, because its start says what is wrong and its end how to fix it. Unprintable
        characters are escaped, because names in a user's file could contain terminal escapes.
        """
        return shortened(_one_line(super().__str__()), LONGEST)


class InputError(StriateError, ValueError):
    """A file, name, setting or array from the user is invalid.

    Examples
    --------
    >>> import striate
    >>> striate.catalog.get_dataset("sensorium2022").file("1-1-1")
    Traceback (most recent call last):
    ...
    striate.errors.InputError: sensorium2022 has no recording or file '1-1-1': ...
    """


class StriateWarning(UserWarning):
    """A warning of striate. The command line shows it as one sentence.

    Examples
    --------
    >>> import warnings
    >>> from striate.errors import StriateWarning
    >>> warnings.simplefilter("error", StriateWarning)  # to stop where one arises
    >>> warnings.simplefilter("default", StriateWarning)
    """


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception, such as PyTorch's RuntimeError, says that there is too little memory.

    Examples
    --------
    >>> from striate.errors import is_out_of_memory
    >>> is_out_of_memory(RuntimeError("CUDA out of memory")), is_out_of_memory(RuntimeError("size mismatch"))
    (True, False)
    """
    return isinstance(error, MemoryError) or any(text in str(error) for text in _MEMORY_TEXTS)


class ComponentError(StriateError):
    """A component of a plugin, such as a core or a loss, raised an exception, which is the ``__cause__`` of this one.

    Examples
    --------
    >>> import striate
    >>> try:  # doctest: +SKIP
    ...     striate.train("recipe-with-a-plugin.toml", recording, "run")
    ... except striate.StriateError as error:
    ...     original = error.__cause__
    """


class WithheldError(StriateError):
    """The recording withholds the requested responses or behaviour.

    Examples
    --------
    >>> import striate
    >>> settings = {"neurons": 5, "train": 20, "validation": 5, "test_images": 4, "final_images": 4, "repeats": 1}
    >>> simulation = striate.simulate(**settings, track="sensorium+", image_shape=(18, 32), seed=1)
    >>> try:
    ...     simulation.recording.measured_responses("test")
    ... except striate.errors.WithheldError:
    ...     print("withheld")
    withheld
    """


def nearest(name: str, valid: Iterable[str]) -> str:
    """Suggest the most similar valid name and list all valid names, for an error message.

    Long names are shortened, and a long list ends in ``and 12 more``, because names may come from a user's file.

    Parameters
    ----------
    name
        Invalid name that the user gave.
    valid
        All valid names.

    Returns
    -------
    str
        Clause to append to an error message.

    Examples
    --------
    >>> from striate.errors import nearest
    >>> nearest("trian", ["train", "test"])
    "did you mean 'train'? Valid: train, test"
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
    """The object has no such attribute. Also an `AttributeError`, so that ``hasattr`` and ``getattr`` work.

    Parameters
    ----------
    owner
        Name of the object.
    name
        Missing attribute.
    valid
        Existing attributes.

    Examples
    --------
    >>> print(UnknownAttributeError("The batch", "image", ["images", "responses"]))
    The batch has no attribute 'image': did you mean 'images'?
    """

    def __init__(self, owner: str, name: str, valid: Iterable[str]) -> None:
        public = [v for v in valid if not v.startswith("_")]
        close = get_close_matches(name, public, n=1, cutoff=0.5) or [v for v in public if v.startswith(name.lower())]
        hint = f": did you mean {close[0]!r}?" if close else f"; it has {listed(sorted(public), 12)}."
        super().__init__(f"{owner} has no attribute {name!r}{hint}")


_on_command_line = False


@contextlib.contextmanager
def command_line() -> Iterator[None]:
    """Make messages name command-line options instead of Python arguments inside the block.

    Examples
    --------
    >>> from striate.errors import command_line, option
    >>> with command_line():
    ...     option("--overwrite", "overwrite=True")
    '--overwrite'
    """
    global _on_command_line
    before, _on_command_line = _on_command_line, True
    try:
        yield
    finally:
        _on_command_line = before


def option(flag: str, argument: str) -> str:
    """Return the name of an option for an error message: the flag on the command line, the argument in Python.

    Parameters
    ----------
    flag
        Command-line flag, such as ``"--overwrite"``.
    argument
        Python argument, such as ``"overwrite=True"``.

    Examples
    --------
    >>> from striate.errors import option
    >>> option("--overwrite", "overwrite=True")
    'overwrite=True'
    """
    return flag if _on_command_line else argument


def validate_seed(seed: int) -> int:
    """Validate a random seed and return it as an int.

    Raises
    ------
    InputError
        If the seed is negative or not an integer.

    Examples
    --------
    >>> from striate.errors import validate_seed
    >>> validate_seed(7)
    7
    """
    return validate_count("seed", seed, minimum=0)


def validate_count(name: str, value: object, *, minimum: int = 1) -> int:
    """Validate an integer argument and return it as an int.

    Parameters
    ----------
    name
        Name of the argument, for error messages.
    value
        Value to validate.
    minimum
        Minimum value.

    Raises
    ------
    InputError
        If the value is not an integer, or less than `minimum`.

    Examples
    --------
    >>> from striate.errors import validate_count
    >>> validate_count("batch_size", 64)
    64
    """
    index = getattr(value, "__index__", None)
    if index is None or isinstance(value, bool):
        is_array = isinstance(value, list | tuple | range) or getattr(value, "ndim", 0) > 0
        hint = f": give one {name} a call" if is_array else ""
        raise InputError(
            f"{name} is {quoted(str(value))}, of type {type(value).__name__}; expected a whole number ≥ {minimum}{hint}."
        )
    try:
        number = int(index())
    except TypeError as error:  # arrays of several numbers
        raise InputError(f"{name} is {str(value)[:60]}; expected one whole number ≥ {minimum}.") from error
    if number < minimum:
        problem = "must not be negative" if minimum == 0 else f"must be at least {minimum}"
        raise InputError(f"The {name} {problem}, got {number}.")
    return number


def describe_type(value: object) -> str:
    """Describe the type of a value for an error message, with the shape of an array.

    Examples
    --------
    >>> import numpy as np
    >>> from striate.errors import describe_type
    >>> describe_type(np.zeros((2, 3)))
    'ndarray of shape (2, 3)'
    """
    shape = getattr(value, "shape", None)
    return f"{type(value).__name__} of shape {tuple(shape)}" if shape is not None else type(value).__name__


def listed(items: Iterable[object], limit: int = 3) -> str:
    """Join the first `limit` items for an error message.

    Examples
    --------
    >>> from striate.errors import listed
    >>> listed([3, 7, 9, 11, 13])
    '3, 7, 9 and 2 more'
    """
    values = list(items)
    shown = ", ".join(str(v) for v in values[:limit])
    return f"{shown} and {len(values) - limit} more" if len(values) > limit else shown
