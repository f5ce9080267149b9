"""Draw what a model sees of a trial under each protocol: writes protocols.png."""

import numpy as np
from figure_style import BLUE, GREEN, GREY, INK, ORANGE, canvas, save, use_plot_style

from striate.stimuli import natural_like

ROWS = (
    ("image", ("image",)),
    ("image + behaviour", ("image", "behaviour")),
    ("image + behaviour\n+ past responses", ("image", "behaviour", "past")),
)

NOT_SEEN = {
    "ha": "center",
    "va": "center",
    "fontsize": 8.5,
    "color": GREY,
    "style": "italic",
}

rng = np.random.default_rng(3)
picture = natural_like((72, 128), rng, "dead_leaves")[0]
time = np.linspace(0, 1, 60)
pupil = 0.55 + 0.3 * np.sin(4 * time + 0.4) + 0.03 * rng.standard_normal(60)
speed = np.clip(np.sin(7 * time) - 0.15, 0, None) * 0.8
past = rng.gamma(0.6, 1.0, (14, 3))

with use_plot_style():
    figure, axes = canvas(7.6, 3.5)
    for x, heading in (
        (3.0, "the image"),
        (4.75, "pupil, running, gaze"),
        (6.5, "earlier trials"),
    ):
        axes.text(x, 3.32, heading, ha="center", va="center", fontsize=9, color=GREY)
    for index, (name, seen) in enumerate(ROWS):
        y = 2.25 - 1.06 * index
        axes.text(
            0.12,
            y + 0.42,
            name,
            ha="left",
            va="center",
            fontsize=10,
            color=INK,
            linespacing=1.3,
        )
        axes.axhline(y - 0.1, color="#e3e7ec", lw=0.8) if index < len(
            ROWS
        ) - 1 else None
        shown = figure.add_axes((2.25 / 7.6, y / 3.5, 1.5 / 7.6, 0.84 / 3.5))
        shown.imshow(picture, cmap="gray", vmin=0, vmax=255)
        shown.axis("off")
        if "behaviour" in seen:
            traces = figure.add_axes((4.1 / 7.6, y / 3.5, 1.3 / 7.6, 0.84 / 3.5))
            traces.plot(time, pupil + 0.9, color=BLUE, lw=1.3)
            traces.plot(time, speed, color=ORANGE, lw=1.3)
            traces.set_ylim(-0.15, 2.1)
            traces.axis("off")
        else:
            axes.text(4.75, y + 0.42, "not seen", **NOT_SEEN)
        if "past" in seen:
            before = figure.add_axes((5.95 / 7.6, y / 3.5, 1.1 / 7.6, 0.84 / 3.5))
            before.imshow(past.T, cmap="Greens", aspect="auto", vmax=2.5)
            before.set_xticks([])
            before.set_yticks([])
            for spine in before.spines.values():
                spine.set_visible(True)
                spine.set_color(GREEN)
        else:
            axes.text(6.5, y + 0.42, "not seen", **NOT_SEEN)
    save(figure, "protocols")
