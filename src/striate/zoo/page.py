"""Results of the zoo as one self-contained page."""

from __future__ import annotations

from pathlib import Path

from striate._internal.atomic_write import atomic_write
from striate.metrics.registered import metric_label
from striate.report.comparison import protocol_title
from striate.report.html_helpers import Page, facts, image, table
from striate.zoo.figures import low_data_curve, score_against_cost
from striate.zoo.results import ZooResults
from striate.zoo.tables import (
    Table,
    about_curve,
    about_scores,
    cost_table,
    curve_table,
    recording_table,
    score_table,
)


def write_page(results: ZooResults, path: Path | str) -> None:
    """Write results as an HTML page, in place of an earlier one.

    Parameters
    ----------
    results
        The results.
    path
        Path of the page.

    Examples
    --------
    >>> write_page(ZooResults.read("zoo"), "zoo/zoo.html")  # doctest: +SKIP
    """
    with atomic_write(path, overwrite=True) as aside:
        aside.write_text(_render(results), encoding="utf-8")


def _render(results: ZooResults) -> str:
    page = Page("The zoo of models" if results.models else "Low-data curve", [results.title])
    shown = next((tier for tier in results.tiers if tier != results.validation_tier), results.validation_tier)
    for protocol, models in results.protocols.items():
        page.section(
            protocol_title(protocol).capitalize(),
            about_scores(results, models),
            _html(score_table(results, models), best=0),
            _html(cost_table(models)),
            image(
                score_against_cost(models, shown, results.ranking_metric),
                f"{metric_label(results.ranking_metric)} of each model against its multiply-adds and its training time",
            ),
        )
    for curve in results.curves:
        page.section(
            f"Low-data curve: {curve.recipe}",
            about_curve(curve),
            _html(curve_table(curve)),
            image(low_data_curve(curve), f"Scores of {curve.recipe} against the number of training images"),
        )
    page.section(
        "Recordings",
        "Scores of other recordings, or of the same with other content, are not comparable.",
        _html(recording_table(results)),
        facts(
            {
                "benchmark": results.benchmark,
                "striate": results.striate,
                "PyTorch": results.torch,
                "device": results.device,
                "threads of a training": str(results.threads),
                "trainings at a time": str(results.parallel),
            }
        ),
    )
    if results.left_out:
        page.section("Left out", "These recipes do not fit the recordings, or have failed.", facts(results.left_out))
    return page.render(f"Written by striate {results.striate}.")


def _html(content: Table, best: int | None = None) -> str:
    rows = [[f"{cell.text}|{cell.note}" if cell.note else cell.text for cell in row] for row in content.rows]
    return table(list(content.header), rows, best if len(rows) > 1 else None)
