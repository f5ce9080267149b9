"""Text that people write for others to read: titles, names, reasons, terms. One rule for what may stand in it."""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field

# Controls (NUL, which PostgreSQL cannot store; the escapes of terminals), surrogates, and formatting marks: those that turn the direction of
# writing can make one name look like another. Of the last, joiners are letters' own in some scripts, and stay.
_UNSEEN = ("Cc", "Cf", "Cs")
_JOINERS = "\u200c\u200d"
_BREAKS = "\n\r\t"


def clean_line(text: str) -> str:
    """Return the text in NFC, without characters that cannot be seen, and with single spaces."""
    text = unicodedata.normalize("NFC", text)
    kept = (c if not is_invisible(c) else " " if c.isspace() else "" for c in text)
    return " ".join("".join(kept).split())


def clean_text(text: str) -> str:
    """Return text of several lines in NFC, without characters that cannot be seen; spaces and line breaks stay."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n"))
    return "".join(c for c in text if c in _BREAKS or not is_invisible(c))


def is_invisible(character: str) -> bool:
    """Whether a reader cannot see a character, which may change how the text around it is shown."""
    return character not in _JOINERS and unicodedata.category(character) in _UNSEEN


def validate_line(text: str) -> str:
    """Return a line of text; raise `ValueError` if it is blank, or holds what a reader cannot see."""
    return _visible(text, allowed="")


def _some_lines(text: str) -> str:
    return _visible(text, allowed=_BREAKS)


def _visible(text: str, allowed: str) -> str:
    if (found := next((c for c in text if is_invisible(c) and c not in allowed), None)) is not None:
        what = "has a line break" if found in "\n\r" else f"holds the character {found!a}, which cannot be seen"
        raise ValueError(
            f"Value should be text {'of one line ' if not allowed else ''}that people can read, and it {what}"
        )
    if text and not text.strip():
        raise ValueError("Value should be text, and it is blank")
    return text


OptionalLine = Annotated[str, Field(max_length=200), AfterValidator(validate_line)]
Line = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(validate_line)]
"""A line of text, such as a title, that can also stand in the subject of a mail."""

OptionalText = Annotated[str, Field(max_length=20_000), AfterValidator(_some_lines)]
Text = Annotated[str, Field(min_length=1, max_length=20_000), AfterValidator(_some_lines)]
"""Text of several lines."""
