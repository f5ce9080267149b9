"""Standardisation of raw values, as the evaluation of SENSORIUM 2022 requires it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from striate.catalog import as_recording
from striate.errors import InputError

if TYPE_CHECKING:
    from striate.recordings import Recording

Array = NDArray[Any]
Floats = NDArray[np.float64]

# Lower bound of a neuron's standard deviation, as a fraction of the mean standard deviation.
_SMALLEST_SCALE = 0.01


@dataclass(frozen=True, eq=False)
class Standardisation:
    """Converts raw values of one recording to the standardised values that models and metrics use.

    The statistics are those that the recording stores (set ``all``), or those of its training trials if it stores none. Each
    method takes raw values of any shape that broadcasts, computes in float64 and returns an array of type `dtype`.

    Attributes
    ----------
    session
        Session of the recording.
    response_scale : (N,)
        Divisor of each neuron's responses, in raw units; never zero.
    image_mean, image_std
        Mean and standard deviation of the grey values, scalars.
    behavior_std : (3,)
        Standard deviation of pupil dilation, its derivative and running speed.
    pupil_center_mean, pupil_center_std : (2,)
        Mean and standard deviation of the horizontal and vertical eye position.

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
    image_mean: float
    image_std: float
    behavior_std: Floats
    pupil_center_mean: Floats
    pupil_center_std: Floats

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
        statistics = recording.statistics
        images, pupil_center = statistics["images"], statistics["pupil_center"]
        session = recording.session
        mean, std = (_finite(f"{session}: images", value).item() for value in (images.mean, images.std))
        return cls(
            session=session,
            response_scale=_response_scale(session, statistics["responses"].std),
            image_mean=mean,
            image_std=std,
            behavior_std=np.asarray(statistics["behavior"].std, dtype=np.float64).reshape(-1),
            pupil_center_mean=np.asarray(pupil_center.mean, dtype=np.float64).reshape(-1),
            pupil_center_std=np.asarray(pupil_center.std, dtype=np.float64).reshape(-1),
        )

    @property
    def image_range(self) -> tuple[float, float]:
        """Standardised grey values of black (0) and white (255)."""
        black, white = self.images(np.array([0.0, 255.0]), np.float64)
        return float(black), float(white)

    def for_neurons(self, columns: NDArray[np.integer]) -> Standardisation:
        """Return the standardisation of the neurons in the given columns.

        The lower bound of the standard deviations is that of the whole recording, as in the official loaders.
        """
        return replace(self, response_scale=self.response_scale[columns])

    def responses(self, raw: Array, dtype: DTypeLike = np.float32) -> Array:
        """Standardise responses: ``r / s``, not centred; shape (..., N)."""
        return _scaled(raw, None, self.response_scale, dtype)

    def images(self, raw: Array, dtype: DTypeLike = np.float32) -> Array:
        """Standardise grey values: ``(x − mean) / std``, any shape."""
        return _scaled(raw, np.asarray(self.image_mean), np.asarray(self.image_std), dtype)

    def behavior(self, raw: Array, dtype: DTypeLike = np.float32) -> Array:
        """Standardise behaviour: ``b / std``, not centred; 0 where std is 0; shape (..., 3).

        Raises
        ------
        InputError
            If the stored statistics of behaviour are not finite.
        """
        return _scaled(raw, None, _finite(f"{self.session}: behavior", self.behavior_std), dtype)

    def pupil_center(self, raw: Array, dtype: DTypeLike = np.float32) -> Array:
        """Standardise eye position: ``(p − mean) / std``; 0 where std is 0; shape (..., 2).

        Raises
        ------
        InputError
            If the stored statistics of the eye position are not finite.
        """
        name = f"{self.session}: pupil_center"
        return _scaled(raw, _finite(name, self.pupil_center_mean), _finite(name, self.pupil_center_std), dtype)


def _response_scale(session: str, stored: Array) -> Floats:
    """Return the standard deviations, with 1 % of their mean as the lower bound."""
    std = _finite(f"{session}: responses", stored).reshape(-1)
    smallest = _SMALLEST_SCALE * std.mean() if std.size else 0.0
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


def _finite(name: str, stored: Array | float) -> Floats:
    values = np.asarray(stored, dtype=np.float64)
    if not np.isfinite(values).all():
        raise InputError(
            f"{name}: the stored statistics hold NaN or infinity; mend meta/statistics, or leave them out to have "
            "them computed from the training trials."
        )
    return values
