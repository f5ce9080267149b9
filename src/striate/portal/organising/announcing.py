"""Announcements: a page, a feed, the front page, the banner."""

from datetime import datetime

from django.contrib.syndication.views import Feed
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.feedgenerator import Atom1Feed
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from striate.portal.competition import competition
from striate.portal.markdown import rendered
from striate.portal.models import Announcement

_ON_THE_FRONT_PAGE = 3


def latest() -> list[tuple[Announcement, str]]:
    """The last announcements, with their texts as HTML."""
    return [(each, rendered(each.text)) for each in Announcement.shown()[:_ON_THE_FRONT_PAGE]]


@require_safe
def announcements(request: HttpRequest) -> HttpResponseBase:
    """All that is announced."""
    shown = [(each, rendered(each.text, below=2)) for each in Announcement.shown()]
    return render(request, "portal/announcements.html", {"announcements": shown})


class AnnouncementFeed(Feed):
    """The same for feed readers."""

    feed_type = Atom1Feed

    def title(self) -> str:
        """Of the competition."""
        return _("%(title)s: announcements") % {"title": competition().rules.title}

    def link(self) -> str:
        """Where people read them."""
        return reverse("announcements")

    def items(self) -> list[Announcement]:
        """The last ones."""
        return list(Announcement.shown()[:30])

    def item_title(self, item: Announcement) -> str:
        """What it is about."""
        return item.title

    def item_description(self, item: Announcement) -> str:
        """Its text, as HTML."""
        return rendered(item.text)

    def item_link(self, item: Announcement) -> str:
        """Where it stands."""
        return f"{reverse('announcements')}#announcement-{item.pk}"

    def item_pubdate(self, item: Announcement) -> datetime:
        """When it was announced."""
        return item.starts

    item_updateddate = item_pubdate
