"""Oracle scores: what a model that knows the truth would get, the highest that any model can expect."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from striate.errors import InputError, nearest
from striate.metrics import MetricSet, Repeats, evaluate
from striate.recordings import Recording
from striate.simulate.ground_truth import SimulatedTruth
from striate.simulate.response_model import gain

OracleInputs = Literal["image and behavior", "image"]
ORACLE_INPUTS: tuple[OracleInputs, ...] = ("image and behavior", "image")

_SMALLEST_SCALE = 0.01  # of the mean standard deviation, as the evaluation of 2022 has it


def oracle_scores(
    truth: SimulatedTruth, recording: Recording, tier: str = "test", inputs: OracleInputs = "image and behavior"
) -> MetricSet:
    """Score the true expected responses against the measured ones, withheld or not.

    Parameters
    ----------
    truth, recording
        A simulated recording and the truth about it.
    tier
        The tier to score.
    inputs
        What the oracle knows of a trial: image, behaviour and eye position, or the image alone; see
        `expected_given_image`.

    Returns
    -------
    MetricSet
        Per neuron and averaged.

    Raises
    ------
    InputError
        If truth and recording do not belong together, or there is no such tier.
    """
    if inputs not in ORACLE_INPUTS:
        raise InputError(f"An oracle cannot know {inputs!r}: {nearest(inputs, ORACLE_INPUTS)}.")
    rows = recording.rows(tier)
    scale = _response_scale(recording)
    measured = measured_responses(truth, recording, tier) / scale
    expected = expected_given_image(truth, recording, rows) if inputs == "image" else truth.expected[rows]
    repeats = Repeats.from_image_ids(recording.trials["image_id"].to_numpy()[rows], len(rows))
    return evaluate(measured, expected / scale, repeats)


def expected_given_image(truth: SimulatedTruth, recording: Recording, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Expected responses to the images of some trials, for an observer who knows neither behaviour nor eye position.

    The gain that behaviour has in a trial is replaced by its mean over all trials of the recording. What is left is averaged
    over the trials among `rows` that show the same image, and so over their eye positions.

    Parameters
    ----------
    truth, recording
        A simulated recording and the truth about it.
    rows : (R,)
        Trials of the recording.

    Returns
    -------
    (R, N) float32
        Raw units.

    Raises
    ------
    InputError
        If truth and recording do not belong together.

    Examples
    --------
    >>> import striate
    >>> from striate.simulate import expected_given_image
    >>> made = striate.simulate(neurons=5, train=20, validation=5, test_images=4, repeats=3, image_shape=(36, 64), seed=1)
    >>> rows = made.recording.rows("test")
    >>> expected_given_image(made.truth, made.recording, rows).shape == (len(rows), 5)
    True
    """
    truth.validate_recording(recording)
    gains = gain(truth.neurons, truth.behavior)
    evoked = truth.expected[rows] / gains[rows] * gains.mean(axis=0)
    return _over_repeats(evoked, recording.trials["image_id"].to_numpy()[rows])


def measured_responses(truth: SimulatedTruth, recording: Recording, tier: str) -> NDArray[np.float32]:
    """Measured responses of one tier, raw units, (trials of the tier, N), also where the recording withholds them."""
    truth.validate_recording(recording)
    rows = recording.rows(tier)
    at = np.searchsorted(truth.withheld, rows)
    if truth.withheld.size and np.array_equal(truth.withheld[np.minimum(at, truth.withheld.size - 1)], rows):
        return truth.withheld_responses[at]
    return np.asarray(recording.measured_responses(tier), dtype=np.float32)


def _response_scale(recording: Recording) -> NDArray[np.float32]:
    std = np.asarray(recording.statistics["responses"].std, dtype=np.float64)
    smallest = _SMALLEST_SCALE * float(std.mean())
    return np.where(std <= smallest, smallest or 1.0, std).astype(np.float32)


def _over_repeats(values: NDArray[np.float32], image_ids: NDArray[np.int64]) -> NDArray[np.float32]:
    """Replace every trial by the mean over the trials of its image."""
    _, image, count = np.unique(image_ids, return_inverse=True, return_counts=True)
    order = np.argsort(image, kind="stable")
    starts = np.concatenate([[0], np.cumsum(count)[:-1]])
    return np.asarray(np.add.reduceat(values[order], starts, axis=0) / count[:, None], dtype=np.float32)[image]
