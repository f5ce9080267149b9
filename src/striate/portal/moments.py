"""Moments in sentences: as the reader's language writes them, in UTC, which is said."""

from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString


def shown(moment: datetime) -> str:
    """A moment in words, where nothing but text can stand."""
    return f"{date_format(timezone.localtime(moment), 'DATETIME_FORMAT')} UTC"


def marked(moment: datetime) -> SafeString:
    """A moment as HTML, of which the browser makes one of the reader's time zone."""
    return format_html('<time datetime="{}">{}</time>', timezone.localtime(moment).isoformat(), shown(moment))
