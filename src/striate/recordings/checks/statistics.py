"""Rules about stored statistics: the evaluation uses them as they are, so they should agree with the data."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from striate.errors import listed
from striate.recordings import layout
from striate.recordings.checks.survey import Moments, Survey
from striate.recordings.findings import Finding
from striate.recordings.rules import found
from striate.recordings.statistics import VariableStatistics

_TOLERANCE = 1e-3  # relative to the standard deviation; single precision and n against n − 1 stay below it


def check(survey: Survey, trials: pd.DataFrame, stored: Mapping[str, VariableStatistics]) -> Iterator[Finding]:
    """Compare stored mean and standard deviation with those of the training trials."""
    for variable, statistics in stored.items():
        training = survey.moments[variable]
        if training.count == 0:
            continue
        wrong = _disagreeing(statistics, training)
        if not wrong.any():
            continue
        members = listed(np.flatnonzero(wrong)) if wrong.ndim else "the scalar"
        message = (
            f"mean or standard deviation disagree with the {training.count} training trials (elements: {members})."
        )
        everything = survey.all_moments[variable]
        if everything.count > training.count and not _disagreeing(statistics, everything).any():
            message += f" They agree with all {everything.count} trials that have responses."
        mend = "The evaluation uses the stored ones; rewrite the recording only if you do not compare with others."
        yield found("statistics-disagree", layout.statistics_member(variable, "all", "std"), message, mend)


def _disagreeing(stored: VariableStatistics, moments: Moments) -> np.ndarray:
    scale = np.maximum(moments.std, 1e-6 * np.abs(moments.mean) + 1e-12)
    # ddof 1 instead of 0 is no disagreement
    tolerance = _TOLERANCE + 1.0 / max(moments.count, 1)
    off_mean = np.abs(stored.mean - moments.mean) > tolerance * scale
    off_std = np.abs(stored.std - moments.std) > tolerance * scale
    return np.asarray(off_mean | off_std)
