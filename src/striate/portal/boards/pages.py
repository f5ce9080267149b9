"""Boards as pages, as JSON and as CSV: the same rows in each."""

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.safestring import mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from striate.competition import BoardResult, Results
from striate.competition.boards import Board, board_metrics
from striate.competition.ranking import ascending
from striate.metrics.score_summary import ceilings_by_metric, is_too_few_images
from striate.portal.boards.metric_names import metric_name, shown_metrics
from striate.portal.boards.published import board_in, published
from striate.portal.boards.table import final_rows, table_rows
from striate.portal.competition import competition
from striate.portal.in_force import in_force
from striate.portal.models import Standing, Team, User
from striate.submissions.scorecard import IntervalScore

# What spreadsheets take for the beginning of a formula, also in full width; at the beginning of a text, or behind what ends a cell in the
# spreadsheets of other languages. Invisible characters and spaces before it do not count.
_FORMULA = re.compile(
    r"(^|[;\t\r\n])([\s\u00ad\u200b-\u200f\u2060\ufeff]*)([=+\-@\uff1d\uff0b\uff0d\uff20\ufe62\ufe63\ufe66\ufe6b])"
)
_KEPT = 600  # seconds
_LEADERS = 3  # rows that other pages show of a board


def board_of(slug: str) -> Board:
    """The board of an address."""
    found = competition().boards.get(slug)
    if found is None:
        raise Http404(_("There is no such board."))
    return found


@require_safe
def boards(request: HttpRequest) -> HttpResponseBase:
    """All boards, with the first rows of each."""
    shown = []
    for slug, board in competition().boards.items():
        first, teams = _summary(slug, board)
        best = first[0] if first else None
        shown.append(
            (slug, board, metric_name(board.track.metric), best, best and best["metrics"][board.track.metric], teams)
        )
    given = {"boards": shown, "moves": in_force().moves, "final": published() is not None}
    return render(request, "portal/boards/boards.html", given)


def leaders(slug: str, board: Board) -> list[tuple[dict[str, Any], float | None]]:
    """The first three teams of a live board, with the score that ranks them."""
    first, _teams = _summary(slug, board)
    return [(row, row["metrics"][board.track.metric]["mean"]) for row in first]


@require_safe
def live(request: HttpRequest, slug: str) -> HttpResponseBase:
    """The live board, sorted and filtered as the address says."""
    board = board_of(slug)
    standing = _standing(board, rows=False)  # they are fetched where the table is not at hand
    choice = Choice.of(request.GET)
    wanted = hashlib.sha256(repr(choice).encode()).hexdigest()
    key = f"board/{slug}/{standing.made_at.timestamp()}/{get_language()}/{wanted}"
    table = cache.get(key)
    if table is None:
        metrics = _metrics(board)
        rows = choice.applied(standing.rows)
        ceiling = ceilings_by_metric(standing.ceilings) if rows and choice.baselines else None
        shown = {
            "rows": table_rows(rows, metrics, bands=choice.sort == "rank", ceiling=ceiling),
            "columns": [(name, metric_name(name)) for name in metrics],
            "level": level_text(),
            "sort": choice.sort,
            "empty": not rows,
            "filtered": bool(standing.rows),
            "too_few": any(is_too_few_images(row["metrics"][board.track.metric]["reason"]) for row in rows),
        }
        table = render_to_string("portal/boards/table.html", shown)
        cache.set(key, table, _KEPT)
    return render(
        request,
        "portal/boards/live.html",
        {
            "board": board,
            "slug": slug,
            "standing": standing,
            "table": mark_safe(table),  # a template made and escaped it
            "metric": metric_name(board.track.metric),
            "level": level_text(),
            "own": _own(request, standing),
            "ceilings": standing.ceilings,
            "above_ceiling": not competition().benchmark.sees_image_alone(board.protocol),
            "choice": choice,
            "sorts": [
                ("rank", _("rank")),
                ("date", _("date")),
                ("team", _("team")),
                *((name, metric_name(name)) for name in _sorting_metrics()),
            ],
            "query": request.GET.urlencode(),
            "final": published() is not None,
            "moves": in_force().moves,
            "disqualified": Team.objects.exclude(disqualified_at=None),
        },
    )


@require_safe
def live_json(request: HttpRequest, slug: str) -> HttpResponseBase:
    """The live board as JSON."""
    board = board_of(slug)
    standing = _standing(board)
    return JsonResponse(
        {
            "track": board.track.name,
            "protocol": board.protocol,
            "metric": board.track.metric,
            "level": competition().rules.ranking.level,
            "ranked_at": standing.made_at.isoformat(timespec="seconds"),
            "ceilings": standing.ceilings,
            "scorer": standing.scorer,
            "rows": Choice.of(request.GET).applied(standing.rows),
        },
        json_dumps_params={"ensure_ascii": False},
    )


@require_safe
def live_csv(request: HttpRequest, slug: str) -> HttpResponseBase:
    """The live board as CSV, safe to open in a spreadsheet."""
    rows = Choice.of(request.GET).applied(_standing(board_of(slug)).rows)
    header = ["rank", "band", "team", "baseline", "receipt", "date", "submissions"]
    parts, columns = ("mean", "low", "high"), shown_metrics()
    return _csv(
        slug,
        header + [f"{name}{end}" for name in columns for end in ("", "_low", "_high")],
        (
            [
                *(row["rank"], row["band"], plain_cell(row["team"]), int(row["baseline"]), row["receipt"], row["date"]),
                row["submissions"],
                *(row["metrics"].get(name, {}).get(part) for name in columns for part in parts),
            ]
            for row in rows
        ),
    )


@require_safe
def final(request: HttpRequest, slug: str) -> HttpResponseBase:
    """The final board. Until the results are published there is none, for nobody."""
    board, results, found = _final(slug)
    key = f"final/{slug}/{results.chain}/{get_language()}/{hashlib.sha256(results.scorer.encode()).hexdigest()}"
    table = cache.get(key)
    if table is None:
        metrics = _metrics(board)
        columns = [metric_name(name) for name in metrics]
        rows = final_rows(found.rows, metrics, ceilings_by_metric(found.ceilings))
        too_few = any(is_too_few_images(row.reason) for row in found.rows)
        shown = {"rows": rows, "columns": columns, "level": level_text(), "too_few": too_few}
        table = render_to_string("portal/boards/final_table.html", shown)
        cache.set(key, table, _KEPT)
    about = {"board": board, "slug": slug, "metric": metric_name(found.metric), "results": results}
    known = [each.team for each in results.disqualified]
    since = Team.objects.exclude(disqualified_at=None).exclude(name__in=known)
    out = {each.name for each in since}.intersection(found.winners)
    winners = [] if out else found.winners  # who wins instead, the next close tells
    return render(
        request,
        "portal/boards/final.html",
        {
            **about,
            "table": mark_safe(table),
            "level": level_text(),
            "since": since,
            "winners": winners,
            "ceilings": found.ceilings,
            "above_ceiling": not competition().benchmark.sees_image_alone(board.protocol),
        },
    )


@require_safe
def final_json(request: HttpRequest, slug: str) -> HttpResponseBase:
    """The final board as JSON, with areas and depths."""
    _board, results, found = _final(slug)
    about: dict[str, Any] = {"scorer": results.scorer, "commitment": results.commitment, "chain": results.chain}
    about |= results.model_dump(mode="json", include={"moves", "disqualified"})
    return JsonResponse({**about, **found.model_dump(mode="json")}, json_dumps_params={"ensure_ascii": False})


@require_safe
def final_csv(request: HttpRequest, slug: str) -> HttpResponseBase:
    """The final board as CSV, safe to open in a spreadsheet."""
    _board, _results, found = _final(slug)
    header = ["rank", "band", "team", "baseline", "receipt", "date", "score", "low", "high", "live_score"]
    columns = shown_metrics()
    return _csv(
        f"{slug}-final",
        header + [f"{name}{end}" for name in columns for end in ("", "_low", "_high")],
        (
            [row.rank, row.band, plain_cell(row.team), int(row.baseline), row.receipt, row.at.isoformat(), row.score]
            + [*_ends(row.interval), row.live_score]
            + [cell for name in columns for cell in (row.metrics[name].mean, *_ends(row.metrics[name].interval))]
            for row in found.rows
        ),
    )


def _ends(interval: IntervalScore | None) -> tuple[float | None, float | None]:
    return (interval.low, interval.high) if interval else (None, None)


def _final(slug: str) -> tuple[Board, Results, BoardResult]:
    board, results = board_of(slug), published()
    found = board_in(results, board.track.name, board.protocol) if results else None
    if results is None or found is None:
        raise Http404(_("There is no final board yet."))
    return board, results, found


def _metrics(board: Board) -> tuple[str, ...]:
    return board_metrics(competition().benchmark, board.track.metric)


def _sorting_metrics() -> tuple[str, ...]:
    """Metrics that readers can sort boards by."""
    return competition().benchmark.metrics.names


def _csv(name: str, header: list[str], rows: Iterable[list[Any]]) -> HttpResponse:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows(rows)
    return HttpResponse(
        text.getvalue(),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )


def level_text() -> str:
    """The level of the intervals, for people."""
    return f"{100 * competition().rules.ranking.level:g} %"


def plain_cell(text: str) -> str:
    """Return the text of a cell, with an apostrophe before what a spreadsheet would take for a formula."""
    return _FORMULA.sub(r"\1'\2\3", text)


@dataclass(frozen=True)
class Choice:
    """What a reader of a board wants to see; all of it stands in the address.

    Attributes
    ----------
    sort
        ``"rank"``, ``"date"``, ``"team"``, or the name of a metric.
    team
        Part of a name.
    band
        Of this band alone.
    baselines
        Whether they are shown.
    """

    sort: str = "rank"
    team: str = ""
    band: int | None = None
    baselines: bool = True

    @classmethod
    def of(cls, asked: Mapping[str, str]) -> "Choice":
        """Read an address; what it says wrongly is as if it was not said."""
        sort, band = asked.get("sort", "rank"), asked.get("band", "").strip()
        return cls(
            sort if sort in ("date", "team", *_sorting_metrics()) else "rank",
            asked.get("team", "").strip()[:60],
            int(band) if band.isascii() and band.isdigit() and len(band) < 7 else None,
            asked.get("baselines") != "off",
        )

    def applied(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows that are wanted, in the order that is wanted."""
        kept = [
            row
            for row in rows
            if self.team.casefold() in row["team"].casefold()
            and (self.baselines or not row["baseline"])
            and self.band in (None, row["band"])
        ]
        if self.sort == "date":
            return sorted(kept, key=lambda row: row["date"], reverse=True)
        if self.sort == "team":
            return sorted(kept, key=lambda row: row["team"].casefold())
        if self.sort != "rank":
            return sorted(kept, key=lambda row: ascending(row["metrics"][self.sort]["mean"], self.sort))
        return kept


def _standing(board: Board, *, rows: bool = True) -> Standing:
    standings = Standing.objects.filter(track=board.track.name, protocol=board.protocol)
    found = (standings if rows else standings.defer("rows")).first()
    return found or Standing(track=board.track.name, protocol=board.protocol)


def _summary(slug: str, board: Board) -> tuple[list[dict[str, Any]], int]:
    """The first rows of teams that have a rank, and how many teams there are; all rows are read once after each ranking."""
    standing = _standing(board, rows=False)
    key = f"summary/{slug}/{standing.made_at.timestamp()}"
    found: tuple[list[dict[str, Any]], int] | None = cache.get(key)
    if found is None:
        teams = [row for row in standing.rows if not row["baseline"]]
        found = [row for row in teams if row["rank"] is not None][:_LEADERS], len(teams)
        cache.set(key, found, _KEPT)
    return found


def _own(request: HttpRequest, standing: Standing) -> dict[str, Any] | None:
    team = request.user.team if isinstance(request.user, User) else None
    if team is None:
        return None
    return next((row for row in standing.rows if row["team"] == team.name and not row["baseline"]), None)
