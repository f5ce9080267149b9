"""Figures of the zoo: scores against cost, and low-data curves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from striate.metrics.registered import metric_label
from striate.report.plot_style import GREY, palette, use_plot_style
from striate.zoo.results import LowDataCurve, MeasuredModel, ZooScore
from striate.zoo.tables import curve_starts

_TICKS = 7  # most labels of an axis
_TITLES = {"scratch": "from scratch", "frozen": "frozen core", "fine-tuned": "fine-tuned core"}


def score_against_cost(models: Sequence[MeasuredModel], tier: str, metric: str) -> Figure:
    """Draw the score of each model of one protocol against its multiply-adds and its training time.

    Parameters
    ----------
    models
        Models of one protocol.
    tier, metric
        Score to draw.
    """
    with use_plot_style():
        figure = Figure(figsize=(8.0, 0.5 + max(2.6, 0.24 * len(models))))
        panels = figure.subplots(1, 2, sharey=True)
        colours = palette(model.recipe for model in models)
        costs = {
            "million multiply-adds of an image": [(model.multiply_adds or 0) / 1e6 for model in models],
            "seconds of a training": [model.seconds for model in models],
        }
        for panel, (title, values) in zip(panels, costs.items(), strict=True):
            for model, cost in zip(models, values, strict=True):
                score = model.scores.get(tier, {}).get(metric, ZooScore(mean=None))
                if score.mean is None or cost <= 0:
                    continue
                if score.low is not None and score.high is not None:
                    panel.plot([cost, cost], [score.low, score.high], color=colours[model.recipe], lw=2, alpha=0.5)
                panel.plot(cost, score.mean, "o", color=colours[model.recipe], ms=5, label=model.recipe)
            _log_axis(panel, [cost for cost in values if cost > 0])
            panel.set_xlabel(title)
        panels[0].set_ylabel(f"{metric_label(metric)}, {tier}")
        panels[1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5))
        return figure


def low_data_curve(curve: LowDataCurve) -> Figure:
    """Draw the scores of one recipe against the number of training images, with their intervals."""
    with use_plot_style():
        figure = Figure(figsize=(6.4, 3.2))
        panel = figure.subplots()
        starts = curve_starts(curve)
        sizes = list(dict.fromkeys(point.images for point in curve.points))
        for index, (start, colour) in enumerate(palette(starts).items()):
            points = [point for point in curve.points if point.start == start]
            shift = 1.02 ** (index - (len(starts) - 1) / 2)  # intervals of the same size stand side by side
            places = [point.images * shift for point in points]
            means = [np.nan if point.score.mean is None else point.score.mean for point in points]
            panel.plot(places, means, "o-", color=colour, ms=4.5, label=_TITLES[start])
            for place, point in zip(places, points, strict=True):
                if point.score.low is not None and point.score.high is not None:
                    panel.plot([place, place], [point.score.low, point.score.high], color=colour, lw=2, alpha=0.45)
        panel.set_xscale("log")
        panel.set_xticks(sizes, [f"{size:,}" for size in sizes])
        panel.xaxis.set_minor_locator(NullLocator())
        panel.set_xlabel("training images of each recording")
        panel.set_ylabel(f"{metric_label(curve.metric)}, {curve.tier}")
        panel.grid(axis="y", color=GREY, alpha=0.2, lw=0.6)
        panel.legend(loc="center left", bbox_to_anchor=(1.02, 0.5))
        panel.set_title(f"{curve.recipe}, protocol {curve.protocol}")
        return figure


def _log_axis(panel: Axes, values: Sequence[float]) -> None:
    """Make the horizontal axis logarithmic, with plain numbers at 1, 2, 5, 10 and so on."""
    panel.set_xscale("log")
    panel.xaxis.set_minor_locator(NullLocator())
    if not values:
        return
    low, high = min(values) / 1.5, max(values) * 1.5
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    ticks = [step * 10.0**power for power in powers for step in (1, 2, 5) if low <= step * 10.0**power <= high]
    if len(ticks) > _TICKS:
        ticks = [tick for tick in ticks if np.isclose(np.log10(tick) % 1, 0)]
    if len(ticks) < 2:  # all values are close together
        ticks = sorted({float(f"{min(values):.2g}"), float(f"{max(values):.2g}")})
    panel.set_xticks(ticks, [f"{tick:,g}" for tick in ticks])
    panel.set_xlim(low, high)
