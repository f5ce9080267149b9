"""Rank correlation within groups (tiers, repeats of an image), with a permutation test."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEVEL = 1e-6  # probability of a false alarm, over all tests of one kind in one archive
_PERMUTATIONS = 200


@dataclass(frozen=True)
class Found:
    """A rank correlation that chance does not explain.

    Attributes
    ----------
    correlation
        Spearman's, with ranks taken within groups and pooled over them.
    trials
        Number of values that were compared.
    groups
        Number of groups.
    """

    correlation: float
    trials: int
    groups: int

    def __str__(self) -> str:
        return f"rank correlation {self.correlation:.2f} over {self.trials} values; none of {_PERMUTATIONS} permutations reaches it"


def group_ranks(values: NDArray[Any], groups: NDArray[np.int64]) -> Floats:
    """Rank values within their group, with mean 0 in each group; equal values share their mean rank.

    Parameters
    ----------
    values : (n,)
        Of any type that can be sorted.
    groups : (n,)
        Group of each value, numbered from 0.

    Returns
    -------
    (n,) float64
    """
    _, dense = np.unique(values, return_inverse=True)
    order = np.lexsort((dense, groups))
    sorted_groups, sorted_values = groups[order], dense[order]
    first_of_group = np.flatnonzero(np.r_[True, sorted_groups[1:] != sorted_groups[:-1]])
    new = np.r_[True, (sorted_groups[1:] != sorted_groups[:-1]) | (sorted_values[1:] != sorted_values[:-1])]
    starts = np.flatnonzero(new)
    ends = np.r_[starts[1:], len(order)]
    middle = (starts + ends - 1) / 2
    place = middle[np.cumsum(new) - 1]
    sizes = np.diff(np.r_[first_of_group, len(order)])
    centre = np.repeat(first_of_group + (sizes - 1) / 2, sizes)
    ranks = np.empty(len(order))
    ranks[order] = place - centre
    return ranks


def log_chance(correlation: float, freedom: int, permutations: float = math.inf) -> float:
    """Natural logarithm of an upper bound of the chance of a correlation at least as strong.

    The tail of the distribution of a correlation of independent pairs, bounded by its integrand; no less than one of the
    permutations that are possible.

    Parameters
    ----------
    correlation
        Found, of either sign.
    freedom
        Degrees of freedom: pairs less groups.
    permutations
        Logarithm of the number of permutations within groups.
    """
    if freedom < 4 or not math.isfinite(correlation) or abs(correlation) < 1e-6:
        return 0.0
    strength = min(abs(correlation), 1 - 1e-12)
    a = (freedom - 3) / 2
    norm = math.lgamma(0.5) + math.lgamma(a + 1) - math.lgamma(a + 1.5)
    tail = (a + 1) * math.log1p(-(strength**2)) - math.log(2 * strength * (a + 1)) - norm + math.log(2)
    return min(0.0, max(tail, math.log(2) - permutations))


class GroupedTarget:
    """What numbers are compared with: the time or the withheld strength of some trials, within groups.

    Parameters
    ----------
    values : (n,)
        Of the trials `rows`.
    rows : (n,)
        Trials.
    groups : (n,)
        Label of each trial's group; groups of one trial are left out.
    called
        For messages, for example ``"the order of the trials, within each tier"``.
    """

    def __init__(self, values: NDArray[Any], rows: NDArray[np.int64], groups: NDArray[Any], called: str) -> None:
        _, numbers, sizes = np.unique(groups, return_inverse=True, return_counts=True)
        kept = sizes[numbers] > 1
        self.rows, self.called = rows[kept], called
        self._values = np.asarray(values)[kept]
        _, self.groups = np.unique(numbers[kept], return_inverse=True)
        self.ranks = group_ranks(np.asarray(values)[kept], self.groups)
        sizes = np.bincount(self.groups) if len(self.groups) else np.empty(0, np.int64)
        self.count = len(sizes)
        self.freedom = int(len(self.rows) - self.count)
        self.permutations = float(sum(math.lgamma(size + 1) for size in sizes.tolist()))

    def test(self, values: NDArray[Any], tests: int) -> Found | None:
        """Compare the numbers of all trials with the target.

        Parameters
        ----------
        values : (T,)
            One number a trial; NaN where there is none.
        tests
            How many such tests are made in all.

        Returns
        -------
        Found
            None where chance explains what there is.
        """
        if self.freedom < 4:
            return None
        own = np.asarray(values)[self.rows]
        if own.dtype.kind == "f" and (missing := np.isnan(own)).any():
            some = ~missing
            return GroupedTarget(self._values[some], self.rows[some], self.groups[some], self.called).test(
                values, tests
            )
        ranks = group_ranks(own, self.groups)
        found = _correlation(ranks, self.ranks)
        if log_chance(found, self.freedom, self.permutations) + math.log(tests) > math.log(LEVEL):
            return None
        rng = np.random.default_rng(0)
        by_group = np.argsort(self.groups, kind="stable")
        for _ in range(_PERMUTATIONS):
            shuffled = np.lexsort((rng.random(len(ranks)), self.groups))
            permuted = np.empty_like(ranks)
            permuted[by_group] = ranks[shuffled]
            if abs(_correlation(permuted, self.ranks)) >= abs(found):
                return None
        return Found(found, len(ranks), self.count)


def _correlation(one: Floats, other: Floats) -> float:
    return float(one @ other / (math.sqrt(float(one @ one) * float(other @ other)) + 1e-12))
