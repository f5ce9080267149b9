"""Results of the zoo as Markdown, as ``docs/zoo.md`` has them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from striate.zoo.results import LowDataCurve, ZooResults
from striate.zoo.tables import (
    Table,
    about_curve,
    about_scores,
    cost_table,
    curve_table,
    recording_table,
    score_table,
)


def zoo_markdown(results: Sequence[ZooResults], *, level: int = 1, figures: Mapping[str, str] | None = None) -> str:
    """Return results as Markdown: for each, its recordings, a table for each protocol, and its low-data curves.

    Parameters
    ----------
    results
        Results of different recordings, which are never compared.
    level
        Level of the headings of each result.
    figures
        Paths of figures: those of `figure_names` that are given are shown.

    Examples
    --------
    >>> zoo_markdown([])
    ''
    """
    return "\n\n".join(part for each in results for part in _parts(each, level, figures or {})) + (
        "\n" if results else ""
    )


def figure_names(results: ZooResults) -> dict[str, str | LowDataCurve]:
    """Return a name for each figure of results, and what it shows: a protocol, or a low-data curve.

    Examples
    --------
    >>> figure_names(ZooResults.read("zoo"))  # doctest: +SKIP
    {'image-behaviour': 'image + behaviour'}
    """
    names: dict[str, str | LowDataCurve] = {_slug(protocol): protocol for protocol in results.protocols}
    return names | {f"curve-{_slug(curve.recipe)}": curve for curve in results.curves}


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _figure(figures: Mapping[str, str], name: str, description: str) -> str:
    return f"![{description}]({figures[name]})" if name in figures else ""


def _parts(results: ZooResults, level: int, figures: Mapping[str, str]) -> list[str]:
    title, below = "#" * level, "#" * (level + 1)
    threads = f"{results.threads} thread{'s' if results.threads > 1 else ''}"
    parts = [
        f"{title} {results.title}",
        _table(recording_table(results), code=4),
        f"Benchmark `{results.benchmark}`; measured with striate {results.striate}, PyTorch {results.torch}, {results.device}, {threads} a "
        f"training, {results.parallel} at a time.",
    ]
    for protocol, models in results.protocols.items():
        parts += [f"{below} Protocol: {protocol}", _table(score_table(results, models), code=0)]
        parts.append(about_scores(results, models))
        parts.append(_table(cost_table(models), code=0))
        parts.append(_figure(figures, _slug(protocol), "Scores against multiply-adds and training time"))
    for curve in results.curves:
        parts += [f"{below} Low-data curve: {curve.recipe}", about_curve(curve), _table(curve_table(curve))]
        parts.append(_figure(figures, f"curve-{_slug(curve.recipe)}", "Scores against the number of training images"))
    if results.left_out:
        parts.append(
            "Left out: "
            + "; ".join(f"`{name}` ({reason.rstrip('.')})" for name, reason in results.left_out.items())
            + "."
        )
    return [part for part in parts if part]


def _table(table: Table, code: int | None = None) -> str:
    """Return a table as Markdown; the cells of the column `code` are set as code."""
    lines = [table.header, ["---"] + ["---:"] * (len(table.header) - 1)]
    for row in table.rows:
        cells = [f"`{cell.text}`" if index == code else cell.text for index, cell in enumerate(row)]
        lines.append([text + (f" ({cell.note})" if cell.note else "") for text, cell in zip(cells, row, strict=True)])
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
