"""The command ``demo``."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from striate.cli.app import EXAMPLES, app
from striate.cli.report import print_comparisons

console = Console(highlight=False)


@app.command("demo", rich_help_panel=EXAMPLES)
def demo(
    out: Annotated[Path, typer.Option(help="Folder for all files of the demonstration.")] = Path("demo"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier demonstration.")] = False,
) -> None:
    """Simulate recordings, train two models, predict and score the withheld responses, and write a report.

    The command takes a few minutes on two cores and does not use the network.
    """
    from striate.demo import run_demo

    result = run_demo(out, overwrite=overwrite, log=lambda text: console.print(text, markup=False, soft_wrap=True))
    for tier in result.truth.tiers:
        print_comparisons(console, [*result.models, result.reference], result.differences, tier)
    console.print(f"Report: {result.report}", markup=False, soft_wrap=True)
