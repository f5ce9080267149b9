"""Statistics of the variables of a recording, as stored in ``meta/statistics``."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate._internal import notebook_html
from striate.benchmarks import BenchmarkSpec, load_benchmark
from striate.recordings.layout import STATISTICS, VARIABLES

_BLOCK_SIZE = 32 * 2**20  # bytes of float64 per block


@dataclass(frozen=True)
class VariableStatistics:
    """Mean, standard deviation (ddof 0), median, minimum and maximum of one variable.

    Statistics of images are scalars of shape (), or of each channel, shape (C,). Statistics of other variables have one value per element, shape (N,), (3,)
    or (2,).

    Examples
    --------
    >>> import striate
    >>> simulation = striate.simulate(
    ...     neurons=5, train=20, validation=5, test_images=4, repeats=1, image_shape=(18, 32), seed=1
    ... )
    >>> simulation.recording.statistics["responses"].std.shape
    (5,)
    """

    mean: NDArray[np.floating]
    std: NDArray[np.floating]
    median: NDArray[np.floating]
    min: NDArray[np.floating]
    max: NDArray[np.floating]

    def __repr__(self) -> str:
        summary = ", ".join(f"{name} {notebook_html.summarise_values(getattr(self, name))}" for name in STATISTICS)
        return f"<VariableStatistics of shape {np.shape(self.mean)}: {summary}>"


class RecordingStatistics(dict[str, VariableStatistics]):
    """Dictionary of the statistics of a recording by variable name, which notebooks show as a table."""

    def __repr__(self) -> str:
        return "\n".join(
            ["<RecordingStatistics", *(f"  {name}: {statistics!r}" for name, statistics in self.items()), ">"]
        )

    def _repr_html_(self) -> str:
        rows = [
            (
                name,
                np.shape(statistics.mean) or "scalar",
                *(notebook_html.summarise_values(getattr(statistics, field)) for field in STATISTICS),
            )
            for name, statistics in self.items()
        ]
        return notebook_html.section(
            "Statistics",
            notebook_html.table(("variable", "shape", *STATISTICS), rows, text_columns=2),
            notebook_html.small_text("more than three values: minimum and maximum"),
        )


def compute_statistics(
    name: str,
    values: NDArray[np.generic],
    rows: Sequence[int] | NDArray[np.integer],
    benchmark: BenchmarkSpec | None = None,
) -> VariableStatistics:
    """Compute the statistics of one variable over some trials.

    Parameters
    ----------
    name
        ``images``, ``responses``, ``behavior`` or ``pupil_center``.
    values : (T, ...)
        Values of the variable. A memory-mapped array is read in blocks.
    rows
        Row numbers of the trials to use, by convention the training trials.
    benchmark
        Benchmark, which determines whether images have one value or one for each channel (default: SENSORIUM 2022).

    Returns
    -------
    VariableStatistics
        Statistics in float64; all zero if there are no rows.

    Examples
    --------
    >>> compute_statistics("responses", np.array([[1.0], [3.0], [100.0]]), rows=[0, 1]).mean
    array([2.])
    """
    index = np.sort(np.asarray(rows, dtype=np.int64))
    shape = statistics_shape(name, values.shape, benchmark or load_benchmark())
    if index.size == 0:
        zero = np.zeros(shape)
        return VariableStatistics(zero, zero, zero, zero, zero)
    if VARIABLES[name].per_element:
        return _statistics_per_element(values, index)
    if shape == ():
        return _scalar_statistics(values, index)
    channels = [_scalar_statistics(values[:, channel], index) for channel in range(values.shape[1])]
    return VariableStatistics(*(np.stack([getattr(one, field) for one in channels]) for field in STATISTICS))


def statistics_shape(name: str, shape: tuple[int, ...], benchmark: BenchmarkSpec) -> tuple[int, ...]:
    """Return the shape of each statistic of a variable, from the shape of its array (trials first).

    Examples
    --------
    >>> statistics_shape("responses", (100, 5), load_benchmark())
    (5,)
    """
    if VARIABLES[name].per_element:
        return shape[1:]
    return shape[1:2] if benchmark.standardisation.image_statistics == "per_channel" else ()


def _statistics_per_element(values: NDArray[np.generic], index: NDArray[np.int64]) -> VariableStatistics:
    columns = values.shape[1]
    width = max(1, _BLOCK_SIZE // (8 * index.size))
    parts = []
    for start in range(0, columns, width):
        block = values[:, start : start + width][index].astype(np.float64)
        parts.append((block.mean(0), block.std(0), np.median(block, axis=0), block.min(0), block.max(0)))
    if not parts:
        empty = np.zeros(0)
        return VariableStatistics(empty, empty, empty, empty, empty)
    return VariableStatistics(*(np.concatenate(p) for p in zip(*parts, strict=True)))


def _scalar_statistics(values: NDArray[np.generic], index: NDArray[np.int64]) -> VariableStatistics:
    """Compute scalar statistics in two passes over blocks, or from a histogram for uint8."""
    per_row = int(np.prod(values.shape[1:]))
    step = max(1, _BLOCK_SIZE // (8 * max(per_row, 1)))
    blocks = [index[i : i + step] for i in range(0, index.size, step)]
    if values.dtype == np.uint8:
        counts = np.zeros(256, dtype=np.int64)
        for rows in blocks:
            counts += np.bincount(values[rows].ravel(), minlength=256)
        return _statistics_from_counts(counts)
    total = index.size * per_row
    mean = sum(float(values[rows].sum(dtype=np.float64)) for rows in blocks) / total
    variance = sum(float(((values[rows].astype(np.float64) - mean) ** 2).sum()) for rows in blocks) / total
    median = np.median(np.concatenate([values[rows].ravel() for rows in blocks]))
    low = min(float(values[rows].min()) for rows in blocks)
    high = max(float(values[rows].max()) for rows in blocks)
    return VariableStatistics(*(np.asarray(v, dtype=np.float64) for v in (mean, np.sqrt(variance), median, low, high)))


def _statistics_from_counts(counts: NDArray[np.int64]) -> VariableStatistics:
    levels = np.arange(counts.size, dtype=np.float64)
    total = int(counts.sum())
    mean = float(counts @ levels) / total
    variance = float(counts @ (levels - mean) ** 2) / total
    cumulative = np.cumsum(counts)
    lower = int(np.searchsorted(cumulative, (total - 1) // 2 + 1))
    upper = int(np.searchsorted(cumulative, total // 2 + 1))
    present = np.flatnonzero(counts)
    values = (mean, np.sqrt(variance), (lower + upper) / 2, present[0], present[-1])
    return VariableStatistics(*(np.asarray(v, dtype=np.float64) for v in values))
