"""Draw the parts of an encoder: writes encoder.png."""

import numpy as np
from figure_style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    arrow,
    box,
    canvas,
    save,
    use_plot_style,
)
from matplotlib.patches import Circle, Rectangle

from striate.stimuli import gabor, natural_like

rng = np.random.default_rng(4)
picture = natural_like((72, 128), rng, "dead_leaves")[0].astype(float)


def feature_map(orientation: float) -> np.ndarray:
    """One feature map: the picture through a Gabor."""
    kernel = gabor((15, 15), orientation=orientation, frequency=0.12, sigma=3.0)
    padded = np.fft.irfft2(
        np.fft.rfft2(picture - picture.mean()) * np.fft.rfft2(kernel, picture.shape),
        picture.shape,
    )
    return np.abs(np.roll(padded, (-7, -7), (0, 1)))


with use_plot_style():
    figure, axes = canvas(7.6, 3.5)
    shown = figure.add_axes((0.1 / 7.6, 1.75 / 3.5, 1.5 / 7.6, 0.84 / 3.5))
    shown.imshow(picture, cmap="gray")
    shown.axis("off")
    axes.text(0.85, 2.75, "image", ha="center", fontsize=9, color=INK)
    axes.text(
        0.85, 1.58, "(+ behaviour as planes)", ha="center", fontsize=8, color=GREY
    )
    arrow(axes, (1.66, 2.17), (1.95, 2.17))
    box(
        axes,
        1.98,
        1.62,
        1.05,
        1.1,
        "core\n\nconvolutions,\nshared by all\nrecordings",
        colour="#dcebf5",
        edge=BLUE,
        fontsize=8.5,
    )
    arrow(axes, (3.07, 2.17), (3.33, 2.17))
    for place, orientation in enumerate((0, 45, 90, 135)):
        left, low = 3.4 + 0.13 * place, 1.5 + 0.14 * place
        part = figure.add_axes((left / 7.6, low / 3.5, 1.45 / 7.6, 0.815 / 3.5))
        part.imshow(feature_map(orientation), cmap="magma")
        part.set_xticks([])
        part.set_yticks([])
        for spine in part.spines.values():
            spine.set_visible(True)
            spine.set_color("white")
        if place == 3:
            part.add_patch(Circle((86, 26), 6, fc="none", ec="white", lw=1.4))
    axes.text(4.3, 2.86, "feature maps (64)", ha="center", fontsize=9, color=INK)
    arrow(axes, (5.33, 2.17), (5.6, 2.17))
    box(
        axes,
        5.63,
        1.62,
        1.2,
        1.1,
        "readout\n\nweights of the\nfeatures at the\nneuron's place",
        colour="#d9f0e6",
        edge=GREEN,
        fontsize=8.5,
    )
    arrow(axes, (6.87, 2.17), (7.1, 2.17))
    axes.text(7.34, 2.17, "rates\n≥ 0", ha="center", va="center", fontsize=9, color=INK)

    box(axes, 1.98, 0.42, 1.05, 0.62, "shifter", colour="#fbe5d6", edge=ORANGE)
    axes.text(
        0.85, 0.73, "eye position", ha="center", va="center", fontsize=9, color=INK
    )
    arrow(axes, (1.4, 0.73), (1.95, 0.73))
    axes.plot([3.05, 5.0], [0.73, 0.73], color=GREY, lw=1.1)
    axes.text(
        4.05,
        0.6,
        "moves all places with the eye",
        ha="center",
        va="top",
        fontsize=8.5,
        color=GREY,
    )
    box(
        axes,
        5.63,
        0.42,
        1.2,
        0.62,
        "place in\nthe cortex",
        colour="white",
        fontsize=8.5,
    )
    axes.plot([5.0, 5.0, 5.0], [0.73, 1.0, 1.28], color=GREY, lw=1.1)
    arrow(axes, (5.0, 1.28), (5.75, 1.6))
    arrow(axes, (6.23, 1.08), (6.23, 1.58))
    axes.text(
        6.14,
        1.3,
        "where\nto look",
        fontsize=8,
        color=GREY,
        va="center",
        ha="right",
        linespacing=1.1,
    )
    axes.add_patch(
        Rectangle((5.5, 0.28), 1.45, 2.6, fc="none", ec=GREEN, lw=0.8, ls=":")
    )
    axes.text(
        6.22, 2.98, "one for each recording", ha="center", fontsize=8.5, color=GREEN
    )
    save(figure, "encoder")
