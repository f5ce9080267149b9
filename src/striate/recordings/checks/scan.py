"""One pass over all trials, which collects the values that the rules need without keeping the arrays."""

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
from striate.recordings.checks.report import Finding
from striate.recordings.checks.rules import make_finding
from striate.recordings.statistics import statistics_shape
from striate.recordings.trial_reader import TrialReader

Array = NDArray[Any]


@dataclass
class Moments:
    """Sums over trials for the mean and the standard deviation."""

    shape: tuple[int, ...]
    count: int = 0
    total: Array = field(init=False)
    squares: Array = field(init=False)

    def __post_init__(self) -> None:
        self.total = np.zeros(self.shape)
        self.squares = np.zeros(self.shape)

    def add(self, values: Array) -> None:
        """Add one trial; the values of images are averaged over pixels, of all channels together or of each channel."""
        values64 = values.astype(np.float64)
        if self.shape == ():
            self.total += values64.mean()
            self.squares += (values64**2).mean()
        elif values64.ndim > len(self.shape):
            self.total += values64.mean((-2, -1))
            self.squares += (values64**2).mean((-2, -1))
        else:
            self.total += values64
            self.squares += values64**2
        self.count += 1

    @property
    def mean(self) -> Array:
        """Mean over the trials."""
        return np.asarray(self.total / max(self.count, 1))

    @property
    def std(self) -> Array:
        """Population standard deviation over the trials."""
        variance = self.squares / max(self.count, 1) - self.mean**2
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


@dataclass
class TrialScan:
    """Properties of all trials of a recording.

    Attributes
    ----------
    readable : dict of (T,) bool
        Whether each trial can be read, by variable.
    zero : dict of (T,) bool
        Whether all values of each trial are zero, by variable.
    image_hash : (T,) of bytes
        Hash of the pixels of each image; empty if the image cannot be read.
    moments
        Moments over training trials, by variable.
    all_moments
        Moments over all trials whose responses are not all zero, by variable.
    active : (N,) bool
        Neurons with a response in at least one training trial.
    findings
        Findings about trials that cannot be read or have invalid values.
    """

    readable: dict[str, NDArray[np.bool_]]
    zero: dict[str, NDArray[np.bool_]]
    image_hash: NDArray[np.object_]
    moments: dict[str, Moments]
    all_moments: dict[str, Moments]
    active: NDArray[np.bool_]
    findings: list[Finding] = field(default_factory=list)


def scan_trials(reader: TrialReader, trials: pd.DataFrame, advance: Advance) -> TrialScan:
    """Read every trial once, and return its properties."""
    count = reader.trials
    benchmark = reader.benchmark
    variables = benchmark.variables
    shapes = {name: statistics_shape(name, (count, *reader.shape(name)), benchmark) for name in variables}
    scan = TrialScan(
        readable={name: np.zeros(count, bool) for name in variables},
        zero={name: np.zeros(count, bool) for name in variables},
        image_hash=np.full(count, b"", dtype=object),
        moments={name: Moments(shape) for name, shape in shapes.items()},
        all_moments={name: Moments(shape) for name, shape in shapes.items()},
        active=np.zeros(reader.neurons, bool),
    )
    train = (trials["tier"] == benchmark.training_tier).to_numpy()
    for name in sorted(variables, key=lambda name: name != "responses"):  # the others ask which responses are withheld
        _scan_variable(scan, reader, name, train, advance)
    return scan


def _scan_variable(scan: TrialScan, reader: TrialReader, name: str, train: NDArray[np.bool_], advance: Advance) -> None:
    stimulus, minimum = reader.benchmark.stimulus, reader.benchmark.responses.minimum
    problems: dict[str, list[int]] = {"non-finite": [], "negative-responses": [], "image-range": []}
    lock = threading.Lock()
    withheld = scan.zero["responses"]

    def inspect(trial: int, values: Array) -> None:
        scan.readable[name][trial] = True
        scan.zero[name][trial] = not values.any()
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            problems["non-finite"].append(trial)
            return
        if name == "images":
            canonical = values.astype(np.float64) if values.dtype.kind == "f" else values.astype(np.int64)
            scan.image_hash[trial] = hashlib.blake2b((canonical + 0.0).tobytes(), digest_size=16).digest()
            if canonical.min() < stimulus.range[0] or canonical.max() > stimulus.range[1]:
                problems["image-range"].append(trial)
        elif name == "responses" and minimum is not None and (values < minimum).any():
            problems["negative-responses"].append(trial)
        with lock:
            if train[trial]:
                scan.moments[name].add(values)
            if not withheld[trial]:
                scan.all_moments[name].add(values)
            if name == "responses" and train[trial]:
                scan.active[:] |= values != 0

    scan.findings += _merge_findings(reader.for_each(name, inspect, advance))
    descriptions = {
        "non-finite": ("values that are not finite (NaN or infinity)", "Replace them, or remove the trials."),
        "negative-responses": (
            f"responses below {minimum:g}" if minimum else "negative responses",
            f"{reader.benchmark.responses.title.capitalize()} are ≥ {minimum or 0:g}: clip them, or check the units.",
        ),
        "image-range": (
            f"{stimulus.value_name} outside {stimulus.range[0]:g}–{stimulus.range[1]:g}",
            f"Rescale the images to {stimulus.range[0]:g}–{stimulus.range[1]:g}.",
        ),
    }
    for rule, rows in problems.items():
        if rows:
            description, fix = descriptions[rule]
            rows.sort()
            trials = "1 trial has" if len(rows) == 1 else f"{len(rows)} trials have"
            message = f"{trials} {description}: {listed(rows)}."
            scan.findings.append(make_finding(rule, layout.data_member(name, rows[0]), message, fix))


def _merge_findings(findings: list[Finding]) -> list[Finding]:
    """Merge findings of the same rule into one. Missing files are left out: `find_file_problems` reports them."""
    by_rule: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.rule != "missing-trial":
            by_rule.setdefault(finding.rule, []).append(finding)
    merged = []
    for rule, same in by_rule.items():
        first = same[0]
        more = (
            f" The same is true for {len(same) - 1} more files: {listed(f.file for f in same[1:])}."
            if len(same) > 1
            else ""
        )
        merged.append(make_finding(rule, first.file, first.message + more, first.fix))
    return merged
