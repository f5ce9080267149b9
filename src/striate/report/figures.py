"""The figures of a report, each from plain arrays."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from striate.report.plot_style import COLOURS, GREY, INK, hide_axes, use_plot_style

Array = NDArray[Any]
_PANELS = 4  # metrics beside each other
_TITLE = 28  # characters of a line of a title


def example_trials(
    pictures: Mapping[str, Sequence[Array]],
    measured: Array,
    predicted: Array,
    repeats: Sequence[int],
    neurons: Array,
    name: str,
) -> Figure:
    """Draw a few images, and below each the mean responses of some neurons and their predictions.

    Parameters
    ----------
    pictures
        Rows of I pictures by their titles: uint8, grey (H, W) or in colour (H, W, 3).
    measured, predicted : (I, N)
        Standardised mean responses and mean predictions for each image.
    repeats
        Number of repeats of each image.
    neurons : (M,)
        Columns of the neurons to draw.
    name
        Name of the model.
    """
    with use_plot_style():
        count, rows = len(repeats), len(pictures)
        figure = Figure(figsize=(2.35 * count, 2.2 + 1.4 * rows))
        axes = figure.subplots(rows + 1, count, sharey="row", height_ratios=(*[1.1] * rows, 1), squeeze=False)
        top = 1.4 * max(np.max(measured[:, neurons]), np.max(predicted[:, neurons]), 1e-6)  # leaves room for the legend
        positions = np.arange(len(neurons))
        for column in range(count):
            for row, (title, shown) in enumerate(pictures.items()):
                panel = axes[row, column]
                panel.imshow(shown[column], cmap="gray", vmin=0, vmax=255, aspect="equal")
                hide_axes(panel)
                if column == 0 and title:
                    panel.set_ylabel(title)
            axes[0, column].set_title(f"shown {repeats[column]} times", color=GREY, fontsize=8)
            bars = axes[rows, column]
            bars.bar(positions, measured[column, neurons], color="#c9ced6", width=0.9, label="measured (mean)")
            bars.plot(positions, predicted[column, neurons], ".", color=COLOURS[1], ms=5, label=f"predicted ({name})")
            bars.set_ylim(0, top)
            bars.set_xticks([])
            bars.set_xlabel(f"{len(neurons)} neurons")
        axes[rows, 0].set_ylabel("response (std)")
        axes[rows, 0].legend(loc="upper left", handlelength=1, borderaxespad=0)
        return figure


def training_curves(histories: Mapping[str, pd.DataFrame], colours: Mapping[str, str]) -> Figure:
    """Draw the validation correlation over epochs of each model, with dots at reductions of the learning rate.

    Parameters
    ----------
    histories
        Table with the columns ``epoch``, ``validation_correlation`` and ``learning_rate`` of each model, by its name.
    colours
        Colour of each model, by its name.
    """
    with use_plot_style():
        figure = Figure(figsize=(6.2, 3.0))
        axes = figure.subplots()
        for name, history in histories.items():
            colour = colours[name]
            epochs, scores = history["epoch"].to_numpy(), history["validation_correlation"].to_numpy()
            axes.plot(epochs, scores, color=colour, lw=1.6)
            axes.annotate(
                name, (epochs[-1], scores[-1]), xytext=(6, 0), textcoords="offset points", color=colour, va="center"
            )
            reduced = np.flatnonzero(np.diff(history["learning_rate"].to_numpy()) < 0) + 1
            axes.plot(epochs[reduced], scores[reduced], "o", color=colour, ms=4, mfc="white")
        axes.set_xlabel("epoch   (open dots: learning rate reduced)")
        axes.set_ylabel("validation correlation")
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
        axes.margins(x=0.08)
        return figure


def measured_against_predicted(measured: Array, predicted: Array, scores: Array, unit_ids: Array) -> Figure:
    """Draw mean responses against mean predictions, with a dot for each image, for five neurons from low to high scores.

    Parameters
    ----------
    measured, predicted : (I, N)
        Standardised mean responses and mean predictions for each image.
    scores : (N,)
        Correlation to average of each neuron.
    unit_ids : (N,)
        Unit id of each neuron.
    """
    with use_plot_style():
        ranks = np.argsort(scores)
        picks = [ranks[round(q * (len(ranks) - 1))] for q in (0.1, 0.35, 0.6, 0.85, 1.0)]
        labels = ("10th percentile", "35th", "60th", "85th", "best")
        figure = Figure(figsize=(10.6, 2.5))
        axes = figure.subplots(1, len(picks))
        for panel, neuron, label in zip(axes, picks, labels, strict=True):
            x, y = predicted[:, neuron], measured[:, neuron]
            top = 1.05 * max(x.max(), y.max(), 1e-6)
            panel.plot([0, top], [0, top], color=GREY, lw=0.8, ls=":")
            panel.plot(x, y, "o", color=COLOURS[0], ms=4, alpha=0.65, mew=0)
            panel.set_title(f"{label}: r = {scores[neuron]:.2f}\nunit {unit_ids[neuron]}", fontsize=9)
            panel.set_xlim(0, top)
            panel.set_ylim(0, top)
            panel.set_aspect("equal")
            panel.set_xlabel("predicted")
        axes[0].set_ylabel("measured (mean)")
        return figure


def scores_against_ceiling(
    scores: Mapping[str, Array], ceiling: Array, tier: str, colours: Mapping[str, str]
) -> Figure:
    """Draw the single-trial correlation of each neuron against its ceiling, in a panel for each model.

    Parameters
    ----------
    scores
        Single-trial correlations (N,) of each model, by its name.
    ceiling : (N,)
        Highest single-trial correlation expected of a model that sees only the image, √FEV.
    tier
        Name of the tier in the axis label.
    colours
        Colour of each model, by its name.
    """
    with use_plot_style():
        figure = Figure(figsize=(3.3 * len(scores) + 0.4, 3.3))
        axes = np.atleast_1d(figure.subplots(1, len(scores), sharex=True, sharey=True))
        low = min(-0.1, float(np.nanmin([np.nanmin(s) for s in scores.values()])))
        high = 1.05 * float(np.nanmax([np.nanmax(ceiling), *(np.nanmax(s) for s in scores.values())]))
        size = float(np.clip(300 / np.sqrt(len(ceiling)), 1.5, 14))
        for panel, (name, values) in zip(axes, scores.items(), strict=True):
            panel.axline((0, 0), slope=1, color=GREY, lw=0.8, ls=":")
            panel.axhline(0, color=GREY, lw=0.4)
            panel.scatter(ceiling, values, s=size, color=colours[name], alpha=0.5, lw=0)
            panel.set_title(f"{name}: mean {np.nanmean(values):.3f}")
            panel.set_xlabel("ceiling (√FEV)")
            panel.set_xlim(low, high)
            panel.set_ylim(low, high)
            panel.set_aspect("equal")
        axes[0].set_ylabel(f"single-trial correlation ({tier})")
        return figure


def retinotopy(positions: Array, coordinates: Array, image_size: tuple[int, int]) -> Figure:
    """Draw receptive-field positions on the screen, and on the cortex with the screen position as colour.

    Parameters
    ----------
    positions : (N, 2)
        Horizontal and vertical receptive-field position of each neuron, in pixels of the image.
    coordinates : (N, 2) or (N, 3)
        Cortical position of each neuron in µm.
    image_size
        Height and width of the image in pixels.
    """
    with use_plot_style():
        height, width = image_size
        x, y = coordinates[:, 0], coordinates[:, 1]
        size = float(np.clip(400 / np.sqrt(len(x)), 2, 16))
        figure = Figure(figsize=(11, 3.1))
        screen, azimuth, elevation = figure.subplots(1, 3, width_ratios=(1.5, 1, 1))
        screen.add_patch(Rectangle((0, 0), width, height, fill=False, ec=GREY, lw=0.8))
        dots = screen.scatter(positions[:, 0], positions[:, 1], c=x, cmap="viridis", s=size, lw=0, alpha=0.85)
        figure.colorbar(dots, ax=screen, shrink=0.8, label="cortical x (µm)")
        screen.set_xlim(0, width)
        screen.set_ylim(height, 0)
        screen.set_aspect("equal")
        screen.set_title("on the screen")
        screen.set_xlabel("pixels")
        for panel, component, name in ((azimuth, 0, "horizontal"), (elevation, 1, "vertical")):
            dots = panel.scatter(x, y, c=positions[:, component], cmap="plasma", s=size, lw=0)
            figure.colorbar(dots, ax=panel, shrink=0.8, label=f"{name} (pixels)")
            panel.set_title(f"on the cortex: {name}")
            panel.set_aspect("equal")
            panel.set_xlabel("x (µm)")
        azimuth.set_ylabel("y (µm)")
        return figure


def positions_against_truth(learned: Array, true: Array) -> Figure:
    """Draw learned against true receptive-field positions of simulated neurons, horizontally and vertically.

    Parameters
    ----------
    learned, true : (N, 2)
        Horizontal and vertical positions in pixels of the image.
    """
    with use_plot_style():
        figure = Figure(figsize=(6.4, 3.0))
        for panel, component, name in zip(figure.subplots(1, 2), (0, 1), ("horizontal", "vertical"), strict=True):
            a, b = true[:, component], learned[:, component]
            span = (min(a.min(), b.min()), max(a.max(), b.max()))
            panel.plot(span, span, color=GREY, lw=0.8, ls=":")
            panel.scatter(a, b, s=8, color=COLOURS[2], alpha=0.6, lw=0)
            panel.set_title(f"{name}: r = {np.corrcoef(a, b)[0, 1]:.2f}")
            panel.set_xlabel("true (pixels)")
            panel.set_aspect("equal")
            if component == 0:
                panel.set_ylabel("learned (pixels)")
        return figure


def model_scores(
    rows: Mapping[str, Mapping[str, tuple[float, float, float]]],
    metrics: Mapping[str, str],
    colours: Mapping[str, str],
) -> Figure:
    """Draw the mean score of each model with its confidence interval, in a panel for each metric.

    Parameters
    ----------
    rows
        Mean, lower and upper bound of the interval of each metric, by model and metric. Metrics may be missing.
    metrics
        Title of each metric, by its name.
    colours
        Colour of each model, by its name.
    """
    with use_plot_style():
        names = list(rows)
        across = min(len(metrics), _PANELS)
        down = -(-len(metrics) // across)
        figure = Figure(figsize=(2.5 * max(across, 3), (0.45 * len(rows) + 1.1) * down))
        panels = figure.subplots(down, across, squeeze=False).ravel()
        for index, (panel, metric) in enumerate(zip(panels, metrics, strict=False)):
            for position, name in enumerate(names):
                if metric not in rows[name]:
                    continue
                value, low, high = rows[name][metric]
                colour = colours[name]
                panel.plot([low, high], [position, position], color=colour, lw=2.5, alpha=0.55, solid_capstyle="round")
                panel.plot(value, position, "o", color=colour, ms=5.5)
            panel.set_yticks(range(len(names)), names if index % across == 0 else [""] * len(names))
            panel.tick_params(axis="y", length=0, labelcolor=INK, labelsize=9)
            panel.set_ylim(len(names) - 0.5, -0.5)
            panel.spines["left"].set_visible(False)
            if _is_near_zero([bound for row in rows.values() for bound in row.get(metric, ())]):
                panel.axvline(0, color=GREY, lw=0.5)
            panel.set_title("\n".join(textwrap.wrap(metrics[metric], _TITLE, break_long_words=False)))
        for panel in panels[len(metrics) :]:
            panel.set_visible(False)
        return figure


def _is_near_zero(values: Sequence[float]) -> bool:
    """Return whether an axis from 0 would still show the differences between the values."""
    spread = max(values) - min(values)
    return spread == 0 or spread > 0.02 * max(abs(value) for value in values)
