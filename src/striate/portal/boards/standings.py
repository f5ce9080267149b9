"""Boards as they were last ranked: made by the worker after each score, read by pages."""

from functools import lru_cache
from typing import Any

import numpy as np
from django.db.models import Count, Q
from django.utils import timezone

from striate.competition import LiveTruth
from striate.competition.boards import Board
from striate.competition.ceilings import board_ceilings
from striate.competition.selection import finalists
from striate.portal.boards.ranking import Entry, ranked
from striate.portal.competition import competition
from striate.portal.in_force import rules_in_force
from striate.portal.models import Score, Standing, Submission
from striate.portal.models.submissions import State
from striate.portal.receiving.chain import of_board
from striate.portal.scoring.leases import Lease
from striate.portal.scoring.versions import of_board as of_board_version

DECIMALS = 4  # of public scores: more would let a team climb by trying


def rank(lease: Lease, live: LiveTruth) -> None:
    """Do the job of ranking a board."""
    board = Board(competition().rules.track(lease.job.track), lease.job.protocol)
    version, waiting = of_board_version(board)
    shown = rows(board, version)
    made = {
        "rows": shown,
        "scorer": version,
        "waiting": waiting,
        "ceilings": _ceilings(live, board.track.name),
        "made_at": timezone.now(),
    }
    with lease.outcome():
        place, _ = Standing.objects.get_or_create(track=board.track.name, protocol=board.protocol)
        # a job that began earlier may end later, and has seen less
        Standing.objects.filter(pk=place.pk, job__lte=lease.job.pk).update(job=lease.job.pk, **made)


def rows(board: Board, version: str) -> list[dict[str, Any]]:
    """Rank a board from what one version of the scorer scored: one row a team, by the rule of the competition; scores rounded."""
    rules = rules_in_force()
    scored = Submission.objects.filter(track=board.track.name, protocol=board.protocol, state=State.SCORED)
    scores = _scores(board, version)
    receipts = of_board(board)
    counting = [e for e in receipts.receipts if (e.chosen or e.number) in scores]
    receipts = type(receipts)(receipts.anchor, tuple(counting))
    chosen = finalists(rules, receipts, board, lambda receipt: scores[receipt.number].value)
    sent = dict(
        scored.filter(~Q(team=None))
        .values_list("team__name")
        .annotate(count=Count("pk"))  # how often each team was scored
    )
    entries = [
        Entry(
            name=receipt.team,
            baseline=receipt.baseline,
            number=receipt.number,
            at=receipt.at,
            value=scores[receipt.number].value,
            draws=np.frombuffer(bytes(scores[receipt.number].draws), "<f8"),
        )
        for receipt in chosen
    ]
    return [_public(entry, scores[entry.number], sent) for entry in ranked(entries, board.track.metric, rules.ranking)]


def _scores(board: Board, version: str) -> dict[int, Score]:
    """By number of receipt: the score of each submission; none of a team that was disqualified."""
    of_this = Score.objects.filter(
        submission__track=board.track.name,
        submission__protocol=board.protocol,
        submission__state=State.SCORED,
        scorer=version,
    ).exclude(submission__team__disqualified_at__isnull=False)
    found = of_this.filter(submission__links__kind="submission").order_by("pk")
    numbered = list(found.values_list("submission__links__number", "pk"))  # before the scores, of which more may come
    by_key = {score.pk: score for score in of_this}
    return {number: by_key[key] for number, key in numbered}


def _public(entry: Entry, score: Score, sent: dict[str, int]) -> dict[str, Any]:
    return {
        "rank": entry.rank,
        "band": entry.band,
        "team": entry.name,
        "baseline": entry.baseline,
        "receipt": entry.number,
        "date": entry.at.isoformat(timespec="seconds"),
        "submissions": 1 if entry.baseline else sent.get(entry.name, 1),
        "metrics": {name: _rounded(values) for name, values in score.metrics.items()},
    }


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, DECIMALS) if isinstance(value, float) else value for name, value in values.items()}


@lru_cache(maxsize=32)
def _ceilings(live: LiveTruth, track: str) -> dict[str, float | None]:
    found = board_ceilings(live.truths[track], live.rules.live_tier, live.rules.ranking.seed)
    return {name: None if value is None else round(value, DECIMALS) for name, value in found.items()}
