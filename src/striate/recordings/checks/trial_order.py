"""Rules about what tells the order of the trials where it is meant to be hidden."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from striate.recordings.check_findings import Finding
from striate.recordings.check_rules import make_finding
from striate.recordings.checks.scan import TrialScan


def check(scan: TrialScan, trials: pd.DataFrame) -> Iterator[Finding]:
    """Look for trial order in a recording that withholds responses."""
    tiers = trials["tier"].to_numpy()
    withheld = any(
        (rows := tiers == tier).any() and scan.zero["responses"][rows].all() for tier in ("test", "final_test")
    )
    if not withheld:
        return
    if trials["trial_idx"].dtype.kind in "iu":
        message = "responses are withheld, but the trial indices are integers, which tell the order of the trials."
        yield make_finding("trial-order", "meta/trials/trial_idx.npy", message, "Replace them by keyed hashes.")
    for name in trials.columns.drop(["tier", "image_id", "trial_idx"]):
        if _tells_time(str(name), trials[name]):
            message = "responses are withheld, but this field tells when each trial was shown."
            yield make_finding(
                "trial-order", f"meta/trials/{name}.npy", message, "Leave the field out of the public archive."
            )


def _tells_time(name: str, values: pd.Series) -> bool:
    """Whether a field is a clock or a counter: distinct values in (nearly) every trial that can be sorted."""
    if any(word in name.lower() for word in ("_ts", "time", "stamp", "date")):
        return True
    return values.dtype.kind in "iuf" and values.nunique() > 0.9 * len(values) and len(np.unique(values)) > 10
