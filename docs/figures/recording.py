"""Draw one trial of a recording, and how trials are divided into tiers: writes recording.png."""

import numpy as np
from figure_style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PINK,
    canvas,
    save,
    use_plot_style,
)
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from striate.stimuli import natural_like

rng = np.random.default_rng(11)
picture = natural_like((144, 256), rng, "dead_leaves")[0]
responses = rng.gamma(0.5, 1.4, 60)
TIERS = (
    ("train", 18, 1, BLUE),
    ("validation", 4, 1, ORANGE),
    ("test", 3, 5, GREEN),
    ("final_test", 3, 5, PINK),
)

with use_plot_style():
    figure, axes = canvas(7.6, 3.7)

    def panel(x: float, y: float, width: float, height: float) -> Axes:
        """Axes at a place in inches."""
        return figure.add_axes((x / 7.6, y / 3.7, width / 7.6, height / 3.7))

    axes.text(0.1, 3.5, "one trial", fontsize=10, fontweight="bold", color=INK)
    shown = panel(0.1, 1.95, 2.3, 1.3)
    shown.imshow(picture, cmap="gray", vmin=0, vmax=255)
    shown.axis("off")
    axes.text(
        1.25, 1.78, "images[t]   (1, 144, 256)", ha="center", fontsize=8.5, color=GREY
    )

    axes.text(2.75, 3.02, "behavior[t]   (3,)", fontsize=8.5, color=GREY)
    for place, (name, value) in enumerate(
        (
            ("pupil dilation", "31.2"),
            ("its derivative", "−0.4"),
            ("running speed", "8.7"),
        )
    ):
        axes.text(2.75, 2.82 - 0.17 * place, name, fontsize=8.5, color=INK)
        axes.text(4.25, 2.82 - 0.17 * place, value, fontsize=8.5, color=INK, ha="right")
    axes.text(2.75, 2.2, "pupil_center[t]   (2,)", fontsize=8.5, color=GREY)
    axes.text(2.75, 2.02, "horizontal, vertical", fontsize=8.5, color=INK)
    axes.text(4.25, 1.85, "118.4,  82.9", fontsize=8.5, color=INK, ha="right")

    bars = panel(4.75, 2.0, 2.7, 1.2)
    bars.bar(np.arange(len(responses)), responses, color=BLUE, width=0.9)
    bars.set_xticks([])
    bars.set_yticks([])
    for spine in ("left", "right", "top"):
        bars.spines[spine].set_visible(False)
    axes.text(
        6.1,
        1.78,
        "responses[t]   (neurons,), ≥ 0",
        ha="center",
        fontsize=8.5,
        color=GREY,
    )

    axes.text(
        0.1, 1.28, "all trials, by tier", fontsize=10, fontweight="bold", color=INK
    )
    x = 0.1
    for name, images, repeats, colour in TIERS:
        start = x
        for _image in range(images):
            shown_times = repeats - (1 if repeats > 1 and _image == 1 else 0)
            for repeat in range(shown_times):
                axes.add_patch(
                    Rectangle(
                        (x, 0.62 + 0.0 * repeat),
                        0.085,
                        0.38,
                        fc=colour,
                        ec="white",
                        lw=0.6,
                    )
                )
                x += 0.092
            if repeats > 1:
                x += 0.05
        axes.text(
            (start + x) / 2,
            0.47,
            name,
            ha="center",
            va="center",
            fontsize=9,
            color=colour,
        )
        said = (
            "another image in every trial"
            if name == "train"
            else ""
            if repeats == 1
            else "each image\nseveral times"
        )
        axes.text(
            (start + x) / 2,
            0.2,
            said,
            ha="center",
            va="center",
            fontsize=8,
            color=GREY,
            linespacing=1.2,
        )
        x += 0.22
    save(figure, "recording")
