"""Announcements: a page, a feed, the front page, the banner."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.syndication.views import Feed
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.feedgenerator import Atom1Feed
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from striate.competition import Move
from striate.portal.competition import competition
from striate.portal.in_force import in_force
from striate.portal.markdown import rendered
from striate.portal.models import Announcement
from striate.portal.moments import marked, shown

_ON_THE_FRONT_PAGE = 3
_BANNERS = 3


@dataclass(frozen=True)
class Told:
    """An announcement as its reader gets it: what an organiser wrote, or what a notice says, in the reader's language.

    Attributes
    ----------
    announcement
        The row.
    moves
        What its notice has moved and nothing has moved since; empty where an organiser wrote the announcement.
    """

    announcement: Announcement
    moves: tuple[Move, ...] = ()

    @property
    def pk(self) -> int:
        """Number of the row."""
        return self.announcement.pk

    @property
    def starts(self) -> datetime:
        """When it was announced."""
        return self.announcement.starts

    @property
    def title(self) -> str:
        """What it is about; safe HTML where a notice says it."""
        if not self.moves:
            return str(self.announcement)
        move = self.moves[0]
        return format_html(_headline(move), phase=move.phase, when=marked(move.after))

    @property
    def plain_title(self) -> str:
        """The same where nothing but text can stand."""
        if not self.moves:
            return str(self.announcement)
        move = self.moves[0]
        return _headline(move).format(phase=move.phase, when=shown(move.after))

    def text(self, *, below: int = 2) -> str:
        """What it says, as HTML; headings are lowered by some levels."""
        if not self.moves:
            return rendered(self.announcement.text, below=below)
        return format_html("<p>{}</p>", render_to_string("portal/moved.html", {"moves": self.moves}))


def told(announcements: Iterable[Announcement]) -> list[Told]:
    """Announcements as their reader gets them."""
    rows = list(announcements)
    moves = in_force().moves if any(each.says_its_notice for each in rows) else ()
    return [Told(each, _of(each.notice_id, moves)) if each.says_its_notice else Told(each) for each in rows]


def not_overtaken(moves: Sequence[Move]) -> list[Move]:
    """Moves that no later one has overtaken."""
    last = {(move.phase, move.boundary): move for move in moves}
    return [move for move in moves if last[move.phase, move.boundary] is move]


def latest() -> list[tuple[Told, str]]:
    """The last announcements, with their texts as HTML."""
    return [(each, each.text()) for each in told(Announcement.shown()[:_ON_THE_FRONT_PAGE])]


def banners() -> list[Told]:
    """Announcements that stand above every page."""
    return told(Announcement.shown().filter(banner=True)[:_BANNERS])


@require_safe
def announcements(request: HttpRequest) -> HttpResponseBase:
    """All that is announced."""
    listed = [(each, each.text(below=2)) for each in told(Announcement.shown())]
    return render(request, "portal/announcements.html", {"announcements": listed})


class AnnouncementFeed(Feed):
    """The same for feed readers."""

    feed_type = Atom1Feed

    def title(self) -> str:
        """Of the competition."""
        return _("%(title)s: announcements") % {"title": competition().rules.title}

    def link(self) -> str:
        """Where people read them."""
        return reverse("announcements")

    def items(self) -> list[Told]:
        """The last ones."""
        return told(Announcement.shown()[:30])

    def item_title(self, item: Told) -> str:
        """What it is about."""
        return item.plain_title

    def item_description(self, item: Told) -> str:
        """Its text, as HTML."""
        return item.text()

    def item_link(self, item: Told) -> str:
        """Where it stands."""
        return f"{reverse('announcements')}#announcement-{item.pk}"

    def item_pubdate(self, item: Told) -> datetime:
        """When it was announced."""
        return item.starts

    item_updateddate = item_pubdate


def _of(notice: int | None, moves: Sequence[Move]) -> tuple[Move, ...]:
    """What a notice has moved: as far as it is so still, and all of it once it is past."""
    own = [move for move in moves if move.notice == notice]
    current = not_overtaken(moves)
    return tuple([move for move in own if move in current] or own)


def _headline(move: Move) -> str:
    return _("Phase {phase} begins on {when}") if move.boundary == "starts" else _("Phase {phase} ends on {when}")
