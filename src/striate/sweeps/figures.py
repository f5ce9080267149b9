"""The figures of a sweep: scores of its trials, and the score against each setting."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from striate.report.plot_style import COLOURS, GREY, INK, use_plot_style
from striate.sweeps.comparison import Compared, varying_keys

_MOST_TRIALS = 40  # in a figure; a table has all of them
_LABEL = 60  # characters beside a row
_ACROSS = 3  # panels beside each other
_WIDE = 8  # ratio of the largest to the smallest value from which an axis is logarithmic
_OFFSET = 0.26  # of the marks of seeds below the mean
_TICK = 24  # characters of a name below an axis
_TICKS = 5  # values that are all named below an axis
_STEP = 0.02  # between trials of the same value, as a fraction of the axis


def setting_text(value: Any) -> str:
    """Return a setting as a short text.

    Examples
    --------
    >>> setting_text(0.00051234), setting_text([18, 32]), setting_text(True)
    ('0.000512', '[18, 32]', 'true')
    """
    if isinstance(value, float):
        return f"{value:.3g}"
    return value if isinstance(value, str) else json.dumps(value)


def trial_label(trial: Compared, keys: Mapping[str, str]) -> str:
    """Return the name of a trial with its settings, shortened from the end where they are many.

    Parameters
    ----------
    trial
        The trial.
    keys
        Names of settings by their dotted keys.

    Examples
    --------
    >>> from striate.sweeps.plan import Trial
    >>> from striate.training import load_recipe
    >>> compared = Compared(Trial("2", {"data.batch_size": 64}, load_recipe("cnn")), {})
    >>> trial_label(compared, {"data.batch_size": "batch_size"})
    '2: batch_size 64'
    """
    settings = trial.trial.settings
    text = ", ".join(f"{name} {setting_text(settings[key])}" for key, name in keys.items() if key in settings)
    if len(text) > _LABEL:
        text = f"{text[: _LABEL - 1]}…"
    return f"{trial.name}: {text}" if text else trial.name


def trial_scores(trials: Sequence[Compared], tier: str, metric: str, label: str, baseline: str | None = None) -> Figure:
    """Draw the mean score of each trial with its interval, and a small dot for each seed.

    Parameters
    ----------
    trials
        Trials of one protocol, the best first.
    tier, metric
        Which score to draw.
    label
        Name of the score on the axis.
    baseline
        Name of the trial that is drawn in another colour.
    """
    shown, keys = list(trials[:_MOST_TRIALS]), varying_keys(trials)
    with use_plot_style():
        figure = Figure(figsize=(9.6, 0.9 + 0.3 * len(shown)))
        axes = figure.subplots()
        for position, each in enumerate(shown):
            estimate = each.estimate(tier, metric)
            if estimate.value is None:
                continue
            colour = COLOURS[1] if each.name == baseline else COLOURS[0]
            if (interval := estimate.interval) is not None:
                axes.plot(
                    [interval.low, interval.high],
                    [position, position],
                    color=colour,
                    lw=2.5,
                    alpha=0.45,
                    solid_capstyle="round",
                )
            axes.plot(estimate.value, position, "o", color=colour, ms=5.5)
            if len(each.scores) > 1:
                found = [scores.estimate(tier, metric).value for scores in each.scores.values()]
                values = [value for value in found if value is not None]
                axes.plot(values, [position + _OFFSET] * len(values), "|", color=INK, ms=5, mew=0.9, alpha=0.7)
        axes.set_yticks(range(len(shown)), [trial_label(each, keys) for each in shown])
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x", color="#e3e7ec", lw=0.6)
        axes.set_axisbelow(True)
        axes.set_xlabel(label)
        return figure


def scores_against_settings(
    trials: Sequence[Compared], keys: Mapping[str, str], tier: str, metric: str, label: str
) -> Figure:
    """Draw the mean score of each trial, with its interval, against each setting that varies.

    Parameters
    ----------
    trials
        Trials of one protocol.
    keys
        Names of the settings by their dotted keys, a panel for each.
    tier, metric
        Which score to draw.
    label
        Name of the score on the axis.
    """
    across = min(_ACROSS, len(keys))
    down = -(-len(keys) // across)
    with use_plot_style():
        figure = Figure(figsize=(3.3 * max(across, 2) if across > 1 else 4.6, 2.7 * down))
        panels = figure.subplots(down, across, squeeze=False, sharey=True)
        for number, (panel, key) in enumerate(zip(panels.ravel(), keys, strict=False)):
            _draw_setting(panel, [each for each in trials if key in each.trial.settings], key, tier, metric)
            panel.set_xlabel(keys[key])
            if number % across == 0:
                panel.set_ylabel(label)
        for panel in panels.ravel()[len(keys) :]:
            panel.set_visible(False)
        return figure


def _draw_setting(panel: Axes, trials: Sequence[Compared], key: str, tier: str, metric: str) -> None:
    values = [each.trial.settings[key] for each in trials]
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    texts = list(dict.fromkeys(setting_text(value) for value in values))
    positions = [float(value) if numeric else float(texts.index(setting_text(value))) for value in values]
    low, high = min(positions), max(positions)
    logarithmic = numeric and low > 0 and high / low >= _WIDE
    distinct = sorted(set(positions))
    if logarithmic:
        panel.set_xscale("log")
    if not numeric:
        panel.set_xlim(-0.6, len(texts) - 0.4)
        panel.set_xticks(range(len(texts)), [text if len(text) <= _TICK else f"{text[: _TICK - 1]}…" for text in texts])
    elif len(distinct) <= _TICKS:
        panel.set_xticks(
            distinct, [setting_text(round(value) if value == round(value) else value) for value in distinct]
        )
        panel.set_xticks([], minor=True)
    means: dict[float, list[float]] = {}
    for position, place, each in zip(positions, _beside_each_other(positions, logarithmic), trials, strict=True):
        estimate = each.estimate(tier, metric)
        if estimate.value is None:
            continue
        if (interval := estimate.interval) is not None:
            panel.plot([place] * 2, [interval.low, interval.high], color=COLOURS[0], lw=1.2, alpha=0.3)
        panel.plot(place, estimate.value, "o", color=COLOURS[0], ms=4.5, mew=0)
        means.setdefault(position, []).append(estimate.value)
    if len(means) < len(trials):  # several trials have the same value: their mean shows what it does
        averages = [float(np.mean(means[position])) for position in sorted(means)]
        panel.plot(sorted(means), averages, "-" if numeric else "_", color=GREY, lw=1, ms=26, mew=1.4, zorder=0)


def _beside_each_other(positions: Sequence[float], logarithmic: bool) -> list[float]:
    """Return positions moved a little, such that equal ones stand beside each other."""
    scaled = np.log(positions) if logarithmic else np.asarray(positions, dtype=float)
    step = _STEP * (float(np.ptp(scaled)) or 1.0)
    moved = scaled.copy()
    for value in np.unique(scaled):
        same = np.flatnonzero(scaled == value)
        step_here = min(step, _STEP * 8 * (float(np.ptp(scaled)) or 1.0) / len(same))
        moved[same] += step_here * (np.arange(len(same)) - (len(same) - 1) / 2)
    placed: list[float] = (np.exp(moved) if logarithmic else moved).tolist()
    return placed
