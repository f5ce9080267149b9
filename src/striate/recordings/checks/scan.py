"""One pass over all trials: what the rules need to know of each, without keeping the arrays."""

import hashlib
import threading
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from striate._internal.progress_bars import Advance
from striate.errors import listed
from striate.recordings import layout
from striate.recordings.check_findings import Finding
from striate.recordings.check_rules import make_finding
from striate.recordings.trial_reader import TrialReader

Array = NDArray[Any]


@dataclass
class Moments:
    """Sums over training trials, from which mean and standard deviation follow."""

    shape: tuple[int, ...]
    count: int = 0
    total: Array = field(init=False)
    squares: Array = field(init=False)

    def __post_init__(self) -> None:
        self.total = np.zeros(self.shape)
        self.squares = np.zeros(self.shape)

    def add(self, values: Array) -> None:
        """Count one trial; images are summed over their pixels."""
        wide = values.astype(np.float64)
        if self.shape == ():
            self.total += wide.mean()
            self.squares += (wide**2).mean()
        else:
            self.total += wide
            self.squares += wide**2
        self.count += 1

    @property
    def mean(self) -> Array:
        """Mean over the counted trials."""
        return np.asarray(self.total / max(self.count, 1))

    @property
    def std(self) -> Array:
        """Population standard deviation over the counted trials."""
        variance = self.squares / max(self.count, 1) - self.mean**2
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


@dataclass
class TrialScan:
    """What was seen of each trial.

    Attributes
    ----------
    readable : dict of (T,) bool
        By variable: whether the trial could be read.
    zero : dict of (T,) bool
        By variable: whether all its values are zero.
    image_hash : (T,) of bytes
        Hash of each image's pixels; empty where it could not be read.
    moments, all_moments
        By variable: over training trials, and over all trials whose responses are not all zero.
    active : (N,) bool
        Neurons that responded in some training trial.
    findings
        Trials that could not be read, or whose values are not allowed.
    """

    readable: dict[str, NDArray[np.bool_]]
    zero: dict[str, NDArray[np.bool_]]
    image_hash: NDArray[np.object_]
    moments: dict[str, Moments]
    all_moments: dict[str, Moments]
    active: NDArray[np.bool_]
    findings: list[Finding] = field(default_factory=list)


def scan_trials(data: TrialReader, trials: pd.DataFrame, advance: Advance) -> TrialScan:
    """Read every trial once."""
    count = data.trials
    shapes: dict[str, tuple[int, ...]] = {
        name: data.shape(name) if name != "images" else () for name in layout.VARIABLES
    }
    scan = TrialScan(
        readable={name: np.zeros(count, bool) for name in layout.VARIABLES},
        zero={name: np.zeros(count, bool) for name in layout.VARIABLES},
        image_hash=np.full(count, b"", dtype=object),
        moments={name: Moments(shape) for name, shape in shapes.items()},
        all_moments={name: Moments(shape) for name, shape in shapes.items()},
        active=np.zeros(data.neurons, bool),
    )
    train = (trials["tier"] == "train").to_numpy()
    for name in ("responses", "images", "behavior", "pupil_center"):
        _scan_variable(scan, data, name, train, advance)
    return scan


def _scan_variable(scan: TrialScan, data: TrialReader, name: str, train: NDArray[np.bool_], advance: Advance) -> None:
    problems: dict[str, list[int]] = {"non-finite": [], "negative-responses": [], "image-range": []}
    lock = threading.Lock()
    withheld = scan.zero["responses"]

    def look(trial: int, values: Array) -> None:
        scan.readable[name][trial] = True
        scan.zero[name][trial] = not values.any()
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            problems["non-finite"].append(trial)
            return
        if name == "images":
            canonical = values.astype(np.float64) if values.dtype.kind == "f" else values.astype(np.int64)
            scan.image_hash[trial] = hashlib.blake2b((canonical + 0.0).tobytes(), digest_size=16).digest()
            if canonical.min() < 0 or canonical.max() > 255:
                problems["image-range"].append(trial)
        elif name == "responses" and (values < 0).any():
            problems["negative-responses"].append(trial)
        with lock:
            if train[trial]:
                scan.moments[name].add(values)
            if not withheld[trial]:
                scan.all_moments[name].add(values)
            if name == "responses" and train[trial]:
                scan.active[:] |= values > 0

    scan.findings += _grouped(data.for_each(name, look, advance))
    said = {
        "non-finite": ("values that are not finite (NaN or infinity)", "Replace them, or take the trials out."),
        "negative-responses": ("negative responses", "Deconvolved responses are ≥ 0: clip them, or check the units."),
        "image-range": ("grey values outside 0–255", "Rescale the images to 0–255."),
    }
    for rule, where in problems.items():
        if where:
            what, fix = said[rule]
            where.sort()
            trials = "1 trial has" if len(where) == 1 else f"{len(where)} trials have"
            message = f"{trials} {what}: {listed(where)}."
            scan.findings.append(make_finding(rule, layout.data_member(name, where[0]), message, fix))


def _grouped(findings: list[Finding]) -> list[Finding]:
    """Say the same thing of many files once, but for missing files, which the structure names already."""
    by_rule: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.rule != "missing-trial":
            by_rule.setdefault(finding.rule, []).append(finding)
    grouped = []
    for rule, same in by_rule.items():
        first = same[0]
        more = f" So are {len(same) - 1} more files: {listed(f.file for f in same[1:])}." if len(same) > 1 else ""
        grouped.append(make_finding(rule, first.file, first.message + more, first.fix))
    return grouped
