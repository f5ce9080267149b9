"""The ranking: by the track's metric at full precision, with bands of rows that the images cannot tell apart."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from striate._internal.progress_bars import progress_bar
from striate.competition.tables import Ranking
from striate.errors import InputError
from striate.metrics import Interval, Repeats, estimate_difference, estimate_metrics
from striate.metrics.registered import registered_info
from striate.metrics.score_summary import ScoreSummary
from striate.submissions import Truth

T = TypeVar("T")
Load = Callable[[], NDArray[np.float32]]


@dataclass(frozen=True)
class Entrant:
    """One row of a board before it is ranked.

    Attributes
    ----------
    team
        Its name.
    load
        Gives its predictions in the order of the truth, (T, N); asked for again whenever they are needed.
    at
        When it was submitted.
    number
        Of its receipt.
    baseline
        Whether it is a row of the organiser's own, which is shown but never ranked.
    """

    team: str
    load: Load
    at: datetime
    number: int
    baseline: bool = False


@dataclass(frozen=True)
class Gap:
    """How far a row lies behind the best of its board, from the same resamples of the images.

    Attributes
    ----------
    value
        Score of the best minus that of the row; for a metric whose lower values are better, that of the row minus that of the
        best.
    interval
        Of the difference; the two cannot be told apart if it contains 0.
    """

    value: float
    interval: Interval


@dataclass(frozen=True)
class Row:
    """One row of a ranked board.

    Attributes
    ----------
    team, at, number, baseline
        As of `Entrant`.
    score
        Mean over neurons, at full precision; None where it is not defined or the images are too few, and then it has no
        rank.
    reason
        Why there is none.
    interval
        Of the score, over resamples of the images.
    rank
        From 1; equal scores share it. None for baselines and undefined scores.
    band
        From 1: rows of a band cannot be told apart from its best row. None likewise.
    gap
        To the best ranked row; None for that row itself, and where it is not defined.
    metrics
        All metrics that the board shows, by name.
    """

    team: str
    at: datetime
    number: int
    baseline: bool
    score: float | None
    reason: str | None
    interval: Interval | None
    rank: int | None = None
    band: int | None = None
    gap: Gap | None = None
    metrics: Mapping[str, ScoreSummary] = field(default_factory=dict)


@dataclass(frozen=True)
class Ranked:
    """A ranked board.

    Attributes
    ----------
    metric
        What it is ranked by.
    rows
        From the best to the worst, baselines among them; rows without a score come last.
    winners
        Who has won, by the rules; empty if nobody has a rank.
    """

    metric: str
    rows: tuple[Row, ...]
    winners: tuple[str, ...]


def rank(entrants: Sequence[Entrant], truth: Truth, tier: str, metric: str, rules: Ranking) -> Ranked:
    """Rank a board.

    Parameters
    ----------
    entrants
        Its rows.
    truth
        The responses that decide.
    tier
        Its tier that is scored.
    metric
        That of the track.
    rules
        How equal scores, bands and winners are handled.

    Raises
    ------
    InputError
        If two rows have one name.
    """
    names = [entrant.team for entrant in entrants]
    if len(set(names)) < len(names):
        doubled = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{doubled!r} has several rows on one board; one counts.")
    responses, repeats = truth.responses[truth.rows(tier)], Repeats(truth.image_id[truth.rows(tier)])
    with progress_bar("ranking", len(entrants)) as advance:
        found = []
        for entrant in entrants:
            said = scored(truth.benchmark.metrics.shown, entrant.load(), responses, repeats, rules)
            found.append(_row(entrant, metric, said))
            advance(1)
    # Among equal scores the earlier stands first, which is an order of the rows, not of the ranks.
    rows = sorted(found, key=lambda row: (*ascending(row.score, metric), row.at, row.number))
    load = {entrant.team: entrant.load for entrant in entrants}
    rows = _with_places(rows, _Gaps(load, responses, repeats, metric, rules))
    return Ranked(metric, tuple(rows), _winners(rows, rules))


def ascending(score: float | None, metric: str) -> tuple[bool, float]:
    """Return a key that sorts scores from the best to the worst, and undefined ones last.

    Examples
    --------
    >>> sorted([0.25, None, 0.5], key=lambda score: ascending(score, "feve"))
    [0.5, 0.25, None]
    """
    value = 0.0 if score is None else score
    return score is None, -value if registered_info(metric).higher_is_better else value


def _row(entrant: Entrant, metric: str, said: dict[str, ScoreSummary]) -> Row:
    own = said[metric]
    return Row(
        entrant.team, entrant.at, entrant.number, entrant.baseline, own.mean, own.reason, own.interval, metrics=said
    )


def scored(
    metrics: Sequence[str],
    predictions: NDArray[np.float32],
    responses: NDArray[np.float32],
    repeats: Repeats,
    rules: Ranking,
) -> dict[str, ScoreSummary]:
    """State metrics of predictions, as they are shown and ranked.

    Parameters
    ----------
    metrics
        Their names.
    predictions, responses : (T, N)
        Of one tier.
    repeats
        Its trials, grouped by image.
    rules
        How they are resampled.
    """
    found = estimate_metrics(
        metrics,
        responses,
        predictions,
        repeats,
        resamples=rules.resamples,
        seed=rules.seed,
        level=rules.level,
        allow_failures=True,
    )
    return {name: each.summary for name, each in found.items()}


def score_of(
    predictions: NDArray[np.float32], responses: NDArray[np.float32], repeats: Repeats, metric: str, rules: Ranking
) -> float | None:
    """Return the mean that ranks predictions; None where it is not defined or the images are too few.

    Parameters
    ----------
    predictions, responses : (T, N)
        Of one tier.
    repeats
        Its trials, grouped by image.
    metric
        That of the track.
    rules
        How the images are resampled, which only ratios need here.
    """
    if registered_info(metric).ratio:
        return scored([metric], predictions, responses, repeats, rules)[metric].mean
    found = estimate_metrics([metric], responses, predictions, repeats, resamples=0, allow_failures=True)
    return found[metric].summary.mean


def ranks(scores: Sequence[float | None]) -> list[int | None]:
    """Give ranks to scores that stand in order.

    Parameters
    ----------
    scores
        From the best to the worst; None for what has no rank, wherever it stands.

    Returns
    -------
    list
        Equal scores share a rank, and the next rank is that of its place: 1, 1, 3.
    """
    given: list[int | None] = []
    place, last = 0, (0, np.nan)
    for score in scores:
        if score is None:
            given.append(None)
            continue
        place += 1
        last = last if score == last[1] else (place, score)
        given.append(last[0])
    return given


def bands(ranked: Sequence[T], told_apart: Callable[[T, T], bool]) -> list[int]:
    """Give bands to rows: take the best that has none yet, and with it all that cannot be told apart from it; and so on.

    Parameters
    ----------
    ranked
        Rows that have a rank, from the best to the worst.
    told_apart
        Whether the images tell the best row of a band from another.

    Returns
    -------
    list
        The band of each row, from 1.
    """
    given, left, number = [0] * len(ranked), list(range(len(ranked))), 0
    while left:
        number += 1
        best, *others = left
        given[best] = number
        left = []
        for place in others:
            if told_apart(ranked[best], ranked[place]):
                left.append(place)
            else:
                given[place] = number
    return given


def _with_places(rows: list[Row], gap: Callable[[Row, Row], Gap | None]) -> list[Row]:
    """Give rows their ranks, bands, and gaps to the best."""
    rank_of = ranks([None if row.baseline else row.score for row in rows])
    ranked = [row for row, rank_ in zip(rows, rank_of, strict=True) if rank_ is not None]
    best = ranked[0] if ranked else None
    gaps: dict[str, Gap | None] = {}
    with progress_bar("comparing", len(rows)) as advance:
        if best is not None:
            for row in rows:
                if row is not best and row.score is not None:
                    gaps[row.team] = gap(best, row)
                advance(1)

        def told_apart(first: Row, other: Row) -> bool:
            between = gaps[other.team] if first is best else gap(first, other)
            return between is not None and not between.interval.low <= 0 <= between.interval.high

        band_of = dict(zip((row.team for row in ranked), bands(ranked, told_apart), strict=True))
    return [
        replace(row, rank=rank_, band=band_of.get(row.team), gap=gaps.get(row.team))
        for row, rank_ in zip(rows, rank_of, strict=True)
    ]


@dataclass
class _Gaps:
    """Gaps between rows, from the same resamples of the images; the predictions of the better one are kept for the next."""

    load: Mapping[str, Load]
    responses: NDArray[np.float32]
    repeats: Repeats
    metric: str
    rules: Ranking
    kept: tuple[str, NDArray[np.float32]] | None = None

    def __call__(self, best: Row, other: Row) -> Gap | None:
        if self.kept is None or self.kept[0] != best.team:
            self.kept = best.team, self.load[best.team]()
        return _gap(self.responses, self.kept[1], self.load[other.team](), self.repeats, self.metric, self.rules)


def _gap(
    responses: NDArray[np.float32],
    best: NDArray[np.float32],
    other: NDArray[np.float32],
    repeats: Repeats,
    metric: str,
    rules: Ranking,
) -> Gap | None:
    better, worse = (best, other) if registered_info(metric).higher_is_better else (other, best)
    difference = estimate_difference(
        metric,
        responses,
        better,
        worse,
        repeats,
        resamples=rules.resamples,
        seed=rules.seed,
        level=rules.level,
        allow_failures=True,
    )
    interval = difference.interval
    return None if difference.value is None or interval is None else Gap(difference.value, interval)


def _winners(rows: Sequence[Row], rules: Ranking) -> tuple[str, ...]:
    if rules.winner == "band":
        return tuple(row.team for row in rows if row.band == 1)
    first = [row for row in rows if row.rank == 1]
    if rules.equal == "earlier":
        first = sorted(first, key=lambda row: (row.at, row.number))[:1]
    return tuple(row.team for row in first)
