"""The rows of a board as HTML, put together here: a template takes half a second for a thousand of them, and this a hundredth."""

from collections.abc import Sequence
from typing import Any

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe


def table_rows(rows: Sequence[dict[str, Any]], metrics: Sequence[str], *, bands: bool) -> SafeString:
    """Write rows of a board.

    Parameters
    ----------
    rows
        As a standing has them.
    metrics
        In the order of the columns; the first one ranks, and has its interval beside it.
    bands
        Whether a line stands where a band begins.
    """
    written, band = [], None
    for row in rows:
        begins = bands and row["band"] is not None and row["band"] != band
        band = row["band"] if row["band"] is not None else band
        kind = ' class="baseline"' if row["baseline"] else ' class="new-band"' if begins else ""
        written.append(f'<tr id="receipt-{int(row["receipt"])}"{kind}>{_cells(row, metrics)}</tr>')
    return mark_safe("\n".join(written))  # every text in it is escaped below


def _cells(row: dict[str, Any], metrics: Sequence[str]) -> str:
    rank = "" if row["baseline"] else "–" if row["rank"] is None else int(row["rank"])
    kind = ' <span class="soft">baseline</span>' if row["baseline"] else ""
    cells = [
        f'<td class="number">{rank}</td>',
        f'<th scope="row"><a href="#receipt-{int(row["receipt"])}">{escape(row["team"])}</a>{kind}</th>',
    ]
    for place, name in enumerate(metrics):
        value = row["metrics"][name]
        if value["mean"] is None:
            shown = f'<span title="{escape(value["reason"] or "not defined")}">–</span>'
        else:
            shown = f"{value['mean']:.4f}"
        cells.append(f'<td class="number">{shown}</td>')
        if place == 0:
            interval = "" if value["low"] is None else f"{value['low']:.4f} – {value['high']:.4f}"
            cells.append(f'<td class="number">{interval}</td>')
    date = escape(row["date"])
    cells.append(f'<td class="number">{int(row["submissions"])}</td>')
    cells.append(f'<td class="when"><time datetime="{date}">{date[:10]}</time></td>')
    return "".join(cells)
