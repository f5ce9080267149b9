"""Numbers of a trial that follow from the trial before: exact differences and copies, which chain the trials together."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from striate.competition.leaks import leak
from striate.competition.probes.material import Material
from striate.competition.probes.per_trial import columns, unknown_members
from striate.competition.probes.public_archive import PublicArchive, state_variables
from striate.recordings.archive import open_archive
from striate.recordings.checks.report import Finding

Floats = NDArray[np.float64]

_SCALES = (1.0, 0.5, 2.0, 1 / 3, 0.1, 10.0, 1 / 30, 30.0)  # of a difference: whole, mean of two, per interval
_CLOSE = 0.05  # of the median distance of values, within which a value is recognised
_SHARE = 0.5  # of trials that must have a predecessor
_EXACT = 1 - 1e-4  # share of variance that no slow change of a measurement explains
_MEND = "Compute this number from samples within each trial, or withhold it."


def look(material: Material) -> Iterator[Finding]:
    """Link the trials of every archive whose order is withheld to those before them."""
    for archive in material.archives:
        if archive.is_track or archive.recording.trials["trial_idx"].dtype.kind not in "iu":
            named = dict(_columns(archive))
            found = _links(archive, named) or _regressions(archive, named)
            if found is not None:
                yield leak("order-from-neighbors", f"{archive.name}/data/behavior", found, _MEND)


def _columns(archive: PublicArchive) -> Iterator[tuple[str, Floats]]:
    """Numbers that are public in all trials and vary."""
    count = len(archive.tier)
    for variable in state_variables(archive.recording):
        table = np.asarray(getattr(archive.recording, variable), dtype=np.float64)
        names = archive.recording.benchmark.components[variable]
        for column in range(table.shape[1]):
            called = names[column]
            if np.ptp(table[:, column]) > 0:
                yield called, table[:, column]
    with open_archive(archive.file) as opened:
        for name, array in unknown_members(archive, opened):
            if array is None:
                continue
            for part, values in columns(array, count):
                if values.dtype.kind in "iuf" and np.ptp(values.astype(np.float64)) > 0:
                    yield f"{name}{part}", values.astype(np.float64)


def _links(archive: PublicArchive, named: dict[str, Floats]) -> str | None:
    """As an outsider does: subtract one number from another, and look the result up among the trials."""
    best: tuple[float, str] | None = None
    for target, change in named.items():
        for source, values in named.items():
            if len(np.unique(values)) < len(values) // 2 or len(np.unique(change)) < len(change) // 2:
                continue
            wanted = (
                []
                if source == target
                else [(f"the {target} of a trial equals the {source} of a neighbouring trial", change)]
            )
            if source != target:
                wanted += [
                    (
                        f"the {target} of a trial is the difference between its {source} and that of a neighbouring trial{_times(scale)}",
                        values - sign * scale * change,
                    )
                    for scale in _SCALES
                    for sign in (1, -1)
                ]
            for said, predicted in wanted:
                share, linked = link(values, predicted)
                if share >= _SHARE and (best is None or share > best[0]):
                    best = (
                        share,
                        f"{said}. It links {100 * share:.0f} % of the trials to exactly one other trial, so that anybody can chain them{_right(archive, linked)}.",
                    )
    return None if best is None else best[1]


def _times(scale: float) -> str:
    return "" if scale == 1 else f", times {1 / scale:g}"


def link(values: Floats, predicted: Floats) -> tuple[float, NDArray[np.int64]]:
    """Look predicted values up among those of the other trials.

    Parameters
    ----------
    values, predicted : (T,)
        A number of each trial, and what that of the trial's predecessor would be.

    Returns
    -------
    float, (T,) int64
        Share of trials whose prediction is the value of one other trial, less what chance gives; and that trial, −1 where
        there is none.
    """
    count = len(values)
    none = np.full(count, -1, dtype=np.int64)
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    steps = np.diff(np.unique(ordered))
    if count < 20 or not len(steps) or not np.isfinite(predicted).all():
        return 0.0, none
    precision = 32 * float(np.finfo(np.float32).eps) * float(np.abs(values).max())
    limit = max(precision, 0.0) if precision > _CLOSE * float(np.median(steps)) else _CLOSE * float(np.median(steps))
    if limit > 0.3 * float(np.median(steps)):
        return 0.0, none
    place = np.searchsorted(ordered, predicted)
    linked, distance = none.copy(), np.full(count, np.inf)
    for shift in (-2, -1, 0, 1):
        near = np.clip(place + shift, 0, count - 1)
        other = order[near]
        away = np.where(other == np.arange(count), np.inf, np.abs(ordered[near] - predicted))
        closer = away < distance
        linked, distance = np.where(closer, other, linked), np.where(closer, away, distance)
    linked = np.where(distance <= limit, linked, -1)
    matched = float((linked >= 0).mean())
    # A chain has each trial as predecessor of one: the same trial again and again is no chain.
    distinct = len(np.unique(linked[linked >= 0])) / max(1, int((linked >= 0).sum()))
    density = _density(ordered, predicted, limit)
    return (matched if distinct > 0.8 and matched - density > 0.3 else 0.0), linked


def _density(ordered: Floats, predicted: Floats, limit: float) -> float:
    """Share of predictions that would match by chance: those moved a little match as often."""
    moved = predicted + 7 * limit
    near = np.searchsorted(ordered, moved + limit) - np.searchsorted(ordered, moved - limit)
    return float((near > 0).mean())


def _right(archive: PublicArchive, linked: NDArray[np.int64]) -> str:
    """How many predecessors (or successors) an outsider finds so, where the order is known."""
    order = archive.order
    if order is None:
        return ""
    rows = np.flatnonzero(linked >= 0)
    shares = {
        called: float((order[linked[rows]] == order[rows] + step).sum() / max(1, len(order) - 1))
        for called, step in (("predecessors", -1), ("successors", 1))
    }
    called = max(shares, key=shares.__getitem__)
    return f"; this recovers {100 * min(1.0, shares[called]):.0f} % of the {called}"


def _regressions(archive: PublicArchive, named: dict[str, Floats]) -> str | None:
    """With the order known: a number that the trials before and after give exactly, in any linear way."""
    order = archive.order
    if order is None or not named:
        return None
    table = np.stack(list(named.values()), axis=1)
    table = (table - table.mean(axis=0)) / np.maximum(table.std(axis=0), 1e-12)
    in_time = table[np.argsort(order)]
    before, now, after = in_time[:-2], in_time[1:-1], in_time[2:]
    if len(now) < 10 * table.shape[1]:
        return None
    for column, called in enumerate(named):
        others = np.delete(now, column, axis=1)
        around = np.concatenate([others, before, after], axis=1)
        alone, joint = (_explained(design, now[:, column]) for design in (others, around))
        if joint > _EXACT > alone:
            message = f"the {called} of a trial follows exactly from the trials before and after it: they explain {100 * joint:.2f} % of its variance, and the other numbers of the trial alone {100 * alone:.0f} %"
            return f"{message}. Whoever tries pairs of trials recovers their order."
    return None


def _explained(design: Floats, values: Floats) -> float:
    design = np.concatenate([design, np.ones((len(values), 1))], axis=1)
    weights, *_ = np.linalg.lstsq(design, values, rcond=None)
    return 1 - float(np.var(values - design @ weights) / max(float(np.var(values)), 1e-12))
