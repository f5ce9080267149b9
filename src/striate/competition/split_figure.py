"""The evidence of a split, drawn: distributions of live and final images side by side."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from striate.competition.features import FEATURES
from striate.competition.split import Balance
from striate.report.plot_style import COLOURS, GREY, use_plot_style

LIVE, FINAL = COLOURS[0], COLOURS[1]


def split_figure(of_track: Balance, ceilings: Mapping[str, NDArray[np.floating]], title: str) -> Figure:
    """Draw the features of live and final images, and how reliable the neurons are in both.

    Parameters
    ----------
    of_track
        The features.
    ceilings
        For ``live`` and ``final``: split-half reliability of each neuron, (N,).
    title
        Of the whole figure.
    """
    with use_plot_style():
        figure = Figure(figsize=(11, 4.9))
        said = f"{100 * of_track.p:.0f} % of random splits differ at least as much over all features"
        figure.suptitle(f"{title}: {said}", x=0.01, ha="left", fontsize=11)
        panels = figure.subplots(2, 3).ravel()
        for panel, (name, feature) in zip(panels, of_track.features.items(), strict=False):
            _steps(panel, feature.live, LIVE, f"live ({len(feature.live)} images)")
            _steps(panel, feature.final, FINAL, f"final ({len(feature.final)} images)")
            panel.set_title(f"{name}: p = {feature.p:.2f}")
            panel.set_xlabel(FEATURES.get(name, name))
        for panel in panels[len(of_track.features) : 5]:
            panel.set_visible(False)
        for values, colour, label in ((ceilings["live"], LIVE, "live"), (ceilings["final"], FINAL, "final")):
            _steps(panels[5], values[np.isfinite(values)], colour, f"{label} ({len(values)} neurons)")
        panels[5].set_title("neurons")
        panels[5].set_xlabel("split-half reliability")
        for panel in (panels[0], panels[3]):
            panel.set_ylabel("share below")
        panels[0].legend(loc="lower right", handlelength=1.2)
        panels[5].legend(loc="lower right", handlelength=1.2)
        return figure


def _steps(panel: Axes, values: NDArray[np.floating], colour: str, label: str) -> None:
    ordered = np.sort(values)
    share = np.arange(1, len(ordered) + 1) / max(len(ordered), 1)
    panel.step(ordered, share, where="post", color=colour, lw=1.8, alpha=0.9, label=label)
    panel.set_ylim(0, 1.02)
    panel.axhline(0.5, color=GREY, lw=0.4, ls=":")
