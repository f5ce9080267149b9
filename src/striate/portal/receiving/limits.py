"""What a team may still submit to a board: the same count as when a submission is taken."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from striate.competition.boards import Board
from striate.portal.competition import competition
from striate.portal.models import Chain, Submission, Team
from striate.portal.receiving.chain import counted

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Left:
    """What is left to a team on a board.

    Attributes
    ----------
    board
        Which.
    within_a_day, in_all
        How many submissions are left.
    next_at
        When the next one may be sent, if none is left within 24 hours; None if one may be sent now, or never again.
    """

    board: Board
    within_a_day: int
    in_all: int
    next_at: datetime | None


def left(team: Team, board: Board, now: datetime) -> Left:
    """Count what is left to a team on a board."""
    limits = competition().rules.limits
    like = Submission(team=team, track=board.track.name, protocol=board.protocol)
    sent = sorted(receipt.at for receipt in counted(Chain.objects.get(pk=1), like).entries)
    recent = [at for at in sent if now - at < _DAY]
    in_all = max(0, limits.in_total - len(sent))
    today = min(in_all, max(0, limits.per_day - len(recent)))
    waits = in_all > 0 and len(recent) >= limits.per_day
    return Left(board, today, in_all, recent[-limits.per_day] + _DAY if waits else None)
