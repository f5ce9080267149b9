"""The command ``reproduce``."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from striate.cli.app import EXAMPLES, app
from striate.errors import InputError, nearest, quoted

console = Console(highlight=False)


@app.command("reproduce", rich_help_panel=EXAMPLES)
def reproduce(
    result: Annotated[
        str,
        typer.Argument(
            help="What to reproduce: cnn, scores of published weights; or v1t, which is trained again, on a GPU."
        ),
    ] = "cnn",
    recordings: Annotated[
        Path | None,
        typer.Option(help="Folder with the recordings of 2022, or the archive. Default: the fetched recording."),
    ] = None,
    weights: Annotated[list[Path] | None, typer.Option(help="Published weights (.pth) of cnn; repeatable.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the run of v1t; the same command resumes it.")] = Path(
        "runs/v1t"
    ),
    device: Annotated[str, typer.Option(help="Device that trains v1t: auto, cpu, cuda or cuda:1.")] = "auto",
) -> None:
    """Compute a published result of SENSORIUM 2022 again, or list what is missing for it.

    The exit status is 0 if all scores agree with the published ones (cnn: in all decimals; v1t: within 0.005), 1 if not, and 3 if
    something is missing.
    """
    from striate.reproduce import PublishedResult, reproduce_training
    from striate.reproduce import reproduce as reproduce_result
    from striate.submissions.scorecard import LABELS

    if result not in ("cnn", "v1t"):
        raise InputError(
            f"There is no published result {quoted(result)} to reproduce: {nearest(result, ('cnn', 'v1t'))}."
        )
    if result == "v1t" and weights:
        raise InputError("The result v1t is trained again and takes no weights: leave --weights out.")
    reproduction = (
        reproduce_result(recordings, weights or [])
        if result == "cnn"
        else reproduce_training(recordings, out, device=device)
    )
    published = reproduction.result
    sessions = (published.session,) if isinstance(published, PublishedResult) else published.sessions
    console.print(
        f"{published.name}, on {', '.join(sessions)}, tier {published.tier} (source: {published.source})",
        soft_wrap=True,
    )
    if reproduction.missing:
        console.print("It cannot be computed here. Missing:")
        for sentence in reproduction.missing:
            console.print(f"  - {sentence}", markup=False, soft_wrap=True)
        raise typer.Exit(3)
    table = Table()
    for column in ("metric", "published", "here", "difference"):
        table.add_column(column, justify="left" if column == "metric" else "right")
    for metric, wanted in published.scores.items():
        here = reproduction.scores.get(metric)
        table.add_row(
            LABELS[metric],
            f"{wanted:.3f}",
            "not defined" if here is None else f"{here:.4f}",
            "" if here is None else f"{here - wanted:+.4f}",
        )
    console.print(table)
    console.print("reproduced" if reproduction.succeeded else "not reproduced")
    if not reproduction.succeeded:
        raise typer.Exit(1)
