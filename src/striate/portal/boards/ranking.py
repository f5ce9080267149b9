"""Rank a board from scores and their resamples, by the rule of ranks and bands of `striate.competition.rank`, which reads predictions anew.

All submissions of a track are resampled with the same draws of images, so that the difference of two rows' draws is their
paired bootstrap. A board of 1,000 rows is ranked in a second.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from striate.competition.ranking import ascending, bands, ranks
from striate.competition.tables import Ranking
from striate.metrics.bootstrap import BootstrapEstimate


@dataclass(frozen=True)
class Entry:
    """One row of a board.

    Attributes
    ----------
    name, baseline
        What it is called, and whether it is a row of the organiser's own.
    number, at
        Of its receipt.
    value
        What it is ranked by, at full precision; None where it is not defined.
    draws : (1 + B,)
        The same, on the images as they are and in each resample.
    rank, band
        From 1; None for baselines and undefined values.
    """

    name: str
    baseline: bool
    number: int
    at: datetime
    value: float | None
    draws: NDArray[np.float64]
    rank: int | None = None
    band: int | None = None


def ranked(entries: Sequence[Entry], metric: str, rules: Ranking) -> list[Entry]:
    """Order entries from the best to the worst by a metric, with ranks and bands."""
    ordered = sorted(entries, key=lambda entry: (*ascending(entry.value, metric), entry.at, entry.number))
    rank_of = ranks([None if entry.baseline else entry.value for entry in ordered])
    with_rank = [entry for entry, rank in zip(ordered, rank_of, strict=True) if rank is not None]
    band_of = iter(bands(with_rank, lambda best, other: _told_apart(best.draws, other.draws, rules.level)))
    return [
        replace(entry, rank=rank, band=None if rank is None else next(band_of))
        for entry, rank in zip(ordered, rank_of, strict=True)
    ]


def _told_apart(best: NDArray[np.float64], other: NDArray[np.float64], level: float) -> bool:
    difference = best - other
    value = float(difference[0]) if np.isfinite(difference[0]) else None
    return BootstrapEstimate(value, difference[1:], level).excludes_zero
