"""Rules about stored statistics, which the evaluation uses and which should agree with the data."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from striate.errors import listed
from striate.recordings import layout
from striate.recordings.checks.report import Finding, Severity
from striate.recordings.checks.rules import make_finding
from striate.recordings.checks.scan import Moments, TrialScan
from striate.recordings.statistics import VariableStatistics

_TOLERANCE = 1e-3  # relative to the standard deviation; larger than rounding errors in single precision


def check(scan: TrialScan, trials: pd.DataFrame, stored: Mapping[str, VariableStatistics]) -> Iterator[Finding]:
    """Check for invalid values, and compare stored means and standard deviations with those of the training trials."""
    for variable, statistics in stored.items():
        if invalid := list(_invalid_statistics(variable, statistics, withheld=bool(scan.zero[variable].all()))):
            yield from invalid
            continue
        training = scan.moments[variable]
        if training.count == 0:
            continue
        wrong = _find_disagreements(statistics, training)
        if not wrong.any():
            continue
        members = listed(np.flatnonzero(wrong)) if wrong.ndim else "the scalar"
        message = (
            f"mean or standard deviation disagree with the {training.count} training trials (elements: {members})."
        )
        all_trials = scan.all_moments[variable]
        if all_trials.count > training.count and not _find_disagreements(statistics, all_trials).any():
            message += f" They agree with all {all_trials.count} trials that have responses."
        fix = "The evaluation uses the stored ones; write the recording again only if you do not compare your scores with others."
        yield make_finding("statistics-disagree", layout.statistics_member(variable, "all", "std"), message, fix)


# Statistics that standardisation uses; the others are only shown.
_USED_STATISTICS = {
    ("images", "mean"),
    ("images", "std"),
    ("responses", "std"),
    ("behavior", "std"),
    ("pupil_center", "mean"),
    ("pupil_center", "std"),
}


def _invalid_statistics(variable: str, stored: VariableStatistics, *, withheld: bool) -> Iterator[Finding]:
    """Report invalid statistics, as an error if standardisation uses them."""
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
            severity = (
                Severity.ERROR if (variable, statistic) in _USED_STATISTICS and not withheld else Severity.WARNING
            )
            yield make_finding(
                "non-finite", layout.statistics_member(variable, "all", statistic), message, fix, severity
            )


def _find_disagreements(stored: VariableStatistics, moments: Moments) -> np.ndarray:
    scale = np.maximum(moments.std, 1e-6 * np.abs(moments.mean) + 1e-12)
    # ddof 1 instead of 0 is no disagreement
    tolerance = _TOLERANCE + 1.0 / max(moments.count, 1)
    same_mean = np.abs(stored.mean - moments.mean) <= tolerance * scale
    same_std = np.abs(stored.std - moments.std) <= tolerance * scale
    return np.asarray(~(same_mean & same_std))  # values that are not finite always disagree
