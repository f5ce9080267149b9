"""The command ``report``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from striate.cli.app import SCORES, app
from striate.cli.comparison import print_comparisons
from striate.cli.scores import Resamples, ResamplingSeed, require_resamples
from striate.cli.training import Device, Overwrite
from striate.errors import InputError, WithheldError, shortened

if TYPE_CHECKING:
    from striate.recordings import Recording
    from striate.submissions import Truth

console = Console(highlight=False)


@app.command("report", rich_help_panel=SCORES)
def report(
    models: Annotated[
        list[str],
        typer.Argument(
            help="Runs (folders that striate train wrote) and submissions; NAME=PATH gives one another name in the report.",
            show_default=False,
        ),
    ],
    archive: Annotated[
        Path, typer.Argument(help="Zip, folder or name of the recording that they predict.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="The page to write, one HTML file.")] = Path("report.html"),
    truth: Annotated[
        Path | None,
        typer.Option(
            help="Measured responses, where the archive withholds them: as for striate score.", show_default=False
        ),
    ] = None,
    title: Annotated[str | None, typer.Option(help="Heading of the report.", show_default=False)] = None,
    bootstrap: Resamples = 1000,
    seed: ResamplingSeed = 0,
    device: Device = "auto",
    overwrite: Overwrite = False,
) -> None:
    """Set models side by side on one recording: scores with intervals, whether the images tell them apart, example trials, receptive fields."""
    from striate._internal.atomic_write import refuse_existing

    require_resamples(bootstrap)
    refuse_existing(out, overwrite)
    given = named(models)
    import striate
    from striate.report import collect_report_data, write_report
    from striate.submissions import open_truth
    from striate.training import Run

    if Run.is_run_folder(archive):
        raise InputError(
            f"The last argument, {shortened(archive, 100)}, is a run, and no recording is given: name the recording after the "
            "models, as in striate report RUN RUN RECORDING."
        )
    recording = striate.open(archive)
    measured = _measured(recording, archive) if truth is None else open_truth(truth)
    data = collect_report_data(
        recording, given, truth=measured, title=title, bootstrap=bootstrap, seed=seed, device=device
    )
    write_report(data, out, overwrite=overwrite)
    for tier in measured.tiers:
        print_comparisons(console, data.models, data.differences, tier)
    console.print(f"wrote {out}", markup=False, soft_wrap=True)


def named(models: list[str]) -> dict[str, Path]:
    """Map names to paths: the name given as NAME=PATH, or else `model_name` of the path.

    Raises
    ------
    InputError
        If two have the same name.
    """
    from striate.report import model_name

    found: dict[str, Path] = {}
    for each in models:
        name, is_named, path = each.partition("=")
        if not is_named or not name or Path(each).exists():
            name, path = model_name(Path(each)), each
        if name in found:
            raise InputError(
                f"Two models are called {name!r} ({found[name]} and {path}): give one another name, NAME=PATH."
            )
        found[name] = Path(path)
    return found


def _measured(recording: "Recording", archive: Path) -> "Truth":
    from striate.submissions import Truth

    try:
        return Truth.from_recording(recording)
    except WithheldError:
        raise InputError(
            f"{archive} withholds its test responses, so that nothing can be scored: give them with --truth FILE, if you have them."
        ) from None
