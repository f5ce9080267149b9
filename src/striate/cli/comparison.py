"""Tables of models side by side, as a report has them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

if TYPE_CHECKING:
    from striate.report import PairedDifference, ScoredModel


def print_comparisons(
    console: Console, models: "Sequence[ScoredModel]", differences: "Sequence[PairedDifference]", tier: str
) -> None:
    """Print a table for each protocol: scores on one tier with intervals, and the paired differences of neighbours.

    The metrics stand side by side where the console is wide enough, and otherwise below each other.
    """
    from striate.report import group_by_protocol

    for protocol, group in group_by_protocol(models).items():
        wide = _comparison(group, differences, tier, protocol)
        needed = Measurement.get(console, console.options.update_width(1000), wide).maximum
        console.print(wide if needed <= console.width else _tall(wide))


def _tall(wide: Table) -> Table:
    """Put the metrics of a table below each other: a section each, with a line for each model."""
    names, *metrics = wide.columns
    table = Table(title=wide.title, title_justify="left", caption=wide.caption, caption_justify="left")
    for label in ("model", "score", "95 % interval"):
        named = label == "model"
        table.add_column(label, justify="left" if named else "right", no_wrap=not named, overflow="fold")
    for metric in metrics:
        table.add_row(f"[bold]{metric.header}[/]")
        for name, cell in zip(names.cells, metric.cells, strict=True):
            value, _, interval = str(cell).partition(" \\[")
            whole = not interval
            table.add_row(f"  {name}", str(cell) if whole else value, "" if whole else f"\\[{interval}")
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

    labels = metric_labels()
    table = Table(
        title=f"Tier {tier}, {protocol_title(protocol)}: mean over neurons \\[95 % interval over images]",
        title_justify="left",
    )
    table.add_column("model")
    for label in labels.values():
        table.add_column(label, justify="right")
    for model in group:
        scores = scores_with_intervals([model], tier)[model.name]
        reasons = {metric: getattr(model.scorecard.tiers[tier], metric).reason for metric in labels}
        table.add_row(model.name, *(_cell(scores.get(metric), reason=reasons[metric]) for metric in labels))
    ceiling = ceilings_with_intervals(group, tier)
    if ceiling:
        limits = (_cell(ceiling[metric]) if metric in ceiling else "1" for metric in labels)
        table.add_row("ceiling (image alone)", *limits)
        table.caption, table.caption_justify = ceiling_description(protocol), "left"
    table.add_section()
    names = {model.name for model in group}
    for difference in differences:
        if difference.tier == tier and {difference.better, difference.worse} <= names:
            cells = []
            for metric in labels:
                resampled = getattr(difference.metrics, metric)
                interval = resampled.interval
                known = resampled.value is not None and interval is not None
                few = TOO_FEW_IMAGES if has_too_few_images(group, difference, metric) else None
                ends = (resampled.value, interval.low, interval.high) if known and not few else None
                cells.append(_cell(ends, "+", few))
            table.add_row(f"{difference.better} − {difference.worse} (paired)", *cells)
    return table


def _cell(entry: tuple[float, float, float] | None, sign: str = "", reason: str | None = None) -> str:
    from striate.metrics.score_summary import TOO_FEW_IMAGES, is_too_few_images

    if entry is None:
        return TOO_FEW_IMAGES if is_too_few_images(reason) else "not defined"
    value, low, high = entry
    return f"{value:{sign}.3f} \\[{low:{sign}.3f}, {high:{sign}.3f}]"
