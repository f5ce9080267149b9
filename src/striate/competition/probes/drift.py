"""Slow drift in what must be public: how much of the order of the trials can be predicted from it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.competition.leaks import leak
from striate.competition.probes.material import Material
from striate.competition.probes.public_archive import PublicArchive, response_components, state_variables
from striate.competition.probes.serial import rank_correlation
from striate.recordings.checks.report import Finding, Severity

Floats = NDArray[np.float64]

_FOLDS = 10
_COMPONENTS = 40
_RESAMPLES = 500
_LEVEL = 0.95
_HARMLESS = 0.1  # correlation, below which nobody can use it
# What a declaration of drift covers, at most; the rule's page states both.
COVERED_CORRELATION = 0.95
COVERED_NEIGHBORS = 0.5  # share of trials whose nearest neighbour in behaviour is a neighbour in time


@dataclass(frozen=True)
class Drift:
    """How well the order of trials is predicted.

    Attributes
    ----------
    correlation
        Of predicted and true place, over trials that the prediction was not fitted to.
    low, high
        Its 95 % interval, over resamples of the trials.
    trials
        How many there are.
    """

    correlation: float
    low: float
    high: float
    trials: int

    def __str__(self) -> str:
        share = 100 * max(self.correlation, 0.0) ** 2
        return (
            f"r = {self.correlation:.2f} [{self.low:.2f}, {self.high:.2f}] between predicted and true place of {self.trials} "
            f"trials, {share:.0f} % of the variance of the order"
        )


def look(material: Material) -> Iterator[Finding]:
    """Fit the order of each archive where it is withheld and the vault knows it; else where it is public anyway."""
    known = [a for a in material.tracks if a.mapping is not None and a.order is not None]
    for archive in known or material.others[:1]:
        if archive.order is None:
            continue
        if known and (strongest := beyond_declaration(archive)) is not None:
            message = f"{strongest}. That gives the order away, and declaring order-from-drift does not cover it."
            yield leak("order-from-drift", archive.name, message, "Withhold it, or remove the trend.", Severity.ERROR)
            continue
        found = drift(archive)
        if found is None:
            continue
        if known and found.correlation > COVERED_CORRELATION:
            message = f"public behaviour and responses give the order away: {found}. Declaring order-from-drift does not cover that."
            yield leak("order-from-drift", archive.name, message, "Withhold or detrend what drifts.", Severity.ERROR)
            continue
        why = material.declared("order-from-drift")
        harmless = found.high < _HARMLESS
        message = f"public behaviour and responses drift. Whoever knew the order of most trials could predict the others: {found}"
        message += (
            "; the order of this recording is public, but expect the same of those whose order is withheld"
            if not known
            else ""
        )
        message += "."
        message += f" By design: {why}" if why else ""
        mend = (
            ""
            if why or harmless
            else "Declare order-from-drift, so that everybody knows; or detrend what is published."
        )
        yield leak("order-from-drift", archive.name, message, mend, Severity.NOTE if why or harmless else None)


def beyond_declaration(archive: PublicArchive) -> str | None:
    """Say which part of behaviour or eye position gives the order away; None if all of it drifts as measurements do.

    Parameters
    ----------
    archive
        One whose order is known.
    """
    if archive.order is None:
        return None
    variables = state_variables(archive.recording)
    names = [name for variable in variables for name in archive.recording.benchmark.components[variable]]
    parts = [np.asarray(getattr(archive.recording, variable), dtype=np.float64) for variable in variables]
    table = np.concatenate([np.empty((len(archive.tier), 0)), *parts], axis=1)
    count, width = table.shape
    if count < 3 * _FOLDS:
        return None
    names = names if len(names) == width else [f"component {number}" for number in range(width)]
    place = archive.order
    varying = [column for column in range(width) if np.ptp(table[:, column]) > 0]
    for column in varying:
        found = rank_correlation(table[:, column], place)
        if abs(found) > COVERED_CORRELATION:
            return f"the {names[column]} tells the time (rank correlation {found:.2f} with the order of {count} trials)"
    if not varying:
        return None
    features = table[:, varying]
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    nearest = _nearest(features)
    share = float((np.abs(place[nearest] - place) == 1).mean())
    if share > COVERED_NEIGHBORS:
        return f"for {100 * share:.0f} % of {count} trials, the trial with the most similar behaviour is the one right before or after"
    guessed = place[nearest].astype(np.float64)
    if (found := _correlation(guessed, place.astype(np.float64))) > COVERED_CORRELATION:
        return f"the trial with the most similar behaviour is close in time (their places have a correlation of {found:.2f})"
    return None


def _nearest(features: Floats) -> NDArray[np.int64]:
    """Row of the nearest other point of each, (T,)."""
    points = features.astype(np.float32)
    lengths = np.einsum("tf,tf->t", points, points)
    nearest = np.empty(len(points), dtype=np.int64)
    for start in range(0, len(points), 512):
        rows = slice(start, start + 512)
        distance = lengths[rows, None] + lengths[None] - 2 * points[rows] @ points.T
        distance[np.arange(len(distance)), np.arange(start, start + len(distance))] = np.inf
        nearest[rows] = distance.argmin(axis=1)
    return nearest


def drift(archive: PublicArchive) -> Drift | None:
    """Predict the place of public trials by ridge regression, each from a fit to the others.

    An attacker does not know the order of any trial, so that this bounds from above what drift gives away.

    Parameters
    ----------
    archive
        One whose order is known.

    Returns
    -------
    Drift
        None where there are too few trials.
    """
    if archive.order is None:
        return None
    recording = archive.recording
    rows = np.flatnonzero(~archive.tested) if archive.is_track else np.arange(len(archive.tier))
    if len(rows) < 3 * _FOLDS:
        return None
    parts = [np.asarray(getattr(recording, v)[rows], dtype=np.float64) for v in state_variables(recording)]
    parts = [part for part in parts if part.any()]
    if (components := response_components(archive, rows, min(_COMPONENTS, len(rows) // 5))) is not None:
        parts.append(components)
    if not parts:
        return None
    features = np.concatenate(parts, axis=1)
    features = (features - features.mean(axis=0)) / np.maximum(features.std(axis=0), 1e-9)
    place = archive.order[rows] / max(len(archive.order) - 1, 1)
    return _scored(_predicted(features, place), place)


def _predicted(features: Floats, place: Floats) -> Floats:
    rng = np.random.default_rng(0)
    fold = rng.permutation(len(place)) % _FOLDS
    predicted = np.empty(len(place))
    for k in range(_FOLDS):
        train, test = fold != k, fold == k
        x, y = features[train], place[train]
        middle, mean = x.mean(axis=0), y.mean()
        ridge = 0.05 * len(x) * np.eye(x.shape[1])
        weights = np.linalg.solve((x - middle).T @ (x - middle) + ridge, (x - middle).T @ (y - mean))
        predicted[test] = (features[test] - middle) @ weights + mean
    return predicted


def _scored(predicted: Floats, place: Floats) -> Drift:
    rng = np.random.default_rng(0)
    count = len(place)
    samples = np.array([_correlation(predicted[i], place[i]) for i in rng.integers(0, count, (_RESAMPLES, count))])
    low, high = np.quantile(samples, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Drift(_correlation(predicted, place), float(low), float(high), count)


def _correlation(a: Floats, b: Floats) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b / (np.sqrt((a @ a) * (b @ b)) + 1e-12))
