"""Oracle scores: what a model that knows the truth would get, the highest that any model can expect."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from striate.errors import InputError, nearest
from striate.metrics import MetricSet, Repeats, evaluate
from striate.recordings import Recording
from striate.simulate.ground_truth import SimulatedTruth

Given = Literal["image and behavior", "image"]
GIVEN: tuple[Given, ...] = ("image and behavior", "image")

_SMALLEST_SCALE = 0.01  # of the mean standard deviation, as the evaluation of 2022 has it


def oracle_scores(
    truth: SimulatedTruth, recording: Recording, tier: str = "test", given: Given = "image and behavior"
) -> MetricSet:
    """Score the true expected responses against the measured ones, withheld or not.

    Parameters
    ----------
    truth, recording
        A simulated recording and the truth about it.
    tier
        The tier to score.
    given
        What the oracle knows of a trial: image, behaviour and eye position, or the image alone. In the latter case
        it predicts the mean of the expected responses over the repeats of the image.

    Returns
    -------
    MetricSet
        Per neuron and averaged.

    Raises
    ------
    InputError
        If truth and recording do not belong together, or there is no such tier.
    """
    if given not in GIVEN:
        raise InputError(f"An oracle cannot know {given!r}: {nearest(given, GIVEN)}.")
    rows = recording.rows(tier)
    scale = _response_scale(recording)
    measured = measured_responses(truth, recording, tier) / scale
    expected = truth.expected[rows] / scale
    repeats = Repeats.of(recording.trials["image_id"].to_numpy()[rows], len(rows))
    if given == "image":
        expected = _over_repeats(expected, recording.trials["image_id"].to_numpy()[rows])
    return evaluate(measured, expected, repeats)


def measured_responses(truth: SimulatedTruth, recording: Recording, tier: str) -> NDArray[np.float32]:
    """Measured responses of one tier, raw units, (trials of the tier, N), also where the recording withholds them."""
    truth.require(recording)
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
