"""Clean and validate text that users write for display, such as titles, names and notes."""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field

# Control characters (NUL, which PostgreSQL cannot store; terminal escapes), surrogates, and formatting characters, which can
# change the direction of text and make one name look like another. Joiners are allowed: some scripts need them.
_INVISIBLE_CATEGORIES = ("Cc", "Cf", "Cs")
_JOINERS = "\u200c\u200d"
_BREAKS = "\n\r\t"


def clean_line(text: str) -> str:
    """Normalise a line of text: NFC, no invisible characters, single spaces."""
    text = unicodedata.normalize("NFC", text)
    kept = (c if not is_invisible(c) else " " if c.isspace() else "" for c in text)
    return " ".join("".join(kept).split())


def clean_text(text: str) -> str:
    """Normalise text of several lines: NFC, no invisible characters. Spaces and line breaks are kept."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n"))
    return "".join(c for c in text if c in _BREAKS or not is_invisible(c))


def is_invisible(character: str) -> bool:
    """Whether a character is invisible, and may change how the text around it is displayed."""
    return character not in _JOINERS and unicodedata.category(character) in _INVISIBLE_CATEGORIES


def validate_line(text: str) -> str:
    """Return a line of text unchanged; raise `ValueError` if it is blank or contains invisible characters."""
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
"""Line of text, such as a title, that is also safe as the subject of an e-mail."""

OptionalText = Annotated[str, Field(max_length=20_000), AfterValidator(_some_lines)]
Text = Annotated[str, Field(min_length=1, max_length=20_000), AfterValidator(_some_lines)]
"""Text of several lines."""
