"""Style of all figures: colours that are distinguishable with colour blindness, and unobtrusive axes."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from itertools import cycle
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes

# Okabe and Ito's palette, in the order in which the models of a report are drawn.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
GREY = "#6b7280"
INK = "#1f2933"

_SETTINGS: dict[str, Any] = {
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "figure.constrained_layout.use": True,
    "figure.dpi": 110,
    "font.family": "sans-serif",
    "font.size": 9,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "savefig.dpi": 160,
    "text.color": INK,
    "xtick.color": GREY,
    "xtick.labelsize": 8,
    "ytick.color": GREY,
    "ytick.labelsize": 8,
}


def palette(names: Iterable[str]) -> dict[str, str]:
    """Return a colour for each model, for use in all figures of a report."""
    return dict(zip(names, cycle(COLOURS), strict=False))


def use_plot_style() -> AbstractContextManager[None]:
    """Return a context manager that applies the style to figures drawn inside it."""
    return mpl.rc_context(_SETTINGS)  # type: ignore[arg-type]


def hide_axes(axes: Axes) -> None:
    """Hide the ticks and spines of axes that show an image."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
