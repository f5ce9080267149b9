"""Rank a board from scores and their resamples, by the rule of `striate.competition.rank`, which reads predictions anew.

All submissions of a track are resampled with the same draws of images, so that the difference of two rows' draws is their
paired bootstrap. A board of 1,000 rows is ranked in a second.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from striate.competition.tables import Ranking
from striate.metrics.bootstrap import Resampled


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


def ranked(entries: Sequence[Entry], rules: Ranking) -> list[Entry]:
    """Order entries from the best to the worst, with ranks and bands."""
    ordered = sorted(entries, key=lambda e: (e.value is None, -(e.value or 0.0), e.at, e.number))
    return _with_bands(_with_ranks(ordered), rules)


def _with_ranks(entries: list[Entry]) -> list[Entry]:
    """Equal values share a rank, and the next rank is that of its place: 1, 1, 3."""
    found, place, last = [], 0, (0, np.nan)
    for entry in entries:
        if entry.baseline or entry.value is None:
            found.append(entry)
            continue
        place += 1
        last = last if entry.value == last[1] else (place, entry.value)
        found.append(replace(entry, rank=last[0]))
    return found


def _with_bands(entries: list[Entry], rules: Ranking) -> list[Entry]:
    """Take the best row that has no band yet, and with it all that cannot be told apart from it; and so on."""
    left = [entry for entry in entries if entry.rank is not None]
    bands: dict[str, int] = {}
    number = 0
    while left:
        number += 1
        best = left[0]
        bands[best.name] = number
        apart = []
        for entry in left[1:]:
            if _told_apart(best.draws, entry.draws, rules.level):
                apart.append(entry)
            else:
                bands[entry.name] = number
        left = apart
    return [replace(entry, band=bands.get(entry.name)) for entry in entries]


def _told_apart(best: NDArray[np.float64], other: NDArray[np.float64], level: float) -> bool:
    difference = best - other
    value = float(difference[0]) if np.isfinite(difference[0]) else None
    return Resampled(value, difference[1:], level).decided
