"""The command ``demo``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from striate.cli.app import app

if TYPE_CHECKING:
    from striate.demo import DemoResult

console = Console(highlight=False)


@app.command("demo")
def demo(
    out: Annotated[Path, typer.Option(help="Folder for everything that is made.")] = Path("demo"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier demonstration.")] = False,
) -> None:
    """Simulate recordings, train two models, predict what is withheld, score it, and draw a report.

    Takes a few minutes on two cores, and needs nothing from the network.
    """
    from striate.demo import run_demo

    result = run_demo(out, overwrite=overwrite, say=lambda text: console.print(text, markup=False, soft_wrap=True))
    for tier in result.truth.tiers:
        console.print(_table(result, tier))
    console.print(f"Report: {result.report}", markup=False, soft_wrap=True)


def _table(result: "DemoResult", tier: str) -> Table:
    from striate.report import metric_labels, score_rows

    labels = metric_labels()
    table = Table(title=f"Tier {tier}: mean over neurons [95 % interval over images]", title_justify="left")
    table.add_column("model")
    for label in labels.values():
        table.add_column(label, justify="right")
    for name, scores in score_rows([*result.contenders, result.reference], tier).items():
        table.add_row(name, *(_cell(scores.get(metric)) for metric in labels))
    table.add_section()
    for difference in result.differences:
        if difference.tier == tier:
            cells = []
            for metric in labels:
                resampled = getattr(difference.metrics, metric)
                interval = resampled.interval
                known = resampled.value is not None and interval is not None
                cells.append(_cell((resampled.value, interval.low, interval.high) if known else None, "+"))
            table.add_row(f"{difference.better} − {difference.worse} (paired)", *cells)
    return table


def _cell(entry: tuple[float, float, float] | None, sign: str = "") -> str:
    if entry is None:
        return "not defined"
    value, low, high = entry
    return f"{value:{sign}.3f} \\[{low:{sign}.3f}, {high:{sign}.3f}]"
