"""Reader of the arrays of single trials in an archive."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from os import cpu_count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.benchmarks import BenchmarkSpec
from striate.errors import listed
from striate.recordings import layout, npy_format
from striate.recordings.archive import Archive
from striate.recordings.checks.report import Finding, UnreadableError
from striate.recordings.checks.rules import make_finding

Array = NDArray[Any]

THREADS = min(8, cpu_count() or 1)
_CHUNK_SIZE = 64  # number of trials that a thread reads at a time


@dataclass
class TrialReader:
    """Reads each variable of each trial, and validates its shape.

    Attributes
    ----------
    archive
        Archive with the files.
    trials, neurons
        Numbers of trials and neurons, from the tables.
    benchmark
        Benchmark of the recording.
    image_shape
        Shape (channels, height, width) of the first image, which all images must have. None if no image can be read.
    """

    archive: Archive
    trials: int
    neurons: int
    benchmark: BenchmarkSpec
    image_shape: tuple[int, int, int] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        stimulus, channels = self.benchmark.stimulus, self.benchmark.image_channels
        if stimulus.height is not None and stimulus.width is not None:
            # only if files are large enough for such images: packing reserves room for all trials before it reads them
            sizes = (member.size for name, member in self.archive.members.items() if name.startswith("data/images/"))
            if channels * stimulus.height * stimulus.width <= max(sizes, default=0):
                self.image_shape = (channels, stimulus.height, stimulus.width)
            return
        for trial in range(self.trials):
            member = layout.data_member("images", trial)
            if member in self.archive.members:
                try:
                    shape = npy_format.parse(self.archive.read(member), member).shape
                except UnreadableError:
                    continue
                if len(shape) == 2 and channels == 1:
                    shape = (1, *shape)
                elif len(shape) == 3 and channels == 1 and shape[0] != 1 and shape[2] == 1:  # channels last
                    shape = (1, shape[0], shape[1])
                if len(shape) == 3 and shape[0] == channels and min(shape) > 0:
                    self.image_shape = (channels, shape[1], shape[2])
                    return

    def shape(self, variable: str) -> tuple[int, ...]:
        """Return the shape of one trial of a variable."""
        if variable == "images":
            return self.image_shape or (self.benchmark.image_channels, 0, 0)
        return (self.neurons,) if variable == "responses" else (len(self.benchmark.components[variable]),)

    def find_file_problems(self) -> Iterator[Finding]:
        """Report missing, extra and unknown files of trials."""
        present: dict[str, set[int]] = {name: set() for name in self.benchmark.variables}
        unknown: dict[str, int] = {}
        for member in self.archive.members:
            parsed = layout.parse_data_member(member)
            if parsed is None:
                if member.startswith("data/"):
                    yield make_finding(
                        "unrelated-file", member, "the name is not `data/<variable>/<trial>.npy`; it is ignored."
                    )
                continue
            variable, trial = parsed
            if variable in present:
                present[variable].add(trial)
            else:
                unknown[variable] = unknown.get(variable, 0) + 1
        for variable, files in unknown.items():
            yield make_finding(
                "unknown-variable", f"data/{variable}", f"{files} files of a variable that the layout does not name."
            )
        expected = set(range(self.trials))
        for variable, trials in present.items():
            if missing := sorted(expected - trials):
                message = f"{len(missing)} of {self.trials} trials have no file: {listed(missing)}."
                fix = "Add the files, or remove the trials from `meta/trials`."
                yield make_finding("missing-trial", layout.data_member(variable, missing[0]), message, fix)
            if extra := sorted(trials - expected):
                message = f"{len(extra)} files of trials that `meta/trials` does not have ({self.trials} there): {listed(extra)}."
                yield make_finding("extra-trial", layout.data_member(variable, extra[0]), message, "Remove them.")

    def read(self, variable: str, trial: int) -> Array:
        """Return one variable of one trial, with the shape of `shape`.

        Raises
        ------
        UnreadableError
            If the file is missing, damaged, or has another shape or type.
        """
        member = layout.data_member(variable, trial)
        if member not in self.archive.members:
            raise UnreadableError(make_finding("missing-trial", member, f"trial {trial} has no such file.", "Add it."))
        array = npy_format.parse(self.archive.read(member), member)
        shape = self.shape(variable)
        if array.dtype.kind not in "biuf":
            message = f"values are of type {array.dtype}; numbers are expected."
            raise UnreadableError(make_finding("dtype", member, message, "Save them as integers or floats."))
        # some recordings have (H, W) or (H, W, 1) for (1, H, W), and (1, n) or (n, 1) for (n,)
        others: tuple[tuple[int, ...], ...] = ((*shape, 1),)
        if variable == "images":
            others = (shape[1:], (*shape[1:], 1)) if shape[0] == 1 else ()
        if array.shape in (shape, (1, *shape), *others):
            return array.reshape(shape)
        message = f"shape {array.shape}; {shape} is expected."
        raise UnreadableError(make_finding("shape", member, message, "Save all trials in one shape."))

    def for_each(
        self, variable: str, function: Callable[[int, Array], None], advance: Callable[[int], None]
    ) -> list[Finding]:
        """Read one variable of all trials with several threads, and call a function for each trial.

        Parameters
        ----------
        variable
            Name of the variable.
        function
            Called as ``function(trial, values)``, from several threads and in any order.
        advance
            Called with the number of finished trials after each chunk of trials.

        Returns
        -------
        list of Finding
            Findings of the trials that cannot be read, in the order of the trials.
        """
        problems: dict[int, Finding] = {}

        def read_chunk(start: int) -> None:
            stop = min(start + _CHUNK_SIZE, self.trials)
            for trial in range(start, stop):
                try:
                    values = self.read(variable, trial)
                except UnreadableError as error:
                    problems[trial] = error.finding
                else:
                    function(trial, values)
            advance(stop - start)

        with ThreadPoolExecutor(THREADS) as pool:
            for _ in pool.map(read_chunk, range(0, self.trials, _CHUNK_SIZE)):
                pass
        return [problems[trial] for trial in sorted(problems)]


def narrowest_dtype(values: Array, dtypes: tuple[type[np.generic], ...]) -> int:
    """Return the index of the first data type that stores all values without loss, or of the last data type.

    Examples
    --------
    >>> narrowest_dtype(np.array([0.0, 255.0]), (np.uint8, np.float32))
    0
    >>> narrowest_dtype(np.array([0.5]), (np.uint8, np.float32))
    1
    """
    for index, dtype in enumerate(dtypes[:-1]):
        if values.dtype == dtype:
            return index
        with np.errstate(invalid="ignore", over="ignore"):
            if np.array_equal(values.astype(dtype), values, equal_nan=values.dtype.kind == "f"):
                return index
    return len(dtypes) - 1
