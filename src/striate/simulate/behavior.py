"""Behaviour as a smooth course over the trials: bouts of running, the pupil that follows, the wandering eye."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Mean and standard deviation of what `simulate_behavior` and `simulate_pupil_center` draw; z-scores below refer to them.
PUPIL_DILATION = (30.7, 5.9)
PUPIL_DERIVATIVE = (0.0, 1.65)
LOG_RUNNING = (0.40, 0.60)  # of log(1 + speed)
PUPIL_CENTER = ((118.0, 82.0), (5.8, 3.2))

_STILL, _RUNNING = 60.0, 25.0  # mean length in trials of a pause and of a bout
_LARGEST_Z = 3.0


def simulate_behavior(count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw behaviour for successive trials.

    The mouse runs in bouts. The pupil widens while it runs and narrows slowly afterwards, on top of a slow
    drift; its derivative is its change between trials plus what happens within one.

    Returns
    -------
    (count, 3) float32
        Pupil dilation, its derivative, running speed (exactly 0 at rest).
    """
    running = _bouts(count, rng)
    speed = np.where(running, np.exp(0.9 + 0.45 * _autoregressive(count, 0.8, rng)), 0.0)
    shuffling = ~running & (rng.random(count) < 0.15)  # small movements at rest
    speed[shuffling] = rng.exponential(0.3, int(shuffling.sum()))
    arousal = _followed(running.astype(np.float64), 0.15)
    dilation = 27.5 + 10.0 * arousal + 3.6 * _autoregressive(count, 0.995, rng) + 2.4 * _autoregressive(count, 0.7, rng)
    derivative = 0.45 * np.diff(dilation, prepend=dilation[:1]) + rng.normal(0, 1.4, count)
    return np.column_stack([np.maximum(dilation, 5.0), derivative, speed]).astype(np.float32, copy=False)


def simulate_pupil_center(count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw eye positions for successive trials: a wandering fixation with saccades.

    Returns
    -------
    (count, 2) float32
        Horizontal and vertical position of the pupil's centre, in pixels of the eye camera.
    """
    wandering = np.column_stack([_autoregressive(count, 0.97, rng) for _ in range(2)])
    fixation = np.cumsum(rng.random(count) < 0.2)  # a new one after every saccade
    saccades = rng.standard_normal((int(fixation[-1]) + 1, 2))[fixation] if count else wandering
    return np.asarray(PUPIL_CENTER[0] + np.asarray(PUPIL_CENTER[1]) * (wandering + saccades) / np.sqrt(2), np.float32)


def behavior_z_scores(behavior: NDArray[np.floating]) -> NDArray[np.float32]:
    """Behaviour (T, 3) as z-scores, running speed by its logarithm, limited to ±3."""
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
    """Eye positions (T, 2) as z-scores, limited to ±3."""
    mean, std = PUPIL_CENTER
    return np.clip((pupil_center.astype(np.float64) - mean) / std, -_LARGEST_Z, _LARGEST_Z)


def _bouts(count: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Whether the mouse runs: pauses and bouts of geometric length, begun at a random moment."""
    running = np.empty(count, dtype=np.bool_)
    state, start = bool(rng.random() < _RUNNING / (_RUNNING + _STILL)), 0
    while start < count:
        length = int(rng.geometric(1 / (_RUNNING if state else _STILL)))
        running[start : start + length] = state
        state, start = not state, start + length
    return running


def _autoregressive(count: int, memory: float, rng: np.random.Generator) -> Floats:
    """AR(1) noise of mean 0 and variance 1 from the first step on."""
    steps = rng.standard_normal(count)
    steps[1:] *= np.sqrt(1 - memory**2)
    values = np.empty(count)
    last = 0.0
    for i, step in enumerate(steps.tolist()):
        last = memory * last + step
        values[i] = last
    return values


def _followed(target: Floats, rate: float) -> Floats:
    """Follow a course with a lag, by the same fraction of the distance in every step."""
    values = np.empty_like(target)
    last = float(target.mean()) if target.size else 0.0
    for i, aim in enumerate(target.tolist()):
        last += rate * (aim - last)
        values[i] = last
    return values
