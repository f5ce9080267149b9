"""The rows of a board as HTML, put together here: a template takes half a second for a thousand of them, and this a hundredth."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from striate.competition import RowResult
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
    """Write rows of a board.

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
    first = [row["metrics"].get(metrics[0], _UNKNOWN) for row in rows]
    limit = ceiling[metrics[0]] if ceiling else None
    scale = Scale.of([limit, *(value[part] for value in first for part in ("mean", "low", "high"))])
    written = [_ceiling(ceiling, metrics, scale)] if ceiling and any(v is not None for v in ceiling.values()) else []
    band = None
    for row in rows:
        begins = bands and row["band"] is not None and row["band"] != band
        band = row["band"] if row["band"] is not None else band
        kind = ' class="baseline"' if row["baseline"] else ' class="new-band"' if begins else ""
        written.append(f'<tr id="receipt-{int(row["receipt"])}"{kind}>{_cells(row, metrics, scale)}</tr>')
    return mark_safe("\n".join(written))  # every text in it is escaped below


def final_rows(rows: Sequence[RowResult], metrics: Sequence[str]) -> SafeString:
    """Write rows of a final board; as `table_rows`, but with their live score."""
    ends = [end for row in rows for end in ((row.interval.low, row.interval.high) if row.interval else ())]
    scale = Scale.of([*(row.score for row in rows), *ends])
    written, band = [], None
    for row in rows:
        begins = row.band is not None and row.band != band
        band = row.band if row.band is not None else band
        kind = ' class="baseline"' if row.baseline else ' class="new-band"' if begins else ""
        low, high = (row.interval.low, row.interval.high) if row.interval else (None, None)
        date = escape(row.at.isoformat(timespec="seconds"))
        cells = [
            *_name(row.rank, row.band, row.team, row.receipt, baseline=row.baseline),
            f'<td class="number">{_value(row.score, row.reason)}</td>',
            _interval(scale, row.score, low, high),
            *(f'<td class="number">{_value(row.metrics[name], None)}</td>' for name in metrics[1:]),
            f'<td class="number">{_value(row.live_score, None)}</td>',
            f'<td class="number">{row.receipt}</td>',
            f'<td class="when"><time datetime="{date}">{date[:10]}</time></td>',
        ]
        written.append(f'<tr id="receipt-{row.receipt}"{kind}>{"".join(cells)}</tr>')
    return mark_safe("\n".join(written))


def _ceiling(ceiling: Mapping[str, float | None], metrics: Sequence[str], scale: Scale) -> str:
    cells = [f'<td></td><td></td><th scope="row">{escape(_("ceiling (image alone)"))}</th>']
    for place, name in enumerate(metrics):
        cells.append(f'<td class="number">{_value(ceiling[name], None)}</td>')
        if place == 0:
            cells.append(f"<td>{scale.bar(ceiling[name], None, None)}</td>")
    return f'<tr class="ceiling">{"".join(cells)}<td></td><td></td></tr>'


def _cells(row: dict[str, Any], metrics: Sequence[str], scale: Scale) -> str:
    cells = _name(row["rank"], row["band"], row["team"], row["receipt"], baseline=row["baseline"])
    for place, name in enumerate(metrics):
        value = row["metrics"].get(name, _UNKNOWN)
        cells.append(f'<td class="number">{_value(value["mean"], value["reason"])}</td>')
        if place == 0:
            cells.append(_interval(scale, value["mean"], value["low"], value["high"]))
    date = escape(row["date"])
    cells.append(f'<td class="number">{int(row["submissions"])}</td>')
    cells.append(f'<td class="when"><time datetime="{date}">{date[:10]}</time></td>')
    return "".join(cells)


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
    shown = _("too few images") if reason and reason.startswith("too few images") else "–"
    return f'<span title="{escape(reason or _("not defined"))}">{escape(shown)}</span>'


def _interval(scale: Scale, value: float | None, low: float | None, high: float | None) -> str:
    numbers = (
        "" if low is None or high is None else f'<span class="ends">{decimals(low, 4)} – {decimals(high, 4)}</span>'
    )
    return f'<td class="with-bar">{scale.bar(value, low, high)}{numbers}</td>'
