"""Boards as pages, as JSON and as CSV: the same rows in each."""

import csv
import hashlib
import io
from collections.abc import Mapping
from typing import Any

from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_safe

from striate.competition.boards import Board
from striate.metrics.evaluate import METRICS
from striate.portal.boards.publish import published
from striate.portal.boards.table import table_rows
from striate.portal.competition import competition
from striate.portal.models import Standing, Team, User
from striate.submissions.scorecard import LABELS

SORTS = ("rank", "date", "team", *METRICS)
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets take for the begin of a formula
_KEPT = 600  # seconds


def board_of(slug: str) -> Board:
    """The board of an address."""
    found = competition().boards.get(slug)
    if found is None:
        raise Http404("There is no such board.")
    return found


@require_safe
def boards(request: HttpRequest) -> HttpResponseBase:
    """All boards, with the first rows of each."""
    shown = []
    for slug, board in competition().boards.items():
        rows = _standing(board).rows
        best = next((row for row in rows if row["rank"] == 1), None)
        teams = sum(not row["baseline"] for row in rows)
        shown.append(
            (slug, board, LABELS[board.track.metric], best, best and best["metrics"][board.track.metric], teams)
        )
    return render(request, "portal/boards/boards.html", {"boards": shown})


def leaders(board: Board, count: int) -> list[tuple[dict[str, Any], float | None]]:
    """The first teams of a live board, with the score that ranks them."""
    ranked = [row for row in _standing(board).rows if row["rank"] is not None and not row["baseline"]]
    return [(row, row["metrics"][board.track.metric]["mean"]) for row in ranked[:count]]


@require_safe
def live(request: HttpRequest, slug: str) -> HttpResponseBase:
    """The live board, sorted and filtered as the address says."""
    board = board_of(slug)
    standing = _standing(board)
    chosen, wanted = _choices(request.GET)
    key = f"board/{slug}/{standing.made_at.timestamp()}/{chosen}/{hashlib.sha256(wanted.encode()).hexdigest()}"
    table = cache.get(key)
    if table is None:
        metrics = sorted(METRICS, key=lambda name: name != board.track.metric)  # what ranks stands first
        rows = _shown(standing.rows, chosen, wanted)
        shown = {
            "rows": table_rows(rows, metrics, bands=chosen == "rank"),
            "columns": [(name, LABELS[name]) for name in metrics],
            "level": level_text(),
            "sort": chosen,
            "wanted": wanted,
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
            "metric": LABELS[board.track.metric],
            "level": level_text(),
            "own": _own(request, standing),
            "wanted": wanted,
            "sort": chosen,
            "query": request.GET.urlencode(),
            "final": published() is not None,
            "disqualified": Team.objects.exclude(disqualified_at=None),
        },
    )


@require_safe
def live_json(request: HttpRequest, slug: str) -> HttpResponseBase:
    """The live board as JSON."""
    board = board_of(slug)
    standing = _standing(board)
    chosen, wanted = _choices(request.GET)
    return JsonResponse(
        {
            "track": board.track.name,
            "protocol": board.protocol,
            "metric": board.track.metric,
            "level": competition().rules.ranking.level,
            "ranked_at": standing.made_at.isoformat(timespec="seconds"),
            "ceilings": standing.ceilings,
            "scorer": standing.scorer,
            "rows": _shown(standing.rows, chosen, wanted),
        },
        json_dumps_params={"ensure_ascii": False},
    )


@require_safe
def live_csv(request: HttpRequest, slug: str) -> HttpResponseBase:
    """The live board as CSV, safe to open in a spreadsheet."""
    board = board_of(slug)
    chosen, wanted = _choices(request.GET)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(
        ["rank", "band", "team", "baseline", "receipt", "date", "submissions"]
        + [f"{name}{end}" for name in METRICS for end in ("", "_low", "_high")]
    )
    for row in _shown(_standing(board).rows, chosen, wanted):
        numbers = [row["metrics"][name][part] for name in METRICS for part in ("mean", "low", "high")]
        about = [row["rank"], row["band"], plain_cell(row["team"]), int(row["baseline"])]
        writer.writerow([*about, row["receipt"], row["date"], row["submissions"], *numbers])
    return HttpResponse(
        text.getvalue(),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{slug}.csv"'},
    )


@require_safe
def final(request: HttpRequest, slug: str) -> HttpResponseBase:
    """The final board. Until the results are published there is none, for nobody."""
    board, results = board_of(slug), published()
    if results is None:
        raise Http404("There is no final board yet.")
    found = next(each for each in results.boards if (each.track, each.protocol) == (board.track.name, board.protocol))
    shown = {"board": board, "slug": slug, "result": found, "metric": LABELS[found.metric], "results": results}
    shown["disqualified"] = Team.objects.exclude(disqualified_at=None)
    return render(request, "portal/boards/final.html", shown)


def level_text() -> str:
    """The level of the intervals, for people."""
    return f"{100 * competition().rules.ranking.level:g} %"


def plain_cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULAS) else text


def _choices(asked: Mapping[str, str]) -> tuple[str, str]:
    sort = asked.get("sort", "rank")
    return (sort if sort in SORTS else "rank"), asked.get("team", "").strip()[:60]


def _shown(rows: list[dict[str, Any]], sort: str, wanted: str) -> list[dict[str, Any]]:
    kept = [row for row in rows if wanted.casefold() in row["team"].casefold()]
    if sort == "date":
        return sorted(kept, key=lambda row: row["date"], reverse=True)
    if sort == "team":
        return sorted(kept, key=lambda row: row["team"].casefold())
    if sort in METRICS:
        means = [(row["metrics"][sort]["mean"], row) for row in kept]
        return [row for _, row in sorted(means, key=lambda pair: (pair[0] is None, -(pair[0] or 0.0)))]
    return kept


def _standing(board: Board) -> Standing:
    found = Standing.objects.filter(track=board.track.name, protocol=board.protocol).first()
    return found or Standing(track=board.track.name, protocol=board.protocol)


def _own(request: HttpRequest, standing: Standing) -> dict[str, Any] | None:
    team = request.user.team if isinstance(request.user, User) else None
    if team is None:
        return None
    return next((row for row in standing.rows if row["team"] == team.name and not row["baseline"]), None)
