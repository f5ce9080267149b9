"""Draw what a simulated mouse sees, and with what: writes simulation.png."""

import numpy as np
from figure_style import GREY, save, use_plot_style
from matplotlib.figure import Figure

import striate
from striate.stimuli import NATURAL_LIKE_KINDS, gabor, natural_like

PIXELS_PER_DEGREE = 256 / 128  # the screen is 128 degrees wide
SHAPE = (144, 256)

simulated = striate.simulate(
    neurons=60, train=2, validation=1, test_images=1, repeats=2, seed=12
)
truth = simulated.truth
central = np.argsort(np.abs(truth.centers - np.array([128, 72])).max(axis=1))[:12]
by_complexity = central[np.argsort(truth.neurons["complexity"].to_numpy()[central])]
chosen = by_complexity[[0, 3, -1]]

with use_plot_style():
    figure = Figure(figsize=(7.6, 3.1))
    above, below = figure.subplots(2, 3)
    for panel, kind, seed in zip(above, NATURAL_LIKE_KINDS, (11, 4, 20), strict=True):
        panel.imshow(
            natural_like(SHAPE, np.random.default_rng(seed), kind)[0],
            cmap="gray",
            vmin=0,
            vmax=255,
        )
        panel.set_title(kind.replace("_", " "), fontsize=9)
    for panel, neuron in zip(below, chosen, strict=True):
        row = truth.neurons.iloc[neuron]
        x, y = truth.centers[neuron]
        field = gabor(
            SHAPE,
            (x, y),
            orientation=row["orientation"],
            frequency=row["frequency"] / PIXELS_PER_DEGREE,
            phase=row["phase"],
            sigma=row["size"] * PIXELS_PER_DEGREE,
            aspect=row["aspect"],
        )
        panel.imshow(field, cmap="RdBu_r", vmin=-1, vmax=1)
        kind = "complex" if row["complexity"] > 0.5 else "simple"
        panel.set_title(f"unit {row['unit_id']:.0f}: {kind}", fontsize=9)
    for panel in (*above, *below):
        panel.set_xticks([])
        panel.set_yticks([])
        for spine in panel.spines.values():
            spine.set_visible(True)
            spine.set_color(GREY)
            spine.set_linewidth(0.5)
    save(figure, "simulation", dpi=110)
