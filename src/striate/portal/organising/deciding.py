"""What organisers decide while the competition runs: each decision is a notice in the chain, which binds the close."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from striate._internal.text_cleaning import clean_line
from striate.competition import InForce, Move, Rules
from striate.competition.deciding import reason
from striate.competition.in_force import timings
from striate.competition.receipts import Entry, Receipt
from striate.errors import InputError
from striate.portal.in_force import in_force
from striate.portal.models import Announcement, Chain, Link, Publication, Team
from striate.portal.organising import audit
from striate.portal.organising.announcing import not_overtaken
from striate.portal.organising.disorder import refuse_disorder
from striate.portal.receiving import chain
from striate.portal.receiving.on_the_way import refuse_while_files_are_on_their_way


def amend(
    actor: audit.Actor,
    phase: str,
    *,
    starts: datetime | None = None,
    ends: datetime | None = None,
    why: str,
    known: int,
    banner: bool = True,
) -> Link:
    """Move the begin or the end of a phase, and announce it.

    Parameters
    ----------
    actor
        Who decides.
    phase, starts, ends
        What is moved; None where it stays.
    why
        For everybody to read.
    known
        Number of the last amendment that the organiser has seen, 0 if there was none.
    banner
        Whether the announcement stands above every page.

    Raises
    ------
    InputError
        If somebody else has moved a phase meanwhile, or this may not be moved, or not now.
    """
    with transaction.atomic():
        ends_of_chain = chain.lock_chain()
        standing = in_force()
        if known != last_amendment(standing):
            raise InputError(
                _("Somebody has moved a phase meanwhile: look at the phases as they are now, then decide.")
            )
        moved = timings(standing.rules, phase, starts=starts, ends=ends)
        if not moved:
            raise InputError(_("The phase is so already: give another begin or another end."))
        refuse_disorder(standing.rules, moved, timezone.now())
        after, link = _notify(ends_of_chain, standing, kind="amendment", phases=moved, why=reason(why))
        names = {timing.phase for timing in moved}
        before, now = (_listed(rules, names) for rules in (standing.rules, after.rules))
        audit.note(
            actor,
            "move phase",
            about=phase,
            before={"phases": before},
            after={"phases": now, "why": after.moves[-1].why},
        )
        _announce(link, after.moves, banner=banner)
    return link


def last_amendment(standing: InForce) -> int:
    """Number of the last amendment; 0 if there is none."""
    return standing.moves[-1].notice if standing.moves else 0


def judge(team: Team) -> None:
    """Write into the chain that a team is disqualified, or is not any more, as its row says; whoever calls saves the row.

    Raises
    ------
    InputError
        If that may not be written now.
    """
    with transaction.atomic():
        ends_of_chain = chain.lock_chain()
        standing = in_force()
        out = {each.team: each for each in standing.disqualified}
        team.disqualified_for = clean_line(team.disqualified_for)
        if team.disqualified_for:
            after, _link = _notify(
                ends_of_chain, standing, team, kind="disqualification", team=team.name, why=team.disqualified_for
            )
            team.disqualified_at = next(each.at for each in after.disqualified if each.team == team.name)
        else:
            if team.name in out:
                _notify(ends_of_chain, standing, team, kind="reinstatement", team=team.name, why="")
            team.disqualified_at = None


def catch_up() -> int:
    """Write the notices of teams that were disqualified before there were any; return how many.

    Once results are published the chain is theirs, and nothing is added to it by itself.
    """
    if Publication.objects.exists():
        return 0
    with transaction.atomic():
        ends_of_chain = chain.lock_chain()
        standing, count = in_force(), 0
        lacking = Team.objects.exclude(disqualified_at=None).exclude(name__in=standing.teams)
        for team in lacking.order_by("disqualified_at", "pk"):
            about = {"kind": "disqualification", "team": team.name, "why": team.disqualified_for}
            standing, _link = _notify(ends_of_chain, standing, team, **about)
            count += 1
    return count


def _notify(ends_of_chain: Chain, standing: InForce, about: Team | None = None, **fields: Any) -> tuple[InForce, Link]:
    """Add a notice to the locked chain, if an organiser may give it now; what is in force after it."""
    entry: Entry = chain.following(ends_of_chain, timezone.now(), **fields)
    assert not isinstance(entry, Receipt)
    refuse_while_files_are_on_their_way(standing.rules, entry.at)
    after = standing.after(entry)
    return after, chain.write(entry, team=about)


def _listed(rules: Rules, names: set[str]) -> list[str]:
    return [f"{p.name}: {p.starts.isoformat()} – {p.ends.isoformat()}" for p in rules.phases if p.name in names]


def _announce(link: Link, moves: tuple[Move, ...], *, banner: bool) -> None:
    """Tell everybody until it has come to pass; an announcement of which nothing is so any more is over.

    What is told is made of the notice when somebody reads it, in that person's language.
    """
    now, still_so = timezone.now(), {move.notice for move in not_overtaken(moves)}
    for each in Announcement.shown().exclude(notice=None).exclude(notice__in=still_so):
        each.ends = now
        each.save(update_fields=["ends"])
    ends = max(move.after for move in moves if move.notice == link.number)
    Announcement.objects.create(notice=link, ends=ends, banner=banner)
