"""Which images are live and which are final: drawn such that both are alike, and the evidence that they are."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_DRAWS = 2000
_KEPT = 0.05  # of the draws: those whose two halves are most alike
_PERMUTATIONS = 2000


@dataclass(frozen=True)
class FeatureBalance:
    """One feature of live and of final images.

    Attributes
    ----------
    live, final : (L,), (F,)
        Its values.
    difference
        Of the means, in standard deviations over all images.
    distance
        Largest distance between the two cumulative distributions (Kolmogorov–Smirnov).
    p
        Share of random splits with at least this distance.
    """

    live: Floats
    final: Floats
    difference: float
    distance: float
    p: float


@dataclass(frozen=True)
class Balance:
    """How alike live and final images are.

    Attributes
    ----------
    features
        By name of the feature.
    p
        Share of random splits whose means differ at least as much, over all features at once (Mahalanobis distance). For a
        split by chance any value is as likely as any other; a small one says that the tiers are not exchangeable.
    """

    features: dict[str, FeatureBalance]
    p: float

    def summary(self) -> dict[str, object]:
        """The numbers, ready for JSON."""
        return {
            "p": self.p,
            "features": {
                name: {"difference": f.difference, "distance": f.distance, "p": f.p}
                for name, f in self.features.items()
            },
        }


def stratified(features: pd.DataFrame, share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw final images such that their features are distributed like those of the others.

    Of many random splits, one of those is taken whose means are closest by Mahalanobis distance (rerandomisation [1]_). It is
    still drawn by chance, from many.

    Parameters
    ----------
    features : (I, F)
        One row an image.
    share
        Of the images that become final; at least one does, and at least one does not.
    rng
        Source of randomness.

    Returns
    -------
    (I,) bool
        True for final images.

    References
    ----------
    .. [1] Morgan & Rubin (2012), Rerandomization to improve covariate balance in experiments, Annals of Statistics 40(2).
    """
    count = len(features)
    finals = int(np.clip(round(share * count), 1, max(1, count - 1)))
    drawn = _random_splits(count, finals, _DRAWS, rng)
    distances = _mahalanobis(_whitened(features), drawn)
    good = np.argsort(distances, kind="stable")[: max(1, int(_KEPT * _DRAWS))]
    chosen: NDArray[np.bool_] = drawn[int(rng.choice(good))]
    return chosen


def balance(features: pd.DataFrame, final: NDArray[np.bool_], seed: int = 0) -> Balance:
    """Compare live and final images, against random splits of the same images.

    Parameters
    ----------
    features : (I, F)
        One row an image; a column that is not defined everywhere is left out.
    final : (I,)
        Which of them are final.
    seed
        Of the random splits.
    """
    table = features.dropna(axis="columns")
    drawn = _random_splits(len(table), int(final.sum()), _PERMUTATIONS, np.random.default_rng(seed))
    either = np.vstack([final, drawn])
    distances = _mahalanobis(_whitened(table), either)
    found = {}
    for name in table.columns:
        values = table[name].to_numpy(dtype=np.float64)
        largest = _cumulative_distances(values, either)
        spread = float(values.std()) or 1.0
        found[str(name)] = FeatureBalance(
            live=values[~final],
            final=values[final],
            difference=float((values[final].mean() - values[~final].mean()) / spread),
            distance=float(largest[0]),
            p=_share_as_large(largest),
        )
    return Balance(found, _share_as_large(distances))


def _random_splits(count: int, finals: int, splits: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    first = np.arange(count) < finals
    return rng.permuted(np.tile(first, (splits, 1)), axis=1)


def _whitened(features: pd.DataFrame) -> Floats:
    """Features turned and scaled such that they are uncorrelated with variance 1, (I, rank)."""
    values = features.dropna(axis="columns").to_numpy(dtype=np.float64)
    values = (values - values.mean(axis=0)) / np.maximum(values.std(axis=0), 1e-12)
    left, sizes, _ = np.linalg.svd(values, full_matrices=False)
    return np.asarray(left[:, sizes > 1e-6 * max(sizes.max(initial=0.0), 1e-12)] * np.sqrt(len(values)))


def _mahalanobis(whitened: Floats, finals: NDArray[np.bool_]) -> Floats:
    """Squared distance of the means of both sides, for each split."""
    one = finals @ whitened / finals.sum(axis=1, keepdims=True)
    other = ~finals @ whitened / (~finals).sum(axis=1, keepdims=True)
    return np.asarray(((one - other) ** 2).sum(axis=1))


def _cumulative_distances(values: Floats, finals: NDArray[np.bool_]) -> Floats:
    """Kolmogorov–Smirnov distance of both sides, for each split."""
    order = np.argsort(values, kind="stable")
    ends = np.append(np.diff(values[order]) > 0, True)  # equal values count together
    sides = finals[:, order].astype(np.float64)
    one = np.cumsum(sides, axis=1) / sides.sum(axis=1, keepdims=True)
    other = np.cumsum(1 - sides, axis=1) / (1 - sides).sum(axis=1, keepdims=True)
    return np.asarray(np.abs(one - other)[:, ends].max(axis=1))


def _share_as_large(values: Floats) -> float:
    """Share of all values at least as large as the first, itself included: a permutation test's p."""
    return float(np.mean(values >= values[0] - 1e-12))
