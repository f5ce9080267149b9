"""Tables of models side by side, as a report has them."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from striate.report import Contender, Difference


def comparisons(contenders: "Sequence[Contender]", differences: "Sequence[Difference]", tier: str) -> "Iterator[Table]":
    """Yield a table for each protocol: scores on one tier with intervals, and the paired differences of neighbours."""
    from striate.report import by_protocol

    for protocol, group in by_protocol(contenders).items():
        yield _comparison(group, differences, tier, protocol)


def _comparison(
    group: "Sequence[Contender]", differences: "Sequence[Difference]", tier: str, protocol: str | None
) -> Table:
    from striate.report import ceiling_note, ceiling_scores, metric_labels, protocol_title, score_rows, too_few

    labels = metric_labels()
    table = Table(
        title=f"Tier {tier}, {protocol_title(protocol)}: mean over neurons \\[95 % interval over images]",
        title_justify="left",
    )
    table.add_column("model")
    for label in labels.values():
        table.add_column(label, justify="right")
    for contender in group:
        scores = score_rows([contender], tier)[contender.name]
        reasons = {metric: getattr(contender.scorecard.tiers[tier], metric).reason for metric in labels}
        table.add_row(contender.name, *(_cell(scores.get(metric), reason=reasons[metric]) for metric in labels))
    ceiling = ceiling_scores(group, tier)
    if ceiling:
        limits = (_cell(ceiling[metric]) if metric in ceiling else "1" for metric in labels)
        table.add_row("ceiling (image alone)", *limits)
        table.caption, table.caption_justify = ceiling_note(protocol), "left"
    table.add_section()
    names = {contender.name for contender in group}
    for difference in differences:
        if difference.tier == tier and {difference.better, difference.worse} <= names:
            cells = []
            for metric in labels:
                resampled = getattr(difference.metrics, metric)
                interval = resampled.interval
                known = resampled.value is not None and interval is not None
                few = "too few images" if too_few(group, difference, metric) else None
                ends = (resampled.value, interval.low, interval.high) if known and not few else None
                cells.append(_cell(ends, "+", few))
            table.add_row(f"{difference.better} − {difference.worse} (paired)", *cells)
    return table


def _cell(entry: tuple[float, float, float] | None, sign: str = "", reason: str | None = None) -> str:
    if entry is None:
        return "too few images" if (reason or "").startswith("too few images") else "not defined"
    value, low, high = entry
    return f"{value:{sign}.3f} \\[{low:{sign}.3f}, {high:{sign}.3f}]"
