"""Slow drift in what must be public: how much of the order of the trials can be predicted from it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.competition.leaks import leak
from striate.competition.probes.material import Material
from striate.competition.probes.public_archive import PublicArchive, response_components
from striate.recordings.findings import Finding, Severity

Floats = NDArray[np.float64]

_FOLDS = 10
_COMPONENTS = 40
_RESAMPLES = 500
_LEVEL = 0.95
_HARMLESS = 0.1  # correlation, below which nobody can use it


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
        found = drift(archive)
        if found is None:
            continue
        why = material.declared("order-from-drift")
        harmless = found.high < _HARMLESS
        message = f"behaviour and responses that must be public drift: {found}"
        message += (
            " (its order is public; expect the same of the recordings whose order is withheld)" if not known else ""
        )
        message += ", had an attacker the order of most trials to learn from."
        message += f" By design: {why}" if why else ""
        mend = (
            ""
            if why or harmless
            else "Declare order-from-drift, so that everybody knows; or detrend what is published."
        )
        yield leak("order-from-drift", archive.name, message, mend, Severity.NOTE if why or harmless else None)


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
    parts = [np.asarray(getattr(recording, v)[rows], dtype=np.float64) for v in ("behavior", "pupil_center")]
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
