"""Rules about responses and behaviour: withheld data are all zero, other data are not."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from striate.benchmarks import BenchmarkSpec
from striate.errors import listed
from striate.recordings import layout
from striate.recordings.checks.report import Finding, Severity
from striate.recordings.checks.rules import make_finding
from striate.recordings.checks.scan import TrialScan

# With at least this many neurons, a trial without any response is a trial that was set to zero.
_MIN_NEURONS = 50


def check(scan: TrialScan, trials: pd.DataFrame, neurons: pd.DataFrame, benchmark: BenchmarkSpec) -> Iterator[Finding]:
    """Check withheld tiers, training responses and behaviour."""
    tiers = trials["tier"].to_numpy()
    readable = scan.readable["responses"]
    silent = scan.zero["responses"]
    order_hidden = trials["trial_idx"].dtype.kind not in "iu"
    for tier in benchmark.tier_order:
        rows = np.flatnonzero((tiers == tier) & readable)
        if rows.size == 0:
            continue
        zero = rows[silent[rows]]
        if tier in benchmark.test_tiers:
            yield from _check_test_tier(tier, rows, zero, order_hidden, len(neurons))
        elif zero.size == rows.size or (zero.size and len(neurons) >= _MIN_NEURONS):
            message = (
                f"{zero.size} of {rows.size} trials of tier {tier} have no response of any neuron: {listed(zero)}."
            )
            fix = "Training and validation responses are never withheld: restore them, or remove the trials."
            severity = Severity.ERROR if zero.size == rows.size else Severity.WARNING
            yield make_finding(
                "withheld-training", layout.data_member("responses", int(zero[0])), message, fix, severity
            )
    if (train := (tiers == benchmark.training_tier) & readable).any() and not silent[train].all():
        silent_neurons = np.flatnonzero(~scan.active)
        if silent_neurons.size:
            units = neurons["unit_id"].to_numpy()[silent_neurons]
            subject = "1 neuron responds" if silent_neurons.size == 1 else f"{silent_neurons.size} neurons respond"
            message = f"{subject} in no training trial: unit ids {listed(units)}."
            yield make_finding(
                "silent-neurons", "data/responses", message, "They cannot be predicted; consider leaving them out."
            )
    for variable, rule, name in (
        ("behavior", "zeroed-behavior", "behaviour"),
        ("pupil_center", "zeroed-pupil-center", "eye position"),
    ):
        if variable in benchmark.variables:
            yield from _check_zero_trials(scan, variable, rule, name)


def _check_test_tier(
    tier: str, rows: np.ndarray, zero: np.ndarray, order_hidden: bool, neurons: int
) -> Iterator[Finding]:
    if zero.size == rows.size:
        message = f"the responses of all {rows.size} trials of tier {tier} are withheld (all zero)."
        yield make_finding("withheld-tier", "data/responses", message)
        return
    public = np.setdiff1d(rows, zero)
    partly = zero.size > 0 and (neurons >= _MIN_NEURONS or zero.size > rows.size // 2)
    if partly:
        message = f"{zero.size} of {rows.size} trials of tier {tier} are all zero, but {public.size} are not: {listed(public)}."
        fix = "Withhold all responses of the tier (all zero), or none."
        yield make_finding("withheld-not-zero", layout.data_member("responses", int(public[0])), message, fix)
    elif order_hidden:
        message = f"the order of the trials is hidden as in a competition, but the {rows.size} trials of tier {tier} have responses."
        fix = "In a competition's public archive, set them to zero; in the truth, nothing needs to be done."
        yield make_finding(
            "withheld-not-zero", layout.data_member("responses", int(rows[0])), message, fix, Severity.WARNING
        )


def _check_zero_trials(scan: TrialScan, variable: str, rule: str, name: str) -> Iterator[Finding]:
    readable = scan.readable[variable]
    zero = scan.zero[variable] & readable
    if not readable.any() or not zero.any():
        return
    if zero.sum() == readable.sum():
        yield make_finding(rule, f"data/{variable}", f"{name} is withheld (all zero in all {zero.sum()} trials).")
    elif zero.sum() > readable.sum() // 100:
        rows = np.flatnonzero(zero)
        message = f"{name} is all zero in {rows.size} of {readable.sum()} trials: {listed(rows)}."
        fix = "Withhold it in all trials, or in none."
        yield make_finding(rule, layout.data_member(variable, int(rows[0])), message, fix, Severity.WARNING)
