"""Simulated behaviour over successive trials: bouts of running, pupil dilation, and eye movements."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Mean and standard deviation of what `simulate_behavior` and `simulate_pupil_center` draw; the z-scores below use them.
PUPIL_DILATION = (30.7, 5.9)
PUPIL_DERIVATIVE = (0.0, 1.65)
LOG_RUNNING = (0.40, 0.60)  # log(1 + running speed)
PUPIL_CENTER = ((118.0, 82.0), (5.8, 3.2))

_STILL, _RUNNING = 60.0, 25.0  # mean length of a pause and of a bout in trials
_LARGEST_Z = 3.0


def simulate_behavior(count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw behaviour for successive trials.

    The mouse runs in bouts. The pupil dilates during a bout and constricts slowly afterwards, on top of a slow drift. The
    derivative of pupil dilation is its change between trials plus independent noise.

    Parameters
    ----------
    count
        Number of trials.
    rng
        Random generator.

    Returns
    -------
    (count, 3) float32
        Pupil dilation, its derivative, and running speed (exactly 0 at rest).

    Examples
    --------
    >>> simulate_behavior(100, np.random.default_rng(0)).shape
    (100, 3)
    """
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


def behavior_z_scores(behavior: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return behaviour (T, 3) as z-scores clipped to ±3, with the logarithm of running speed."""
    dilation, derivative, speed = behavior.T.astype(np.float64)
    scores = [
        (values - mean) / std
        for values, (mean, std) in (
            (dilation, PUPIL_DILATION),
            (derivative, PUPIL_DERIVATIVE),
            (np.log1p(speed), LOG_RUNNING),
        )
    ]
    return np.asarray(np.clip(np.column_stack(scores), -_LARGEST_Z, _LARGEST_Z), dtype=np.float32)


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
