"""A table of models side by side, as a report has it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from striate.report import Contender, Difference


def comparison(contenders: "Sequence[Contender]", differences: "Sequence[Difference]", tier: str) -> Table:
    """Scores of models on one tier with their intervals, and the paired differences of neighbours."""
    from striate.report import metric_labels, score_rows

    labels = metric_labels()
    table = Table(title=f"Tier {tier}: mean over neurons [95 % interval over images]", title_justify="left")
    table.add_column("model")
    for label in labels.values():
        table.add_column(label, justify="right")
    for name, scores in score_rows(contenders, tier).items():
        table.add_row(name, *(_cell(scores.get(metric)) for metric in labels))
    table.add_section()
    for difference in differences:
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
