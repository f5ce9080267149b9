"""Rules about stored statistics: the evaluation uses them as they are, so they should agree with the data."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from striate.errors import listed
from striate.recordings import layout
from striate.recordings.check_findings import Finding, Severity
from striate.recordings.check_rules import make_finding
from striate.recordings.checks.scan import Moments, TrialScan
from striate.recordings.statistics import VariableStatistics

_TOLERANCE = 1e-3  # relative to the standard deviation; single precision and n against n − 1 stay below it


def check(scan: TrialScan, trials: pd.DataFrame, stored: Mapping[str, VariableStatistics]) -> Iterator[Finding]:
    """Look for impossible values; compare stored mean and standard deviation with those of the training trials."""
    for variable, statistics in stored.items():
        if impossible := list(_impossible(variable, statistics, withheld=bool(scan.zero[variable].all()))):
            yield from impossible
            continue
        training = scan.moments[variable]
        if training.count == 0:
            continue
        wrong = _disagreeing(statistics, training)
        if not wrong.any():
            continue
        members = listed(np.flatnonzero(wrong)) if wrong.ndim else "the scalar"
        message = (
            f"mean or standard deviation disagree with the {training.count} training trials (elements: {members})."
        )
        everything = scan.all_moments[variable]
        if everything.count > training.count and not _disagreeing(statistics, everything).any():
            message += f" They agree with all {everything.count} trials that have responses."
        fix = "The evaluation uses the stored ones; rewrite the recording only if you do not compare with others."
        yield make_finding("statistics-disagree", layout.statistics_member(variable, "all", "std"), message, fix)


# What standardisation divides by and subtracts; the other statistics are only shown.
_USED = {
    ("images", "mean"),
    ("images", "std"),
    ("responses", "std"),
    ("behavior", "std"),
    ("pupil_center", "mean"),
    ("pupil_center", "std"),
}


def _impossible(variable: str, stored: VariableStatistics, *, withheld: bool) -> Iterator[Finding]:
    """Find statistics that cannot be used; those of a withheld variable never are."""
    for statistic in layout.STATISTICS:
        values = np.atleast_1d(getattr(stored, statistic))
        wrong, problem = np.flatnonzero(~np.isfinite(values)), "not finite"
        if not wrong.size and statistic == "std":
            wrong, problem = np.flatnonzero(values < 0), "negative"
            if variable == "responses" and not wrong.size and not values.any():
                wrong, problem = np.arange(values.size), "0"
        if wrong.size:
            message = f"the {statistic} is {problem} in {wrong.size} of {values.size} elements: {listed(wrong)}."
            fix = "Compute it over the training trials, or remove the file, and striate computes it."
            severity = Severity.ERROR if (variable, statistic) in _USED and not withheld else Severity.WARNING
            yield make_finding(
                "non-finite", layout.statistics_member(variable, "all", statistic), message, fix, severity
            )


def _disagreeing(stored: VariableStatistics, moments: Moments) -> np.ndarray:
    scale = np.maximum(moments.std, 1e-6 * np.abs(moments.mean) + 1e-12)
    # ddof 1 instead of 0 is no disagreement
    tolerance = _TOLERANCE + 1.0 / max(moments.count, 1)
    same_mean = np.abs(stored.mean - moments.mean) <= tolerance * scale
    same_std = np.abs(stored.std - moments.std) <= tolerance * scale
    return np.asarray(~(same_mean & same_std))  # what is not finite agrees with nothing
