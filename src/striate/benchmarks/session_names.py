"""Names of sessions, such as ``27204-5-13``, and what they look like in a benchmark."""

import re
from typing import Self

from pydantic import Field, field_validator, model_validator

from striate._internal.file_names import MAX_NAME_BYTES, file_name_problem
from striate.benchmarks.spec_tables import Table
from striate.errors import InputError, quoted

_SESSION = re.compile(r"[A-Za-z0-9_-]+")
_PLACEHOLDERS = {"{number}": "[0-9]+", "{word}": "[A-Za-z0-9]+"}
# A placeholder ends at a separator that it cannot match, so that matching takes linear time: benchmarks come from strangers.
_SESSION_PATTERN = re.compile(r"(?:[A-Za-z0-9_-]|\{(?:number|word)\}(?=[_-]|$))+")


def is_session(name: str) -> bool:
    """Return whether `name` can name a session.

    Examples
    --------
    >>> is_session("27204-5-13"), is_session("a/b")
    (True, False)
    """
    return bool(_SESSION.fullmatch(name)) and file_name_problem(name) is None


def valid_session(session: object) -> str:
    """Return `session` if it can name a recording.

    Raises
    ------
    InputError
        If it has characters other than letters, digits, ``-`` and ``_``, is longer than `LONGEST_NAME`, or is a
        reserved name.
    """
    if not isinstance(session, str) or not is_session(session):
        session = str(session)
        shown = session if len(session) <= MAX_NAME_BYTES else f"{session[:40]}…"
        raise InputError(
            f"{shown!r} cannot name a session: use up to {MAX_NAME_BYTES} letters, digits, '-' and '_', "
            "like 27204-5-13 (animal-session-scan)."
        )
    return session


class Sessions(Table):
    """Names of sessions.

    Attributes
    ----------
    pattern
        What names look like: letters, digits, ``-`` and ``_``, with ``{number}`` for digits and ``{word}`` for letters and
        digits. A placeholder is followed by ``-``, ``_`` or the end.
    example
        A name of this pattern, for messages.

    Examples
    --------
    >>> sessions = Sessions(pattern="mouse_{word}", example="mouse_a")
    >>> sessions.matches("mouse_b"), sessions.matches("rat_b")
    (True, False)
    """

    pattern: str = Field(default="{word}", max_length=120)
    example: str = "session1"

    @field_validator("pattern")
    @classmethod
    def _simple(cls, pattern: str) -> str:
        if not _SESSION_PATTERN.fullmatch(pattern):
            raise ValueError(
                "should be letters, digits, '-' and '_', with {number} and {word} before '-', '_' or the end, "
                "such as 'mouse_{word}'"
            )
        return pattern

    @model_validator(mode="after")
    def _example_matches(self) -> Self:
        if not self.matches(self.example):
            raise ValueError(f"the example {quoted(self.example)} does not match the pattern {self.pattern!r}")
        return self

    def matches(self, name: str) -> bool:
        """Whether a name matches the pattern."""
        expression = re.escape(self.pattern)
        for placeholder, characters in _PLACEHOLDERS.items():
            expression = expression.replace(re.escape(placeholder), characters)
        return is_session(name) and re.fullmatch(expression, name) is not None

    def name(self, position: int, first: int = 1) -> str:
        """Return the name of the session at a position, counted from 0, such as ``mouse_a``, ``mouse_b``, ``mouse_c``.

        The first placeholder counts: ``{number}`` from `first`, ``{word}`` through the alphabet. The others are 1.

        Raises
        ------
        InputError
            If the pattern has no placeholder, so that there is only one name.

        Examples
        --------
        >>> Sessions(pattern="mouse_{word}", example="mouse_a").name(2)
        'mouse_c'
        """
        placeholders = re.findall(r"\{number\}|\{word\}", self.pattern)
        if not placeholders and position:
            raise InputError(
                f"The pattern {self.pattern!r} of sessions has one name only: put {{number}} or {{word}} in it."
            )
        name = self.pattern
        for place, placeholder in enumerate(placeholders):
            value = "1" if place else str(first + position) if placeholder == "{number}" else _letters(position)
            name = name.replace(placeholder, value, 1)
        return name


def _letters(position: int) -> str:
    """Return a, b, …, z, aa, ab, … for the numbers 0, 1, 2, … as columns of a spreadsheet are called."""
    letters = ""
    while position >= 0:
        letters = chr(ord("a") + position % 26) + letters
        position = position // 26 - 1
    return letters
