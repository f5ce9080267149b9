"""What people call their files, and how numbers are written to them."""

from django.utils.formats import number_format

from striate._internal.text_cleaning import clean_line


def plain_name(filename: str) -> str:
    """What a sender calls a file, as a name alone and fit to be shown; no file is ever called so here."""
    return clean_line(filename.replace("\\", "/").rpartition("/")[2])[:200] or "submission"


def grouped(count: int) -> str:
    """A whole number in groups of three digits, as the reader's language writes it."""
    return number_format(count, force_grouping=True)
