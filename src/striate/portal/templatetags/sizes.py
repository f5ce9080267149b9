"""Sizes of files, as the command line says them, in the reader's way to write numbers."""

from django import template
from django.utils.formats import number_format

from striate._internal.progress_bars import size_with_unit

register = template.Library()


@register.filter
def size(bytes_: int) -> str:
    """Write a size in bytes for people: ``416 MB``, of 10⁶ bytes each."""
    value, decimals, unit = size_with_unit(int(bytes_))
    return f"{number_format(round(value, decimals), decimals, force_grouping=True)}\u00a0{unit}"
