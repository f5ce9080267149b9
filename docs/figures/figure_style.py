"""Style of the figures in the documentation, and helpers that draw and save them."""

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from striate.report.plot_style import COLOURS, GREY, INK, use_plot_style

HERE = Path(__file__).parent
BLUE, ORANGE, GREEN, PINK, YELLOW, SKY = COLOURS
PALE = "#eef1f4"

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "INK",
    "ORANGE",
    "PALE",
    "PINK",
    "SKY",
    "YELLOW",
    "arrow",
    "box",
    "canvas",
    "save",
    "use_plot_style",
]


def save(figure: Figure, name: str, dpi: int = 140) -> None:
    """Write ``<name>.png`` beside the scripts."""
    figure.savefig(
        HERE / f"{name}.png", dpi=dpi, facecolor="white", metadata={"Software": None}
    )


def canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """Make an empty drawing whose units are inches, the origin at the lower left."""
    figure = Figure(figsize=(width, height), layout="none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.axis("off")
    return figure, axes


def box(
    axes: Axes, x: float, y: float, width: float, height: float, text: str, **style: Any
) -> None:
    """Draw a rounded box with text in its middle; (x, y) is its lower left corner."""
    colour = style.pop("colour", PALE)
    edge = style.pop("edge", GREY)
    shape = FancyBboxPatch(
        (x, y),
        width,
        height,
        boxstyle="round,pad=0,rounding_size=0.08",
        fc=colour,
        ec=edge,
        lw=0.9,
    )
    axes.add_patch(shape)
    style = {
        "ha": "center",
        "va": "center",
        "fontsize": 9,
        "color": INK,
        "linespacing": 1.35,
    } | style
    axes.text(x + width / 2, y + height / 2, text, **style)


def arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], **style: Any
) -> None:
    """Draw an arrow."""
    style = {
        "arrowstyle": "-|>",
        "mutation_scale": 11,
        "lw": 1.1,
        "color": GREY,
        "shrinkA": 0,
        "shrinkB": 0,
    } | style
    axes.add_patch(FancyArrowPatch(start, end, **style))
