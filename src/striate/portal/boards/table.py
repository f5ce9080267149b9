"""The rows of a board as HTML, put together here: a template takes half a second for a thousand of them, and this a hundredth."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from striate.competition import RowResult
from striate.metrics.score_summary import is_too_few_images
from striate.portal.boards.interval import Scale
from striate.portal.decimals import decimals

_UNKNOWN = {"mean": None, "low": None, "high": None, "reason": None}  # a score of an earlier version lacks it


def table_rows(
    rows: Sequence[dict[str, Any]],
    metrics: Sequence[str],
    *,
    bands: bool,
    ceiling: Mapping[str, float | None] | None = None,
) -> SafeString:
    """Write rows of a live board.

    Parameters
    ----------
    rows
        As a standing has them.
    metrics
        In the order of the columns; the first one ranks, and has its interval beside it.
    bands
        Whether a line stands where a band begins.
    ceiling
        By metric; a row of its own where it is given.
    """
    last = [[f'<td class="number">{int(row["submissions"])}</td>'] for row in rows]
    return _table(rows, last, metrics, bands=bands, ceiling=ceiling)


def final_rows(
    rows: Sequence[RowResult], metrics: Sequence[str], ceiling: Mapping[str, float | None] | None = None
) -> SafeString:
    """Write rows of a final board; as `table_rows`, but with their live score and receipt."""
    shown = [
        {
            "rank": row.rank,
            "band": row.band,
            "team": row.team,
            "baseline": row.baseline,
            "receipt": row.receipt,
            "date": row.at.isoformat(timespec="seconds"),
            "metrics": {
                name: {
                    "mean": value.mean,
                    "low": value.interval and value.interval.low,
                    "high": value.interval and value.interval.high,
                    "reason": value.reason,
                }
                for name, value in row.metrics.items()
            },
        }
        for row in rows
    ]
    last = [
        [f'<td class="number">{_value(row.live_score, None)}</td>', f'<td class="number">{row.receipt}</td>']
        for row in rows
    ]
    return _table(shown, last, metrics, bands=True, ceiling=ceiling)


def _table(
    rows: Sequence[dict[str, Any]],
    last: Sequence[list[str]],
    metrics: Sequence[str],
    *,
    bands: bool,
    ceiling: Mapping[str, float | None] | None,
) -> SafeString:
    """Write rows; `last` are the cells of each between its metrics and its date."""
    first = [row["metrics"].get(metrics[0], _UNKNOWN) for row in rows]
    limit = ceiling.get(metrics[0]) if ceiling else None
    scale = Scale.of([limit, *(value[part] for value in first for part in ("mean", "low", "high"))])
    written = []
    if rows and ceiling and any(value is not None for value in ceiling.values()):
        written.append(_ceiling(ceiling, metrics, scale, empty=len(last[0]) + 1))
    band = None
    for row, ending in zip(rows, last, strict=True):
        begins = bands and row["band"] is not None and row["band"] != band
        band = row["band"] if row["band"] is not None else band
        kind = ' class="baseline"' if row["baseline"] else ' class="new-band"' if begins else ""
        cells = "".join([*_cells(row, metrics, scale), *ending, _date(row["date"])])
        written.append(f'<tr id="receipt-{int(row["receipt"])}"{kind}>{cells}</tr>')
    return mark_safe("\n".join(written))  # every text in it is escaped below


def _ceiling(ceiling: Mapping[str, float | None], metrics: Sequence[str], scale: Scale, empty: int) -> str:
    cells = [f'<td></td><td></td><th scope="row">{escape(_("ceiling (image alone)"))}</th>']
    for place, name in enumerate(metrics):
        cells.append(f'<td class="number">{_value(ceiling.get(name), None)}</td>')
        if place == 0:
            cells.append(f"<td>{scale.bar(ceiling.get(name), None, None)}</td>")
    return f'<tr class="ceiling">{"".join(cells)}{"<td></td>" * empty}</tr>'


def _cells(row: dict[str, Any], metrics: Sequence[str], scale: Scale) -> list[str]:
    cells = _name(row["rank"], row["band"], row["team"], row["receipt"], baseline=row["baseline"])
    for place, name in enumerate(metrics):
        value = row["metrics"].get(name, _UNKNOWN)
        cells.append(f'<td class="number">{_value(value["mean"], value["reason"])}</td>')
        if place == 0:
            cells.append(_interval(scale, value["mean"], value["low"], value["high"]))
    return cells


def _date(moment: str) -> str:
    date = escape(moment)
    return f'<td class="when"><time datetime="{date}">{date[:10]}</time></td>'


def _name(rank: int | None, band: int | None, team: str, receipt: int, *, baseline: bool) -> list[str]:
    number = int(receipt)
    shown = "" if baseline else "–" if rank is None else int(rank)
    kind = f' <span class="soft">{escape(_("baseline"))}</span>' if baseline else ""
    return [
        f'<td class="number">{shown and f"""<a href="#receipt-{number}">{shown}</a>"""}</td>',
        f'<td class="number soft">{"" if band is None else int(band)}</td>',
        f'<th scope="row"><a href="/entries/{number}/">{escape(team)}</a>{kind}</th>',
    ]


def _value(value: float | None, reason: str | None) -> str:
    if value is not None:
        return decimals(value, 4)
    shown = _("too few images") if is_too_few_images(reason) else "–"
    return f'<span title="{escape(reason or _("not defined"))}">{escape(shown)}</span>'


def _interval(scale: Scale, value: float | None, low: float | None, high: float | None) -> str:
    numbers = (
        "" if low is None or high is None else f'<span class="ends">{decimals(low, 4)} – {decimals(high, 4)}</span>'
    )
    return f'<td class="with-bar">{scale.bar(value, low, high)}{numbers}</td>'
