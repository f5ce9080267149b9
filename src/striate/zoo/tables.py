"""Tables of the zoo as text, for the page, for Markdown and for the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from striate.metrics.registered import metric_label
from striate.zoo.results import STARTS, LowDataCurve, MeasuredModel, Start, ZooResults

_ABOUT_SCORES = (
    "Each score is the mean over recordings, neurons and seeds, with its 95 % interval from resamples of the images and of the seeds. "
    "Models are sorted by the validation trials, on which all choices are made."
)
_ABOUT_ENSEMBLES = "A row with × is the ensemble of the seeds of a recipe, with the cost of all of them."
_FRACTIONS = {
    "oracle": "Percentages are of the oracle: the score of the true expected responses of the simulation, given the inputs of the protocol.",
    "ceiling": "Percentages are of the noise ceiling, the highest score expected of a model that sees the image alone.",
}
_STATE = " Models that know more than the image can exceed it."


class Cell(NamedTuple):
    """A cell of a table: a text, and a note in small print."""

    text: str
    note: str = ""


class Table(NamedTuple):
    """A table of text."""

    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def score_table(results: ZooResults, models: Sequence[MeasuredModel]) -> Table:
    """Return the scores of the models of one protocol."""
    columns = [
        (tier, metric)
        for tier in results.tiers
        for metric in results.metrics(tier)
        if tier != results.validation_tier or metric == results.ranking_metric or len(results.tiers) == 1
    ]
    header = ("recipe", *(f"{metric_label(metric)}, {tier}" for tier, metric in columns), "seeds")
    return Table(
        header,
        tuple(
            (
                Cell(model.recipe),
                *(_score(results, model, tier, metric) for tier, metric in columns),
                Cell(str(len(model.seeds))),
            )
            for model in models
        ),
    )


def cost_table(models: Sequence[MeasuredModel]) -> Table:
    """Return the cost of models."""
    header = ("recipe", "parameters", "million multiply-adds of an image", "seconds of a training", "peak memory, MiB")
    return Table(
        header,
        tuple(
            (
                Cell(model.recipe),
                Cell(f"{model.parameters:,}"),
                Cell("–" if model.multiply_adds is None else f"{model.multiply_adds / 1e6:,.1f}"),
                Cell(f"{model.seconds:,.0f}"),
                Cell(f"{model.memory_mib:,.0f}"),
            )
            for model in models
        ),
    )


def short_table(results: ZooResults, models: Sequence[MeasuredModel]) -> Table:
    """Return the table of the models of one protocol with few and narrow columns, for a terminal."""
    columns = [
        (tier, metric)
        for tier in results.tiers
        for metric in results.metrics(tier)
        if metric == results.ranking_metric or (_is_correlation(metric) and tier != results.validation_tier)
    ]
    header = (
        "recipe",
        *(f"{metric_label(metric)}\n{tier}" for tier, metric in columns),
        "million\nmultiply-\nadds",
        "seconds",
    )
    rows = []
    for model in models:
        scores = [_score(results, model, tier, metric).text for tier, metric in columns]
        cost = "–" if model.multiply_adds is None else f"{model.multiply_adds / 1e6:,.1f}"
        rows.append(tuple(map(Cell, (model.recipe, *scores, cost, f"{model.seconds:,.0f}"))))
    return Table(header, tuple(rows))


def about_scores(results: ZooResults, models: Sequence[MeasuredModel]) -> str:
    """Return a paragraph about the table of a protocol: intervals, order, ensembles and percentages."""
    ensembles = _ABOUT_ENSEMBLES if any(model.members > 1 for model in models) else ""
    return " ".join(filter(None, (_ABOUT_SCORES, ensembles, _about_fractions(results, models))))


def _about_fractions(results: ZooResults, models: Sequence[MeasuredModel]) -> str:
    found = {
        fraction[1]
        for model in models
        for tier in results.tiers
        for metric in results.metrics(tier)
        if _is_correlation(metric) and (fraction := results.fraction(model, tier, metric))
    }
    texts = [text for name, text in _FRACTIONS.items() if name in found]
    if "ceiling" in found and not all(model.image_alone for model in models):
        texts[-1] += _STATE
    return " ".join(texts)


def _score(results: ZooResults, model: MeasuredModel, tier: str, metric: str) -> Cell:
    score = model.scores.get(tier, {}).get(metric)
    if score is None or score.mean is None:
        return Cell("–")
    fraction = results.fraction(model, tier, metric) if _is_correlation(metric) else None
    interval = "" if score.low is None else f"{score.low:.3f} to {score.high:.3f}"
    percent = "" if fraction is None else f"{100 * fraction[0]:.0f} %"
    return Cell(f"{score.mean:.3f}", ", ".join(filter(None, (interval, percent))))


def _is_correlation(metric: str) -> bool:
    """Whether a metric has a ceiling of its own; that of ratios is 1 by definition."""
    return metric in ("single_trial_correlation", "correlation_to_average")


def recording_table(results: ZooResults) -> Table:
    """Return the table of the recordings."""
    return Table(
        ("recording", "neurons", "training trials", "training images", "fingerprint"),
        tuple(
            (
                Cell(each.session),
                Cell(f"{each.neurons:,}"),
                Cell(f"{each.training_trials:,}"),
                Cell(f"{each.training_images:,}"),
                Cell(each.fingerprint[:16]),
            )
            for each in results.recordings
        ),
    )


def curve_starts(curve: LowDataCurve) -> tuple[Start, ...]:
    """Return how the models of a curve begin, in order."""
    present = {point.start for point in curve.points}
    return tuple(start for start in STARTS if start in present)


def curve_table(curve: LowDataCurve) -> Table:
    """Return the table of a low-data curve: a row for each number of images."""
    starts = curve_starts(curve)
    points = {(point.images, point.start): point for point in curve.points}
    rows = []
    for images in dict.fromkeys(point.images for point in curve.points):
        cells = [Cell(f"{images:,}")]
        for start in starts:
            point = points[images, start]
            cells.append(Cell(point.score.text().partition(" (")[0], point.score.text().partition(" (")[2].rstrip(")")))
        for start in starts[1:]:
            gain = points[images, start].gain
            if gain is None or gain.mean is None:
                cells.append(Cell("–"))
            else:
                interval = "" if gain.low is None or gain.high is None else f"{gain.low:+.0%} to {gain.high:+.0%}"
                cells.append(Cell(f"{gain.mean:+.0%}", interval))
        rows.append(tuple(cells))
    titles = {"scratch": "from scratch", "frozen": "frozen core", "fine-tuned": "fine-tuned core"}
    header = ("images", *(titles[start] for start in starts), *(f"gain, {titles[start]}" for start in starts[1:]))
    return Table(header, tuple(rows))


def about_curve(curve: LowDataCurve) -> str:
    """Return a paragraph about a low-data curve."""
    text = (
        f"Recipe {curve.recipe} (protocol {curve.protocol}): {metric_label(curve.metric)} on tier {curve.tier}, against the number of "
        f"training images of each recording. {len(curve.seeds)} seed{'s' if len(curve.seeds) > 1 else ''}; each draws images of its own. "
        "Validation and test trials are always complete."
    )
    if curve.core_sessions:
        sessions = ", ".join(curve.core_sessions)
        text += (
            f" Cores come from {sessions}, and are kept frozen, or trained at {curve.finetune:g} times the learning rate once the readouts "
            "have settled. Gains are relative to training from scratch on the same images, with paired intervals."
        )
    return text
