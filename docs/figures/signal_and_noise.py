"""Draw what a neuron's responses to repeated images consist of: writes signal-and-noise.png."""

import numpy as np
from figure_style import BLUE, GREY, ORANGE, save, use_plot_style
from matplotlib.figure import Figure

from striate import metrics

rng = np.random.default_rng(5)
images, repeats = 10, 10
signal = np.sort(rng.gamma(1.6, 0.9, images))
image_ids = np.repeat(np.arange(images), repeats)
responses = rng.gamma(2.2, signal[image_ids] / 2.2) + 0.05
means = responses.reshape(images, repeats).mean(axis=1)
noise = responses.reshape(images, repeats).var(axis=1, ddof=1).mean()
total = responses.var(ddof=1)
fev = metrics.fraction_explainable_variance(responses[:, None], image_ids)[0]
assert np.isclose(fev, (total - noise) / total)

with use_plot_style():
    figure = Figure(figsize=(7.6, 2.9))
    trials, bars = figure.subplots(1, 2, width_ratios=(2.1, 1))
    jitter = rng.uniform(-0.17, 0.17, len(image_ids))
    trials.plot(
        image_ids + 1 + jitter,
        responses,
        "o",
        ms=3.5,
        color=GREY,
        alpha=0.45,
        mew=0,
        label="a trial",
    )
    trials.hlines(
        means,
        np.arange(images) + 0.62,
        np.arange(images) + 1.38,
        color=BLUE,
        lw=2.4,
        label="mean of an image",
    )
    trials.axhline(
        responses.mean(), color=ORANGE, lw=1, ls="--", label="mean of all trials"
    )
    trials.set_xticks(np.arange(images) + 1)
    trials.set_xlabel("image")
    trials.set_ylabel("response of one neuron (std)")
    trials.legend(loc="upper left")
    bars.barh(
        [1, 1],
        [total - noise, noise],
        left=[0, total - noise],
        color=[BLUE, "#c9ced6"],
        height=0.5,
    )
    bars.text(
        (total - noise) / 2,
        1,
        f"the images\n{fev:.0%}",
        color="white",
        ha="center",
        va="center",
        fontsize=8.5,
    )
    bars.text(
        total - noise / 2,
        1,
        f"noise\n{1 - fev:.0%}",
        ha="center",
        va="center",
        fontsize=8.5,
    )
    bars.annotate(
        "",
        (0, 1.42),
        (total, 1.42),
        arrowprops={"arrowstyle": "<->", "color": GREY, "lw": 0.9},
    )
    bars.text(total / 2, 1.47, "total variance", ha="center", va="bottom", fontsize=8.5)
    bars.set_ylim(0.4, 1.8)
    bars.set_yticks([])
    bars.spines["left"].set_visible(False)
    bars.set_xlabel("variance")
    save(figure, "signal-and-noise")
