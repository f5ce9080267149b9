"""What people write, without characters that nobody sees; and how numbers are written to them."""

import unicodedata

from django.utils.formats import number_format

# Controls (NUL, which PostgreSQL cannot store), surrogates, and formatting marks: those that turn the direction of writing can make
# one name look like another. Of the last, joiners are letters' own in some scripts, and stay.
_UNSEEN = ("Cc", "Cf", "Cs")
_JOINERS = "\u200c\u200d"


def seen(text: str) -> str:
    """Return the text in NFC, without characters that cannot be seen, and with single spaces."""
    text = unicodedata.normalize("NFC", text)
    kept = (c if c in _JOINERS or unicodedata.category(c) not in _UNSEEN else " " if c.isspace() else "" for c in text)
    return " ".join("".join(kept).split())


def plain_name(filename: str) -> str:
    """What a sender calls a file, as a name alone and fit to be shown; no file is ever called so here."""
    return seen(filename.replace("\\", "/").rpartition("/")[2])[:200] or "submission"


def grouped(count: int) -> str:
    """A whole number in groups of three digits, as the reader's language writes it."""
    return number_format(count, force_grouping=True)
