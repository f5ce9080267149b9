"""The command ``reproduce``."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from striate.cli.app import EXAMPLES, app

console = Console(highlight=False)


@app.command("reproduce", rich_help_panel=EXAMPLES)
def reproduce(
    recordings: Annotated[
        Path | None,
        typer.Option(help="Folder with the recordings of 2022, or the archive. Default: the fetched recording."),
    ] = None,
    weights: Annotated[list[Path] | None, typer.Option(help="Published weights (.pth); repeatable.")] = None,
) -> None:
    """Compute a published result of SENSORIUM 2022 again, or list the files that are missing for it.

    The exit status is 0 if all scores agree with the published ones in all decimals, 1 if not, and 3 if a file is missing.
    """
    from striate.reproduce import reproduce as reproduce_result
    from striate.submissions.scorecard import LABELS

    reproduction = reproduce_result(recordings, weights or [])
    result = reproduction.result
    console.print(f"{result.name}, on {result.session}, tier {result.tier} (source: {result.source})", soft_wrap=True)
    if reproduction.missing:
        console.print("It cannot be computed here. Missing:")
        for sentence in reproduction.missing:
            console.print(f"  - {sentence}", markup=False, soft_wrap=True)
        raise typer.Exit(3)
    table = Table()
    for column in ("metric", "published", "here", "difference"):
        table.add_column(column, justify="left" if column == "metric" else "right")
    for metric, published in result.scores.items():
        here = reproduction.scores.get(metric)
        table.add_row(
            LABELS[metric],
            f"{published:.3f}",
            "not defined" if here is None else f"{here:.4f}",
            "" if here is None else f"{here - published:+.4f}",
        )
    console.print(table)
    console.print("reproduced" if reproduction.succeeded else "not reproduced")
    if not reproduction.succeeded:
        raise typer.Exit(1)
