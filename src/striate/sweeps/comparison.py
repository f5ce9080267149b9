"""Comparison of the trials of a sweep: means over seeds with intervals, ranks within a protocol, paired differences."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from striate.errors import InputError, nearest, option
from striate.metrics.bootstrap import CONFIDENCE_LEVEL, BootstrapEstimate
from striate.metrics.registered import registered_info
from striate.sweeps.jobs import JobResult
from striate.sweeps.plan import Trial
from striate.sweeps.scores import RunScores

FACT_COLUMNS = ("parameters", "seconds", "memory_mib")
NOT_DEFINED = BootstrapEstimate(None, np.empty(0), CONFIDENCE_LEVEL)


@dataclass(eq=False)
class Compared:
    """A trial with the scores of its finished runs.

    Attributes
    ----------
    trial
        The trial.
    scores
        Scores of its finished runs by seed.
    note
        Why it has no score, or fewer runs than planned; empty if there is nothing to say.
    protocol
        Protocol of its runs.
    rank
        Rank among the trials of its protocol, from 1; None if it has no score.

    Examples
    --------
    >>> from striate.sweeps.plan import Trial
    >>> from striate.training import load_recipe
    >>> table = pd.DataFrame(
    ...     {"session": "1-1-1", "tier": "validation", "metric": "feve", "value": [0.5], "samples": [[0.4, 0.6]]}
    ... )
    >>> trial = Trial("1", {"data.batch_size": 64}, load_recipe("cnn"))
    >>> compared = Compared(trial, {0: RunScores(table, {"protocol": "image"})}, protocol="image", rank=1)
    >>> compared.estimate("validation", "feve").value
    0.5
    """

    trial: Trial
    scores: Mapping[int, RunScores]
    note: str = ""
    protocol: str = ""
    rank: int | None = None
    estimates: dict[tuple[str, str], BootstrapEstimate] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the trial."""
        return self.trial.name

    def estimate(self, tier: str, metric: str) -> BootstrapEstimate:
        """Return the mean of a metric over the seeds, with resamples of images and seeds."""
        key = (tier, metric)
        if key not in self.estimates:
            of_runs = [scores.estimate(tier, metric) for scores in self.scores.values()]
            self.estimates[key] = mean_over_seeds(of_runs, self.name)
        return self.estimates[key]

    def deviation(self, tier: str, metric: str) -> float:
        """Return the standard deviation of a metric over seeds; NaN with fewer than two."""
        values = [scores.estimate(tier, metric).value for scores in self.scores.values()]
        defined = [value for value in values if value is not None]
        return float(np.std(defined, ddof=1)) if len(defined) > 1 else float("nan")

    def fact(self, name: str) -> float:
        """Return the mean of a fact over runs; NaN without runs."""
        values = [scores.facts.get(name) for scores in self.scores.values()]
        numbers = [value for value in values if isinstance(value, int | float)]
        return float(np.mean(numbers)) if numbers else float("nan")


def mean_over_seeds(runs: Sequence[BootstrapEstimate], name: str) -> BootstrapEstimate:
    """Return the mean of a metric over runs with different seeds, with an interval for other images and other seeds.

    In each resample of the images, which is the same for all runs, as many seeds as there are runs are drawn with replacement; their
    deviation from the mean of all is enlarged by √(n / (n − 1)), because few seeds vary less among themselves than about their true
    mean. With one run, only the images vary.

    Parameters
    ----------
    runs
        Estimates of the runs, with the same resamples of the images.
    name
        Name of the trial: seeds of different trials are drawn independently.

    Examples
    --------
    >>> runs = [BootstrapEstimate(value, np.full(1000, value), 0.95) for value in (0.3, 0.32)]
    >>> mean = mean_over_seeds(runs, "1")
    >>> round(mean.value, 3), round(float(mean.samples.std()), 3)
    (0.31, 0.01)
    """
    if not runs or any(run.value is None or not len(run.samples) for run in runs):
        return NOT_DEFINED
    samples = np.stack([run.samples for run in runs])
    count, resamples = samples.shape
    mean = samples.mean(axis=0)
    if count > 1:
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        drawn = rng.integers(count, size=(count, resamples))
        redrawn = np.take_along_axis(samples, drawn, axis=0).mean(axis=0)
        mean = mean + np.sqrt(count / (count - 1)) * (redrawn - mean)
    return BootstrapEstimate(float(np.mean([run.value for run in runs])), mean, runs[0].level)


def difference(first: BootstrapEstimate, second: BootstrapEstimate) -> BootstrapEstimate:
    """Return the paired difference of two estimates with the same resamples of the images.

    Examples
    --------
    >>> a, b = (BootstrapEstimate(value, np.array([value - 0.1, value + 0.1]), 0.95) for value in (0.5, 0.3))
    >>> difference(a, b).interval.low > 0
    True
    """
    if first.value is None or second.value is None:
        return NOT_DEFINED
    return BootstrapEstimate(first.value - second.value, first.samples - second.samples, first.level)


@dataclass(frozen=True, eq=False)
class Comparison:
    """All trials of a sweep, from the best to the worst of each protocol, then those without a score.

    Attributes
    ----------
    trials
        The trials.
    metric
        Name of the metric that ranks them on the validation trials.
    validation
        Name of the validation tier.
    seeds
        Number of seeds that were planned.
    baseline
        Name of the trial that the others of its protocol are compared with; None compares with the best of each protocol.

    Examples
    --------
    >>> from striate.sweeps.plan import Trial
    >>> from striate.training import load_recipe
    >>> table = pd.DataFrame(
    ...     {"session": "1-1-1", "tier": "validation", "metric": "feve", "value": [0.5], "samples": [[0.4, 0.6]]}
    ... )
    >>> trial = Trial("1", {"data.batch_size": 64}, load_recipe("cnn"))
    >>> compared = Compared(trial, {0: RunScores(table, {"protocol": "image"})}, protocol="image", rank=1)
    >>> Comparison([compared], "feve", "validation", seeds=1).table()["validation.feve"].tolist()
    [0.5]
    """

    trials: Sequence[Compared]
    metric: str
    validation: str
    seeds: int
    baseline: str | None = None

    @property
    def protocols(self) -> tuple[str, ...]:
        """Protocols of trials with a rank."""
        return tuple(dict.fromkeys(each.protocol for each in self.trials if each.rank is not None))

    @property
    def tiers(self) -> tuple[str, ...]:
        """Scored tiers; the validation tier first."""
        return tuple(dict.fromkeys(tier for each in self.trials for one in each.scores.values() for tier in one.tiers))

    def metrics(self, tier: str) -> tuple[str, ...]:
        """Return the metrics that are defined on a tier for at least one trial; the one that ranks first."""
        found = (name for each in self.trials for one in each.scores.values() for name in one.metrics)
        names = dict.fromkeys([self.metric, *found])
        return tuple(name for name in names if any(each.estimate(tier, name).value is not None for each in self.trials))

    @property
    def keys(self) -> tuple[str, ...]:
        """Settings that the trials change, by their dotted keys."""
        return tuple(dict.fromkeys(key for each in self.trials for key in each.trial.settings))

    def ranked(self, protocol: str) -> list[Compared]:
        """Return the trials of a protocol, the best first."""
        return [each for each in self.trials if each.rank is not None and each.protocol == protocol]

    def reference(self, protocol: str) -> Compared | None:
        """Return the trial that others of a protocol are compared with: the baseline, or the best."""
        group = self.ranked(protocol)
        if self.baseline is None:
            return group[0] if group else None
        return next((each for each in group if each.name == self.baseline), None)

    def difference(self, each: Compared, tier: str, metric: str) -> BootstrapEstimate | None:
        """Return the difference between a trial and its reference; None if it has none."""
        reference = self.reference(each.protocol)
        if reference is None or reference is each or each.rank is None:
            return None
        return difference(each.estimate(tier, metric), reference.estimate(tier, metric))

    def table(self) -> pd.DataFrame:
        """Return a row for each trial; ``tier.metric`` is a mean over seeds, ``.low`` and ``.high`` are its interval.

        ``.sd`` is the standard deviation over seeds, ``.difference``, ``.difference.low`` and ``.difference.high`` the paired
        difference to the best trial of the protocol, or to the baseline.
        """
        rows = []
        metrics = {tier: self.metrics(tier) for tier in self.tiers}
        for each in self.trials:
            row: dict[str, Any] = {
                "trial": each.name,
                "rank": each.rank,
                "protocol": each.protocol,
                "runs": len(each.scores),
                "note": each.note,
                **{key: _cell(each.trial.settings.get(key)) for key in self.keys},
            }
            for tier in self.tiers:
                for metric in metrics[tier]:
                    row |= _entries(f"{tier}.{metric}", each.estimate(tier, metric))
                    row[f"{tier}.{metric}.sd"] = each.deviation(tier, metric)
                    row |= _entries(f"{tier}.{metric}.difference", self.difference(each, tier, metric) or NOT_DEFINED)
            rows.append({**row, **{name: each.fact(name) for name in FACT_COLUMNS}})
        table = pd.DataFrame(rows)
        table["rank"] = table["rank"].astype("Int64")
        for key in self.keys:
            table[key] = _one_type(table[key])
        return table

    def run_table(self) -> pd.DataFrame:
        """Return a row for each finished run: its settings, seed, scores and facts."""
        rows = []
        metrics = {tier: self.metrics(tier) for tier in self.tiers}
        for each in self.trials:
            for seed, scores in each.scores.items():
                row: dict[str, Any] = {"trial": each.name, "seed": seed, "protocol": each.protocol}
                row |= {key: _cell(each.trial.settings.get(key)) for key in self.keys}
                for tier in scores.tiers:
                    for metric in metrics[tier]:
                        value = scores.estimate(tier, metric).value
                        row[f"{tier}.{metric}"] = np.nan if value is None else value
                row |= {name: scores.facts.get(name) for name in (*FACT_COLUMNS, "epochs")}
                row["recordings"] = ", ".join(
                    f"{one['session']} {one['fingerprint']}" for one in scores.facts["recordings"]
                )
                rows.append(row)
        table = pd.DataFrame(rows)
        for key in self.keys if rows else ():
            table[key] = _one_type(table[key])
        return table


def compare(
    trials: Iterable[tuple[Trial, Sequence[JobResult], str]],
    *,
    metric: str,
    validation: str,
    seeds: int,
    baseline: str | None = None,
) -> Comparison:
    """Rank the trials of a sweep by their mean validation score over seeds, within each protocol.

    Parameters
    ----------
    trials
        Each trial with the results of its jobs, and a note on it.
    metric
        Name of the metric that ranks.
    validation
        Name of the validation tier.
    seeds
        Number of seeds that were planned.
    baseline
        Name of the trial that the others are compared with; by default the best of each protocol.

    Raises
    ------
    InputError
        If there is no such baseline, or it has no score.

    Examples
    --------
    >>> compare([], metric="feve", validation="validation", seeds=1).protocols
    ()
    """
    found = []
    for trial, results, note in trials:
        scores = {result.job.seed: result.scores() for result in results if result.status == "finished"}
        failed = [result for result in results if result.status == "failed"]
        if failed and not note:
            note = f"{len(failed)} of {seeds} runs failed: {failed[0].reason}"
        protocol = next((str(each.facts["protocol"]) for each in scores.values()), trial.protocol)
        found.append(Compared(trial, scores, note, protocol))
    sign = 1 if registered_info(metric).higher_is_better else -1
    ordered: list[Compared] = []
    for protocol in dict.fromkeys(each.protocol for each in found):
        scored = [
            (value, each)
            for each in found
            if each.protocol == protocol and (value := each.estimate(validation, metric).value) is not None
        ]
        scored.sort(key=lambda pair: -sign * pair[0])
        for rank, (_, each) in enumerate(scored, 1):
            each.rank = rank
        ordered += [each for _, each in scored]
    names = [each.name for each in ordered]
    if baseline is not None and baseline not in names:
        given = option("--baseline", "baseline")
        raise InputError(f"{given}: no trial {baseline!r} has a score: {nearest(baseline, names)}.")
    ordered += [each for each in found if each.rank is None]
    return Comparison(ordered, metric, validation, seeds, baseline)


def varying_keys(trials: Sequence[Compared]) -> dict[str, str]:
    """Return the settings that tell trials apart, by their dotted keys, each with the shortest name that is unambiguous.

    A setting that all trials of an alternative share is left out where the alternatives have a ``type``, which says as much.

    Examples
    --------
    >>> from striate.training import load_recipe
    >>> trials = [Trial(str(size), {"data.batch_size": size}, load_recipe("cnn")) for size in (16, 64)]
    >>> varying_keys([Compared(trial, {}) for trial in trials])
    {'data.batch_size': 'batch_size'}
    """
    values: dict[str, list[str]] = {}
    for each in trials:
        for key, value in each.trial.settings.items():
            values.setdefault(key, []).append(json.dumps(value))

    def is_told_by_type(key: str) -> bool:
        above = key.split(".")[:-1]
        types = [".".join([*above[:depth], "type"]) for depth in range(1, len(above) + 1)]
        return any(kind != key and len(set(values.get(kind, ()))) > 1 for kind in types)

    keys = [
        key
        for key, found in values.items()
        if len(set(found)) > 1 or (len(found) < len(trials) and not is_told_by_type(key))
    ]
    return {key: _short_name(key, values) for key in keys}


def _short_name(key: str, keys: Iterable[str]) -> str:
    parts = key.split(".")
    others = [other for other in keys if other != key]
    shortest = 2 if parts[-1] == "type" else 1
    for count in range(shortest, len(parts)):
        name = ".".join(parts[-count:])
        if not any(f".{other}".endswith(f".{name}") for other in others):
            return name
    return key


def _entries(name: str, estimate: BootstrapEstimate) -> dict[str, float]:
    interval = estimate.interval
    return {
        name: np.nan if estimate.value is None else estimate.value,
        f"{name}.low": interval.low if interval else np.nan,
        f"{name}.high": interval.high if interval else np.nan,
    }


def _cell(value: Any) -> Any:
    """Return a setting as a cell of a table: lists and tables as JSON."""
    return json.dumps(value) if isinstance(value, list | dict) else value


def _one_type(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column that a Parquet file can hold: texts if its values are of several types."""
    kinds = {bool if isinstance(value, bool) else str if isinstance(value, str) else float for value in column.dropna()}
    if len(kinds) <= 1:
        return column.convert_dtypes()
    return column.map(lambda value: value if isinstance(value, str) else json.dumps(value), na_action="ignore")
