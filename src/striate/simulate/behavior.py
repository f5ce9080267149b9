"""Simulated behaviour over successive trials: bouts of running, pupil dilation, other variables, and eye movements."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.benchmarks import load_benchmark

Floats = NDArray[np.float64]

# Mean and standard deviation of what `simulate_pupil_center` draws; the z-scores below use them.
PUPIL_CENTER = ((118.0, 82.0), (5.8, 3.2))

_STILL, _RUNNING = 60.0, 25.0  # mean length of a pause and of a bout in trials
_LARGEST_Z = 3.0


@dataclass(frozen=True)
class BehaviorVariable:
    """How one behaviour variable is distributed, and how it changes the gain of neurons.

    Attributes
    ----------
    mean, std
        Mean and standard deviation of what `simulate_behavior` draws; of log(1 + value) if `logarithmic`.
    gain_mean, gain_std
        Mean and standard deviation over neurons of the log gain for one standard deviation of the variable.
    gain_column
        Column of the neurons' gains in `Population.neurons`.
    logarithmic
        Whether the gain depends on log(1 + value).
    """

    mean: float
    std: float
    gain_mean: float
    gain_std: float
    gain_column: str
    logarithmic: bool = False


# Variables that are simulated like those of a mouse on a treadmill, by the names that SENSORIUM 2022 gives them.
_MOUSE_VARIABLES = {
    "pupil dilation": BehaviorVariable(30.7, 5.9, 0.65, 0.45, "gain_dilation"),
    "derivative of pupil dilation": BehaviorVariable(0.0, 1.65, 0.2, 0.2, "gain_derivative"),
    "running speed": BehaviorVariable(0.40, 0.60, 0.5, 0.45, "gain_running", logarithmic=True),
}
_OTHER = (5.0, 2.0, 0.3, 0.3)  # mean, std and gains of any other variable, which drifts slowly
_GAIN_COLUMN = re.compile(r"gain(?:_(?:dilation|derivative|running)|[0-9]+_.*)")


def behavior_variables(names: Sequence[str]) -> list[BehaviorVariable]:
    """Return the distribution of each behaviour variable of a benchmark.

    Examples
    --------
    >>> [variable.gain_column for variable in behavior_variables(["running speed", "licking"])]
    ['gain_running', 'gain2_licking']
    """
    return [
        _MOUSE_VARIABLES.get(name)
        or BehaviorVariable(*_OTHER, f"gain{place}_{re.sub('[^a-z0-9]+', '_', name.lower())}")
        for place, name in enumerate(names, 1)
    ]


def variables_of_columns(columns: Iterable[str]) -> list[BehaviorVariable]:
    """Return the behaviour variables of the gains in a table of neurons, in the order of its columns.

    Examples
    --------
    >>> [variable.mean for variable in variables_of_columns(["unit_id", "gain_dilation", "gain2_licking", "gain_offset"])]
    [30.7, 5.0]
    """
    known = {variable.gain_column: variable for variable in _MOUSE_VARIABLES.values()}
    return [
        known.get(column) or BehaviorVariable(*_OTHER, column) for column in columns if _GAIN_COLUMN.fullmatch(column)
    ]


def simulate_behavior(count: int, rng: np.random.Generator, names: Sequence[str] | None = None) -> NDArray[np.float32]:
    """Draw behaviour for successive trials.

    The mouse runs in bouts. The pupil dilates during a bout and constricts slowly afterwards, on top of a slow drift. The
    derivative of pupil dilation is its change between trials plus independent noise. Any other variable drifts slowly.

    Parameters
    ----------
    count
        Number of trials.
    rng
        Random generator.
    names
        Names of the variables (default: those of SENSORIUM 2022). ``"pupil dilation"``, ``"derivative of pupil dilation"`` and
        ``"running speed"`` are simulated as such.

    Returns
    -------
    (count, K) float32
        One column for each variable: by default pupil dilation, its derivative, and running speed (exactly 0 at rest).

    Examples
    --------
    >>> simulate_behavior(100, np.random.default_rng(0)).shape
    (100, 3)
    """
    names = load_benchmark().behavior_names if names is None else names
    mouse = dict(zip(_MOUSE_VARIABLES, _mouse_behavior(count, rng).T, strict=True))
    columns = np.empty((count, len(names)), dtype=np.float32)
    for place, name in enumerate(names):
        mean, std = _OTHER[:2]
        columns[:, place] = mouse[name] if name in mouse else mean + std * _autoregressive(count, 0.95, rng)
    return columns


def _mouse_behavior(count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw pupil dilation, its derivative, and running speed, (count, 3)."""
    running = _bouts(count, rng)
    speed = np.where(running, np.exp(0.9 + 0.45 * _autoregressive(count, 0.8, rng)), 0.0)
    small_movements = ~running & (rng.random(count) < 0.15)
    speed[small_movements] = rng.exponential(0.3, int(small_movements.sum()))
    arousal = _low_pass(running.astype(np.float64), 0.15)
    dilation = 27.5 + 10.0 * arousal + 3.6 * _autoregressive(count, 0.995, rng) + 2.4 * _autoregressive(count, 0.7, rng)
    derivative = 0.45 * np.diff(dilation, prepend=dilation[:1]) + rng.normal(0, 1.4, count)
    return np.column_stack([np.maximum(dilation, 5.0), derivative, speed]).astype(np.float32, copy=False)


def simulate_pupil_center(count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw eye positions for successive trials: slow drift plus saccades.

    Parameters
    ----------
    count
        Number of trials.
    rng
        Random generator.

    Returns
    -------
    (count, 2) float32
        Horizontal and vertical position of the pupil's centre, in pixels of the eye camera.

    Examples
    --------
    >>> simulate_pupil_center(100, np.random.default_rng(0)).shape
    (100, 2)
    """
    drift = np.column_stack([_autoregressive(count, 0.97, rng) for _ in range(2)])
    fixation = np.cumsum(rng.random(count) < 0.2)  # number of saccades so far
    saccades = rng.standard_normal((int(fixation[-1]) + 1, 2))[fixation] if count else drift
    return np.asarray(PUPIL_CENTER[0] + np.asarray(PUPIL_CENTER[1]) * (drift + saccades) / np.sqrt(2), np.float32)


def behavior_z_scores(
    behavior: NDArray[np.floating], variables: Sequence[BehaviorVariable] = tuple(_MOUSE_VARIABLES.values())
) -> NDArray[np.float32]:
    """Return behaviour (T, K) as z-scores clipped to ±3, with the logarithm of running speed."""
    scores = np.empty(behavior.shape, dtype=np.float64)
    for place, variable in enumerate(variables):
        values = behavior[:, place].astype(np.float64)
        scores[:, place] = ((np.log1p(values) if variable.logarithmic else values) - variable.mean) / variable.std
    return np.asarray(np.clip(scores, -_LARGEST_Z, _LARGEST_Z), dtype=np.float32)


def pupil_center_z_scores(pupil_center: NDArray[np.floating]) -> Floats:
    """Return eye positions (T, 2) as z-scores clipped to ±3."""
    mean, std = PUPIL_CENTER
    return np.clip((pupil_center.astype(np.float64) - mean) / std, -_LARGEST_Z, _LARGEST_Z)


def _bouts(count: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Whether the mouse runs in each trial: alternating pauses and bouts of geometrically distributed length."""
    running = np.empty(count, dtype=np.bool_)
    state, start = bool(rng.random() < _RUNNING / (_RUNNING + _STILL)), 0
    while start < count:
        length = int(rng.geometric(1 / (_RUNNING if state else _STILL)))
        running[start : start + length] = state
        state, start = not state, start + length
    return running


def _autoregressive(count: int, coefficient: float, rng: np.random.Generator) -> Floats:
    """Stationary AR(1) noise of mean 0 and variance 1."""
    steps = rng.standard_normal(count)
    steps[1:] *= np.sqrt(1 - coefficient**2)
    values = np.empty(count)
    last = 0.0
    for i, step in enumerate(steps.tolist()):
        last = coefficient * last + step
        values[i] = last
    return values


def _low_pass(target: Floats, rate: float) -> Floats:
    """Exponential smoothing of `target`, which starts at its mean."""
    values = np.empty_like(target)
    last = float(target.mean()) if target.size else 0.0
    for i, value in enumerate(target.tolist()):
        last += rate * (value - last)
        values[i] = last
    return values
