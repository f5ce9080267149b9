"""Versions of the scorer that scored a board: which one it shows, how far a newer one is, and what is queued for it.

A board shows scores of one version, that of `of_board`: it changes to another one at once, when all its rows have that.
"""

from dataclasses import dataclass

from django.db import transaction
from django.db.models import Exists, Min, OuterRef, QuerySet

from striate.competition.boards import Board
from striate.portal.models import Job, Score, Standing, Submission
from striate.portal.models.submissions import State


@dataclass(frozen=True)
class Progress:
    """How far a board is.

    Attributes
    ----------
    board
        Which.
    shown
        Version of the scorer that it shows.
    newest
        The newest version that anything of it was scored with.
    scored, done
        How many submissions were scored at all, and with the newest version.
    queued
        How many are queued to be scored again.
    """

    board: Board
    shown: str
    newest: str
    scored: int
    done: int
    queued: int

    @property
    def given_up(self) -> int:
        """How many could not be scored again, or were not asked to."""
        return max(0, self.scored - self.done - self.queued)


def queue(track: str, protocol: str, version: str) -> int:
    """Queue all submissions of a board that have no score of a version, and no job for it; return how many were queued."""
    if not without(track, protocol, version).exists():
        return 0
    with transaction.atomic():
        list(Standing.objects.select_for_update().filter(track=track, protocol=protocol))  # one at a time
        asked = Job.objects.filter(kind=Job.Kind.RESCORE, scorer=version, done_at=None, submission=OuterRef("pk"))
        missing = list(without(track, protocol, version).filter(~Exists(asked)))
        Job.objects.bulk_create(Job(kind=Job.Kind.RESCORE, submission=each, scorer=version) for each in missing)
    return len(missing)


def without(track: str, protocol: str, version: str) -> QuerySet[Submission]:
    """Scored submissions of a board that have no score of a version."""
    has = Score.objects.filter(submission=OuterRef("pk"), scorer=version)
    scored = Submission.objects.filter(track=track, protocol=protocol, state=State.SCORED)
    return scored.filter(~Exists(has)).order_by("received_at")


def of_board(board: Board) -> tuple[str, int]:
    """The version that a board shows, and how many of its submissions have no score of it.

    It is the newest that all have. Where there is none, the board stays with what it shows; what has only been scored with
    another version waits.
    """
    track, protocol = board.track.name, board.protocol
    known = versions(track, protocol)
    for version in known:
        if not without(track, protocol, version).exists():
            return version, 0
    standing = Standing.objects.filter(track=track, protocol=protocol).first()
    if standing is not None and standing.scorer in known:
        shown = standing.scorer
    elif known:  # a board that was last ranked before it remembered this
        shown = min(known, key=lambda version: without(track, protocol, version).count())
    else:
        return "", 0
    return shown, without(track, protocol, shown).count()


def versions(track: str, protocol: str) -> list[str]:
    """Versions of the scorer that scored anything on a board, the one that did so first last."""
    of_this = Score.objects.filter(submission__track=track, submission__protocol=protocol)
    first = of_this.order_by().values_list("scorer").annotate(first=Min("pk"))
    return [version for version, _ in sorted(first, key=lambda pair: -pair[1])]


def progress(board: Board) -> Progress:
    """How far a board is."""
    track, protocol = board.track.name, board.protocol
    known = versions(track, protocol)
    newest = known[0] if known else ""
    jobs = Job.objects.filter(
        kind=Job.Kind.RESCORE, done_at=None, submission__track=track, submission__protocol=protocol
    )
    if (asked := jobs.order_by("-pk").values_list("scorer", flat=True).first()) is not None:
        newest = asked
    scored = Submission.objects.filter(track=track, protocol=protocol, state=State.SCORED).count()
    missing = without(track, protocol, newest).count() if newest else 0
    shown, _ = of_board(board)
    return Progress(board, shown, newest, scored, scored - missing, jobs.filter(scorer=newest).count())
