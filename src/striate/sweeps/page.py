"""The page of a sweep: rankings, figures and failures on one self-contained HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from striate import __version__
from striate._internal.atomic_write import atomic_write
from striate.metrics.bootstrap import BootstrapEstimate
from striate.metrics.registered import registered_info
from striate.report import protocol_title, score_text
from striate.report.html_helpers import Page, facts, image, table
from striate.sweeps.comparison import Comparison, varying_keys
from striate.sweeps.figures import scores_against_settings, setting_text, trial_scores

if TYPE_CHECKING:
    from striate.sweeps.plan import Plan

_MOST_ROWS = 200
_KINDS = {"grid": "a grid", "random": "random draws", "optuna": "a search with Optuna"}


def write_page(comparison: Comparison, plan: Plan, path: Path) -> None:
    """Write the page of a sweep, replacing an earlier one."""
    with atomic_write(path, overwrite=True) as aside:
        aside.write_text(render_page(comparison, plan), encoding="utf-8")


def render_page(comparison: Comparison, plan: Plan) -> str:
    """Return the page of a sweep as HTML."""
    sessions = ", ".join(recording.session for recording in plan.recordings)
    count, seeds = len(comparison.trials), comparison.seeds
    page = Page(
        f"Sweep on {sessions}",
        [
            f"{count} trial{'s' * (count != 1)} of {_KINDS[plan.kind]}, {seeds} seed{'s' * (seeds != 1)} each. "
            f"Trials are ranked by their {metric_label(comparison.metric)} on the validation trials, and only within their protocol.",
        ],
    )
    for protocol in comparison.protocols:
        _add_protocol(page, comparison, protocol)
    _add_unranked(page, comparison)
    recordings = {
        recording.session: f"fingerprint {recording.fingerprint}; {len(recording.neurons):,} neurons, {len(recording.trials):,} trials"
        for recording in plan.recordings
    }
    page.section(
        "Data and recipe",
        "What all trials have in common. The folders of the runs have the complete recipes and their provenance.",
        facts(
            {
                "recipe": plan.recipe.description or "without a description",
                "seeds used": ", ".join(map(str, plan.seeds)),
                **recordings,
            }
        ),
    )
    return page.render(f"Written by striate {__version__}.")


def metric_label(metric: str) -> str:
    """Return the name of a metric in texts.

    Examples
    --------
    >>> metric_label("correlation_to_average")
    'correlation to average'
    """
    return registered_info(metric).label


def difference_heading(comparison: Comparison) -> str:
    """Return the heading of the column of differences.

    Examples
    --------
    >>> difference_heading(Comparison([], "feve", "validation", seeds=1, baseline="2"))
    'difference to trial 2'
    """
    return "difference to the best" if comparison.baseline is None else f"difference to trial {comparison.baseline}"


def estimate_cell(estimate: BootstrapEstimate | None, sign: str = "") -> str:
    """Return an estimate as a cell of `striate.report.html_helpers.table`: the value, and its interval in a small font.

    Examples
    --------
    >>> import numpy as np
    >>> estimate_cell(BootstrapEstimate(0.5, np.array([0.4, 0.5, 0.6]), level=0.95))
    '0.500|[0.405, 0.595]'
    """
    if estimate is None or estimate.value is None:
        return "–"
    interval = estimate.interval
    bounds = (interval.low, interval.high) if interval else (estimate.value, estimate.value)
    return "|".join(score_text((estimate.value, *bounds), sign))


def _add_protocol(page: Page, comparison: Comparison, protocol: str) -> None:
    group = comparison.ranked(protocol)
    keys = varying_keys(group)
    metric, tier = comparison.metric, comparison.validation
    label = metric_label(metric)
    tests = [each for each in comparison.tiers if each != tier]
    with_note = any(each.note for each in group)
    header = ["", "trial", f"{label} ({tier})", difference_heading(comparison), *keys.values()]
    header += ["SD over seeds"] if comparison.seeds > 1 else []
    header += [f"{metric_label(name)} ({each})" for each in tests for name in comparison.metrics(each)]
    header += ["parameters", "seconds", *(["note"] if with_note else [])]
    rows = []
    for each in group[:_MOST_ROWS]:
        deviation, settings = each.deviation(tier, metric), each.trial.settings
        row = [str(each.rank), each.name, estimate_cell(each.estimate(tier, metric))]
        row += [estimate_cell(comparison.difference(each, tier, metric), "+")]
        row += [setting_text(settings[key]) if key in settings else "–" for key in keys]
        row += ["–" if deviation != deviation else f"{deviation:.4f}"] if comparison.seeds > 1 else []
        row += [estimate_cell(each.estimate(one, name)) for one in tests for name in comparison.metrics(one)]
        row += [
            f"{each.fact('parameters'):,.0f}",
            f"{each.fact('seconds'):,.1f}",
            *([f"|{each.note}"] if with_note else []),
        ]
        rows.append(row)
    text = (
        (
            "Means over seeds. In small font: 95 % intervals from a bootstrap over images and seeds"
            if comparison.seeds > 1
            else "In small font: 95 % intervals from a bootstrap over images; with one seed, they say nothing about other seeds"
        )
        + ". Differences are computed on the same images. If an interval contains 0, the data do not show which trial is better."
    )
    if tests:
        text += " Test scores chose nothing. The best of many trials looks better on the validation trials than it is; the test trials tell."
    if len(group) > _MOST_ROWS:
        text += f" The table has the best {_MOST_ROWS} of {len(group):,} trials; results.parquet has all."
    page.section(f"Ranking, {protocol_title(protocol)}", text, table(header, rows, best=0))
    figure = trial_scores(group, tier, metric, f"{label} ({tier})", comparison.baseline)
    page.section(
        f"Scores, {protocol_title(protocol)}",
        "A dot is the mean over seeds, a line its 95 % interval, and a tick below it one seed."
        if comparison.seeds > 1
        else "A dot is the score of a trial, a line its 95 % interval.",
        image(figure, f"Scores of the trials of {protocol_title(protocol)}, from the best to the worst"),
    )
    if keys:
        panels = scores_against_settings(group, keys, tier, metric, f"{label} ({tier})")
        page.section(
            f"Score against each setting, {protocol_title(protocol)}",
            "A dot is a trial, with its 95 % interval. Grey lines are means of trials with the same value, where there are several.",
            image(panels, f"Score against {', '.join(keys.values())}"),
        )


def _add_unranked(page: Page, comparison: Comparison) -> None:
    rows = [
        [
            each.name,
            ", ".join(f"{key} = {setting_text(value)}" for key, value in each.trial.settings.items()),
            each.note,
        ]
        for each in comparison.trials
        if each.rank is None
    ]
    if rows:
        page.section(
            "Trials without a score",
            "They failed, or were stopped early because others did better after as many epochs.",
            table(["trial", "settings", "reason"], [[name, f"|{what}", f"|{why}"] for name, what, why in rows]),
        )
