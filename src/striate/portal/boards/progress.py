"""A team's progress on a board: its scores against the date, as a picture (SVG) that needs nothing but itself."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import dateformat
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from striate.competition.boards import Board
from striate.competition.ranking import ascending
from striate.metrics.score_summary import ceilings_by_metric
from striate.portal.boards.metric_names import metric_name
from striate.portal.boards.standings import DECIMALS
from striate.portal.decimals import decimals
from striate.portal.models import Score, Standing, Team
from striate.portal.models.submissions import State

_WIDTH, _HEIGHT = 720, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 226, 14, 34  # room for the larger letters of phones
_TEXT = 20  # least pixels between two labels


@dataclass(frozen=True)
class Point:
    """One scored submission.

    Attributes
    ----------
    number
        Of the submission, for its address.
    filename
        What its sender called it.
    at
        When it was received.
    mean, low, high
        Rounded, as everywhere.
    best
        The best so far.
    """

    number: Any
    filename: str
    at: datetime
    mean: float
    low: float | None
    high: float | None
    best: float


@dataclass(frozen=True)
class Progress:
    """A team's scores on a board, in the order of time.

    Attributes
    ----------
    board, metric
        What ranks.
    points
        One a scored submission; those whose score is not defined are left out.
    lines
        Baselines and the ceiling of a model of the image alone, by name.
    """

    board: Board
    metric: str
    points: tuple[Point, ...]
    lines: Mapping[str, float]

    @property
    def best(self) -> Point:
        """The submission with the best score; of equal ones the first."""
        return next(point for point in self.points if point.mean == self.points[-1].best)


def progress_of(team: Team, board: Board) -> Progress | None:
    """Collect a team's scores on a board; None if there are none."""
    metric, track, protocol = board.track.metric, board.track.name, board.protocol
    scores = (
        Score.objects.filter(submission__team=team, submission__state=State.SCORED)
        .filter(submission__track=track, submission__protocol=protocol)
        .select_related("submission")
        .defer("draws")
        .order_by("submission__received_at", "pk")
    )
    latest = {score.submission_id: score for score in scores}  # of a submission that was scored anew, the last score
    points: list[Point] = []
    for score in latest.values():
        value = {name: _rounded(score.metrics[metric][name]) for name in ("mean", "low", "high")}
        if value["mean"] is None:
            continue
        best = min((value["mean"], *(point.best for point in points[-1:])), key=lambda score: ascending(score, metric))
        own = score.submission
        points.append(Point(own.pk, own.filename, own.received_at, value["mean"], value["low"], value["high"], best))
    if not points:
        return None
    standing = Standing.objects.filter(track=track, protocol=protocol).first()
    rows = standing.rows if standing else []
    lines = {row["team"]: row["metrics"][metric]["mean"] for row in rows if row["baseline"]}
    lines[_("ceiling (image alone)")] = ceilings_by_metric(standing.ceilings).get(metric) if standing else None
    known = {name: value for name, value in lines.items() if value is not None}
    return Progress(board, metric_name(metric), tuple(points), known)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DECIMALS)


class _Axes:
    """From dates and scores to pixels."""

    def __init__(self, progress: Progress) -> None:
        points = progress.points
        ends = [end for point in points for end in (point.low, point.high, point.mean) if end is not None]
        ends += progress.lines.values()
        margin = 0.06 * (max(ends) - min(ends)) or 0.01
        self.low, self.high = min(ends) - margin, max(ends) + margin
        self.first, last = points[0].at, points[-1].at
        self.span = max(last - self.first, timedelta(hours=1))

    def x(self, at: datetime) -> float:
        return round(_LEFT + (at - self.first) / self.span * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)

    @property
    def scores(self) -> Iterator[tuple[float, str]]:
        """Round numbers within the scores, some five."""
        rough = (self.high - self.low) / 5
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
        places = max(0, -math.floor(math.log10(step)))
        number = math.ceil(self.low / step)
        while number * step <= self.high:
            yield number * step, decimals(number * step, places)
            number += 1

    @property
    def dates(self) -> Iterator[tuple[datetime, str]]:
        """Three moments, in UTC."""
        form = "j M" if self.span >= timedelta(days=3) else "j M H:i"
        for share in (0.0, 0.5, 1.0):
            moment = (self.first + share * self.span).astimezone(UTC)
            yield moment, dateformat.format(moment, form)


def picture(progress: Progress) -> SafeString:
    """Draw a team's progress: the best so far as steps, the interval of each submission as a band, baselines and ceiling as lines."""
    axes = _Axes(progress)
    right = _WIDTH - _RIGHT
    drawn = [
        f'<rect class="frame" x="{_LEFT}" y="{_TOP}" width="{right - _LEFT}" height="{_HEIGHT - _TOP - _BOTTOM}"/>'
    ]
    for value, label in axes.scores:
        y = axes.y(value)
        drawn.append(f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y}" y2="{y}"/>')
        drawn.append(f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{label}</text>')
    for (moment, label), anchor in zip(axes.dates, ("start", "middle", "end"), strict=True):
        drawn.append(
            f'<text x="{axes.x(moment)}" y="{_HEIGHT - _BOTTOM + 22}" text-anchor="{anchor}">{escape(label)}</text>'
        )
    drawn += [_band(progress.points, axes), *_lines(progress.lines, axes), _steps(progress.points, axes)]
    drawn += [
        f'<circle class="point" cx="{axes.x(p.at)}" cy="{axes.y(p.mean)}" r="3.5">'
        f"<title>{escape(p.filename)}: {decimals(p.mean, 4)}</title></circle>"
        for p in progress.points
    ]
    said = _("%(metric)s on %(board)s: %(count)s submissions, the best %(best)s. The table has the same numbers.") % {
        "metric": progress.metric,
        "board": progress.board,
        "count": len(progress.points),
        "best": decimals(progress.best.mean, 4),
    }
    return mark_safe(
        f'<svg class="progress" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(said)}">{"".join(drawn)}</svg>'
    )


def _band(points: Sequence[Point], axes: _Axes) -> str:
    known = [(axes.x(p.at), axes.y(p.low), axes.y(p.high)) for p in points if p.low is not None and p.high is not None]
    if not known:
        return ""
    if len(known) == 1:
        ((x, low, high),) = known
        known = [(x - 3, low, high), (x + 3, low, high)]
    there = " ".join(f"{x},{high}" for x, _low, high in known)
    back = " ".join(f"{x},{low}" for x, low, _high in reversed(known))
    return f'<polygon class="band" points="{there} {back}"/>'


def _steps(points: Sequence[Point], axes: _Axes) -> str:
    path = f"M{axes.x(points[0].at)},{axes.y(points[0].best)}"
    path += "".join(f"H{axes.x(point.at)}V{axes.y(point.best)}" for point in points[1:])
    return f'<path class="best" d="{path}H{_WIDTH - _RIGHT}"/>'


def _lines(lines: Mapping[str, float], axes: _Axes) -> Iterator[str]:
    right, above = _WIDTH - _RIGHT, -math.inf
    for name, value in sorted(lines.items(), key=lambda pair: -pair[1]):
        y = axes.y(value)
        above = max(y + 4, above + _TEXT)  # labels keep apart, though their lines may not
        shown = name if len(name) <= 22 else f"{name[:21]}…"
        yield f'<line class="limit" x1="{_LEFT}" x2="{right}" y1="{y}" y2="{y}"/>'
        yield f'<text class="limit" x="{right + 6}" y="{above}">{escape(shown)}</text>'
