"""The command ``report``, and tables that compare models."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from striate.cli.app import SCORES, app
from striate.cli.submissions import Metric, Resamples, ResamplingSeed, require_resamples
from striate.cli.training import Device, Overwrite
from striate.errors import InputError, WithheldError, shortened

if TYPE_CHECKING:
    from striate.recordings import Recording
    from striate.report import PairedDifference, ScoredModel
    from striate.submissions import Truth

console = Console(highlight=False)


@app.command("report", rich_help_panel=SCORES)
def report(
    models: Annotated[
        list[str],
        typer.Argument(
            help="Runs, ensembles (folders that striate train or ensemble wrote) and submissions. NAME=PATH sets the name of a model in the report.",
            show_default=False,
        ),
    ],
    archive: Annotated[
        Path, typer.Argument(help="Zip, folder or name of the predicted recording.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="HTML file to write.")] = Path("report.html"),
    truth: Annotated[
        Path | None,
        typer.Option(
            help="Measured responses, if the archive withholds them; as for striate score.", show_default=False
        ),
    ] = None,
    title: Annotated[str | None, typer.Option(help="Heading of the report.", show_default=False)] = None,
    bootstrap: Resamples = 1000,
    seed: ResamplingSeed = 0,
    metric: Metric = None,
    device: Device = "auto",
    overwrite: Overwrite = False,
) -> None:
    """Compare models on one recording in an HTML report: scores with intervals, paired differences, example trials, receptive fields."""
    from striate._internal.atomic_write import refuse_existing

    require_resamples(bootstrap)
    refuse_existing(out, overwrite)
    paths = parse_models(models)
    import striate
    from striate.report import collect_report_data, write_report
    from striate.submissions import open_truth
    from striate.training import is_run_folder

    if is_run_folder(archive):
        raise InputError(
            f"The last argument, {shortened(archive, 100)}, is a run, but must be a recording: give the recording after the "
            "models, as in striate report RUN RUN RECORDING."
        )
    recording = striate.open(archive)
    measured = _recorded_truth(recording, archive) if truth is None else open_truth(truth)
    data = collect_report_data(
        recording,
        paths,
        truth=measured,
        title=title,
        metrics=metric,
        bootstrap=bootstrap,
        seed=seed,
        device=device,
    )
    write_report(data, out, overwrite=overwrite)
    for tier in measured.tiers:
        print_comparisons(console, data.models, data.differences, tier)
    console.print(f"wrote {out}", markup=False, soft_wrap=True)


def parse_models(arguments: list[str]) -> dict[str, Path]:
    """Return the path of each model, by its name: the one given as NAME=PATH, or else `model_name` of the path.

    Raises
    ------
    InputError
        If two models have the same name.
    """
    from striate.report import model_name

    paths: dict[str, Path] = {}
    for argument in arguments:
        name, has_name, path = argument.partition("=")
        if not has_name or not name or Path(argument).exists():
            name, path = model_name(Path(argument)), argument
        if name in paths:
            raise InputError(
                f"Two models have the name {name!r} ({paths[name]} and {path}): rename one of them with NAME=PATH."
            )
        paths[name] = Path(path)
    return paths


def _recorded_truth(recording: "Recording", archive: Path) -> "Truth":
    from striate.submissions import Truth

    try:
        return Truth.from_recording(recording)
    except WithheldError:
        raise InputError(
            f"{archive} withholds its test responses, so that nothing can be scored: give them with --truth FILE if you have them."
        ) from None


def print_comparisons(
    console: Console, models: "Sequence[ScoredModel]", differences: "Sequence[PairedDifference]", tier: str
) -> None:
    """Print a table for each protocol: scores on one tier with intervals, and the paired differences of neighbours.

    The metrics are columns if the console is wide enough, and rows otherwise.
    """
    from striate.report import group_by_protocol

    for protocol, group in group_by_protocol(models).items():
        wide = _comparison(group, differences, tier, protocol)
        needed = Measurement.get(console, console.options.update_width(1000), wide).maximum
        console.print(wide if needed <= console.width else _tall(wide))


def _tall(wide: Table) -> Table:
    """Rearrange a table such that each metric is a section, with a row for each model."""
    names, *metrics = wide.columns
    table = Table(title=wide.title, title_justify="left", caption=wide.caption, caption_justify="left")
    for label in ("model", "score", "95 % interval"):
        is_name = label == "model"
        table.add_column(label, justify="left" if is_name else "right", no_wrap=not is_name, overflow="fold")
    for metric in metrics:
        table.add_row(f"[bold]{metric.header}[/]")
        for name, cell in zip(names.cells, metric.cells, strict=True):
            if not cell:
                continue  # a ceiling that the metric does not have
            value, _, interval = str(cell).partition(" \\[")
            table.add_row(f"  {name}", value if interval else str(cell), f"\\[{interval}" if interval else "")
        table.add_section()
    return table


def _comparison(
    group: "Sequence[ScoredModel]", differences: "Sequence[PairedDifference]", tier: str, protocol: str | None
) -> Table:
    from striate.metrics.score_summary import TOO_FEW_IMAGES
    from striate.report import (
        ceiling_description,
        ceilings_with_intervals,
        has_too_few_images,
        metric_labels,
        protocol_title,
        scores_with_intervals,
    )

    labels = metric_labels(group, tier)
    table = Table(
        title=f"Tier {tier}, {protocol_title(protocol)}: mean over neurons \\[95 % interval over images]",
        title_justify="left",
    )
    table.add_column("model")
    for label in labels.values():
        table.add_column(escape(label), justify="right")
    for model in group:
        scores = scores_with_intervals([model], tier)[model.name]
        computed = model.scorecard.tiers[tier].by_name
        cells = (
            _cell(scores.get(metric), reason=computed[metric].reason) if metric in computed else "" for metric in labels
        )
        table.add_row(model.name, *cells)
    ceiling = ceilings_with_intervals(group, tier)
    if ceiling:
        table.add_row("ceiling (image alone)", *(_ceiling_cell(ceiling.get(metric)) for metric in labels))
        table.caption = ceiling_description(group[0].sees_image_alone)
        table.caption_justify = "left"
    table.add_section()
    names = {model.name for model in group}
    for difference in differences:
        if difference.tier == tier and {difference.better, difference.worse} <= names:
            few = {metric: has_too_few_images(group, difference, metric) for metric in labels}
            cells = (TOO_FEW_IMAGES if few[metric] else _cell(difference.entry(metric), "+") for metric in labels)
            table.add_row(f"{difference.better} − {difference.worse} (paired)", *cells)
    return table


def _ceiling_cell(ceiling: tuple[float, float, float] | None) -> str:
    return "" if ceiling is None else "1" if ceiling == (1, 1, 1) else _cell(ceiling)


def _cell(entry: tuple[float, float, float] | None, sign: str = "", reason: str | None = None) -> str:
    from striate.metrics.score_summary import TOO_FEW_IMAGES, is_too_few_images
    from striate.report import score_text

    if entry is None:
        return TOO_FEW_IMAGES if is_too_few_images(reason) else "not defined"
    value, interval = score_text(entry, sign)
    return f"{value} \\{interval}"  # Rich would take the brackets for markup
