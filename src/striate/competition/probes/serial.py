"""Whether a key sorts trials by time: with the order known, by rank correlation; without it, by how alike neighbours are."""

import numpy as np
from numpy.typing import NDArray

from striate.competition.probes.public_archive import PublicArchive

Floats = NDArray[np.float64]

_DEVIATIONS = 5.5  # standard deviations by which chance is excluded, for any of many keys and features


def strong(correlation: float, count: int) -> bool:
    """Whether a correlation of `count` independent pairs is no chance."""
    return bool(abs(correlation) * np.sqrt(max(count - 1, 1)) > _DEVIATIONS)


def rank_correlation(one: NDArray[np.generic], other: NDArray[np.generic]) -> float:
    """Spearman's correlation; equal values share their mean rank."""
    a, b = (_ranks(np.asarray(values)) for values in (one, other))
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b / (np.sqrt((a @ a) * (b @ b)) + 1e-12))


def _ranks(values: NDArray[np.generic]) -> Floats:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], dtype=np.float64)


def resemblance(
    archive: PublicArchive, key: NDArray[np.generic], rows: NDArray[np.int64] | None = None
) -> float | None:
    """How much trials resemble their neighbours when sorted by a key, as an outsider sees it.

    Parameters
    ----------
    archive
        Behaviour and eye position count in all trials where they are public, responses in those that are not withheld.
    key : (n,)
        What to sort by.
    rows : (n,)
        The trials that have the key; all if not given.

    Returns
    -------
    float
        The largest correlation of neighbours (see `neighbours_alike`); None where it is no more than chance.
    """
    rows = np.arange(len(archive.tier)) if rows is None else rows
    strongest = 0.0
    for public, features in archive.slow:
        _, of_rows, of_public = np.intersect1d(rows, public, return_indices=True)
        alike = neighbours_alike(features[of_public], key[of_rows])
        if strong(alike, len(of_rows)):
            strongest = max(strongest, alike)
    return strongest or None


def neighbours_alike(features: Floats, key: NDArray[np.generic]) -> float:
    """Largest correlation, over features, of each trial with the next one when trials are sorted by a key.

    If the key follows time, neighbours are alike, since behaviour and responses change slowly; in a random order the
    correlation is 0 but for chance, with a standard deviation of 1/√n.
    """
    if len(features) < 20 or not features.shape[1]:
        return 0.0
    ordered = features[np.argsort(key, kind="stable")]
    ordered = ordered - ordered.mean(axis=0)
    power = (ordered**2).sum(axis=0)
    lagged = (ordered[1:] * ordered[:-1]).sum(axis=0)
    return float(np.max(lagged / np.maximum(power, 1e-12)))
