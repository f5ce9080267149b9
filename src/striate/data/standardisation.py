"""Standardisation of raw values, as the benchmark of a recording requires it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from striate.catalog import as_recording
from striate.errors import InputError

if TYPE_CHECKING:
    from striate.benchmarks import BenchmarkSpec
    from striate.recordings import Recording

Array = NDArray[Any]
Floats = NDArray[np.float64]


class HasMeanAndStd(Protocol):
    """Statistics of one variable, in raw units."""

    @property
    def mean(self) -> Any:
        """Mean of each component."""

    @property
    def std(self) -> Any:
        """Standard deviation of each component."""


@dataclass(frozen=True, eq=False)
class Standardisation:
    """Converts raw values of one recording to the standardised values that models and metrics use.

    The benchmark chooses the method for each variable (see `striate.benchmarks.spec_tables.Standardisation`). The statistics are
    those that the recording stores (set ``all``), or those of its training trials if it stores none. Each method takes raw
    values of any shape that broadcasts, computes in float64 and returns an array of type `dtype`.

    Attributes
    ----------
    session
        Session of the recording.
    response_scale : (N,)
        Divisor of each neuron's responses, in raw units; never zero.
    image_mean, image_std : () or (C,)
        Mean that is subtracted from pixel values, and standard deviation that divides them; of all channels, or of each.
    behavior_std : (K,)
        Divisor of each behaviour variable.
    pupil_center_mean, pupil_center_std : (2,)
        Mean and divisor of the horizontal and vertical eye position.
    behavior_mean : (K,), or None
        Mean that is subtracted from behaviour; None if behaviour is not centred.
    value_range
        Smallest and largest raw pixel value.

    References
    ----------
    Willeke et al. (2022), The Sensorium competition on predicting large-scale mouse primary visual cortex
    activity, arXiv:2206.08666, and the data loaders published with it.

    Examples
    --------
    >>> one, two = np.ones(1), np.ones(2)
    >>> standardisation = Standardisation("mouse", 2 * one, 100.0, 50.0, np.ones(3), 0 * two, two)
    >>> standardisation.images(np.array([100.0, 200.0])).tolist()
    [0.0, 2.0]
    >>> standardisation.responses(np.array([[3.0]])).tolist()
    [[1.5]]
    """

    session: str
    response_scale: Floats
    image_mean: Floats | float
    image_std: Floats | float
    behavior_std: Floats
    pupil_center_mean: Floats
    pupil_center_std: Floats
    behavior_mean: Floats | None = None
    value_range: tuple[float, float] = (0.0, 255.0)

    @classmethod
    def from_recording(cls, recording: Recording | str | os.PathLike[str]) -> Standardisation:
        """Make the standardisation of a recording from its statistics.

        Parameters
        ----------
        recording
            An open recording, its path, or its name.

        Raises
        ------
        InputError
            If the statistics of responses or images are not finite, or every neuron's standard deviation is
            zero (a recording without training trials that stores no statistics, for example).
        """
        recording = as_recording(recording)
        session, statistics = recording.session, recording.statistics
        for name in ("mean", "std"):
            finite_statistics(f"{session}: images", getattr(statistics["images"], name))
        scale = _response_scale(session, statistics["responses"].std, recording.benchmark)
        return cls.from_statistics(session, recording.benchmark, statistics, scale)

    @classmethod
    def from_statistics(
        cls,
        session: str,
        benchmark: BenchmarkSpec,
        statistics: Mapping[str, HasMeanAndStd],
        response_scale: Floats,
    ) -> Standardisation:
        """Make a standardisation from statistics of the inputs.

        Parameters
        ----------
        session
            Session of the recording.
        benchmark
            Benchmark, which chooses the method for each variable.
        statistics
            Objects with ``mean`` and ``std``, by variable. Variables that are left out are not used.
        response_scale : (N,)
            Divisor of each neuron's responses.
        """
        methods, components = benchmark.standardisation, benchmark.components
        image_mean, image_std = _centre_and_scale(statistics["images"], methods.images)
        one = image_mean.size == 1  # for all channels
        centres, scales = {}, {}
        for name, method in (("behavior", methods.behavior), ("pupil_center", methods.pupil_center)):
            unused = np.zeros(len(components[name]))
            centres[name], scales[name] = (
                _centre_and_scale(statistics[name], method) if name in statistics else (unused, unused)
            )
        return cls(
            session=session,
            response_scale=response_scale,
            image_mean=image_mean.item() if one else image_mean,
            image_std=image_std.item() if one else image_std,
            behavior_std=scales["behavior"],
            pupil_center_mean=centres["pupil_center"],
            pupil_center_std=scales["pupil_center"],
            behavior_mean=centres["behavior"] if methods.behavior == "zscore" else None,
            value_range=benchmark.stimulus.range,
        )

    @property
    def image_range(self) -> tuple[float, float]:
        """Smallest and largest standardised pixel value: that of black and that of white."""
        shape = (1, *np.shape(self.image_mean), 1, 1) if np.ndim(self.image_mean) else ()
        low, high = (self.images(np.full(shape, value), np.float64) for value in self.value_range)
        return float(low.min()), float(high.max())

    def for_neurons(self, columns: NDArray[np.integer]) -> Standardisation:
        """Return the standardisation of the neurons in the given columns.

        The lower bound of the standard deviations is that of the whole recording, as in the official loaders.
        """
        return replace(self, response_scale=self.response_scale[columns])

    def responses(self, raw: Array, dtype: DTypeLike = np.float32) -> Array:
        """Standardise responses: ``r / s``, not centred; shape (..., N)."""
        return _scaled(raw, None, self.response_scale, dtype)

    def images(self, raw: Array, dtype: DTypeLike = np.float32) -> Array:
        """Standardise pixel values: ``(x − mean) / std``.

        Any shape is allowed if mean and standard deviation are scalars, and (..., C, height, width) if there is one for each
        channel.
        """
        mean, std = (np.asarray(value) for value in (self.image_mean, self.image_std))
        if mean.ndim:
            mean, std = mean[:, None, None], std[:, None, None]
        return _scaled(raw, mean, std, dtype)

    def behavior(self, raw: Array, dtype: DTypeLike = np.float32) -> Array:
        """Standardise behaviour: ``b / std``, centred only if the benchmark says so; 0 where std is 0; shape (..., K).

        Raises
        ------
        InputError
            If the stored statistics of behaviour are not finite.
        """
        name = f"{self.session}: behavior"
        mean = None if self.behavior_mean is None else finite_statistics(name, self.behavior_mean)
        return _scaled(raw, mean, finite_statistics(name, self.behavior_std), dtype)

    def pupil_center(self, raw: Array, dtype: DTypeLike = np.float32) -> Array:
        """Standardise eye position: ``(p − mean) / std``; 0 where std is 0; shape (..., 2).

        Raises
        ------
        InputError
            If the stored statistics of the eye position are not finite.
        """
        name = f"{self.session}: pupil_center"
        return _scaled(
            raw, finite_statistics(name, self.pupil_center_mean), finite_statistics(name, self.pupil_center_std), dtype
        )


def _centre_and_scale(statistics: HasMeanAndStd, method: str) -> tuple[Floats, Floats]:
    """Return what is subtracted from a variable, and what divides it."""
    mean, std = (np.asarray(value, dtype=np.float64).reshape(-1) for value in (statistics.mean, statistics.std))
    if method == "none":
        return np.zeros_like(mean), np.ones_like(std)
    return (mean if method == "zscore" else np.zeros_like(mean)), std


def _response_scale(session: str, stored: Array, benchmark: BenchmarkSpec) -> Floats:
    """Return the standard deviations, with a fraction of their mean as the lower bound."""
    std = finite_statistics(f"{session}: responses", stored).reshape(-1)
    if benchmark.standardisation.responses == "none":
        return np.ones_like(std)
    smallest = benchmark.standardisation.response_floor * std.mean() if std.size else 0.0
    if std.size and smallest <= 0:
        raise InputError(
            f"{session}: the standard deviation of the responses is 0 for every neuron, so that they cannot be "
            "standardised; the recording needs training trials with responses, or stored statistics."
        )
    return np.where(std <= smallest, smallest, std)


def _scaled(raw: Array, mean: Floats | None, std: Floats, dtype: DTypeLike) -> Array:
    """Compute ``(raw − mean) / std`` in float64, 0 where std is 0; without a temporary copy if not centred."""
    # a constant variable is divided by infinity, and becomes 0
    spread = np.where(std > 0, std, np.inf)
    values = raw if mean is None else np.subtract(raw, mean, dtype=np.float64)
    out = np.empty(np.broadcast_shapes(np.shape(raw), spread.shape), dtype=dtype)
    return np.divide(values, spread, out=out, dtype=np.float64, casting="same_kind")


def finite_statistics(name: str, stored: Array | float) -> Floats:
    """Return stored statistics in float64, or raise `InputError` if they are not finite.

    Examples
    --------
    >>> finite_statistics("1-1-1: behavior", [1, 2]).tolist()
    [1.0, 2.0]
    """
    values = np.asarray(stored, dtype=np.float64)
    if not np.isfinite(values).all():
        raise InputError(
            f"{name}: the stored statistics hold NaN or infinity; mend meta/statistics, or leave them out to have "
            "them computed from the training trials."
        )
    return values
