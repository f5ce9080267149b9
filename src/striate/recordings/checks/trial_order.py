"""Rules about fields that reveal the order of the trials of a competition recording."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from striate.benchmarks import BenchmarkSpec
from striate.recordings.checks.report import Finding
from striate.recordings.checks.rules import make_finding
from striate.recordings.checks.scan import TrialScan


def check(scan: TrialScan, trials: pd.DataFrame, benchmark: BenchmarkSpec) -> Iterator[Finding]:
    """Check whether a recording that withholds responses reveals the order of its trials."""
    tiers = trials["tier"].to_numpy()
    withheld = any(
        (rows := tiers == tier).any() and scan.zero["responses"][rows].all() for tier in benchmark.test_tiers
    )
    if not withheld:
        return
    if trials["trial_idx"].dtype.kind in "iu":
        message = "responses are withheld, but the trial indices are integers, which reveal the order of the trials."
        yield make_finding("trial-order", "meta/trials/trial_idx.npy", message, "Replace them with keyed hashes.")
    for name in trials.columns.drop(["tier", "image_id", "trial_idx"]):
        if _reveals_time(str(name), trials[name]):
            message = "responses are withheld, but this field reveals when each trial was shown."
            yield make_finding(
                "trial-order", f"meta/trials/{name}.npy", message, "Leave the field out of the public archive."
            )


def _reveals_time(name: str, values: pd.Series) -> bool:
    """Whether a field is a time or a counter: sortable values that differ between nearly all trials."""
    if any(word in name.lower() for word in ("_ts", "time", "stamp", "date")):
        return True
    return values.dtype.kind in "iuf" and values.nunique() > 0.9 * len(values) and len(np.unique(values)) > 10
