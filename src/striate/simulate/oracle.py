"""Oracle scores: the scores of the true expected responses, the highest that a model can expect."""

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


def oracle_scores(
    truth: SimulatedTruth,
    recording: Recording,
    tier: str | None = None,
    inputs: OracleInputs = "image and behavior",
) -> MetricSet:
    """Score the true expected responses against the measured responses, also where these are withheld.

    Parameters
    ----------
    truth
        Ground truth of the recording.
    recording
        Simulated recording.
    tier
        Tier to score (default: the test tier of the live board, or else the first test tier).
    inputs
        Inputs of the oracle: ``"image and behavior"`` (image, behaviour and eye position of each trial), or ``"image"``
        (the image alone; see `expected_given_image`).

    Returns
    -------
    MetricSet
        Scores of each neuron, and their means.

    Raises
    ------
    InputError
        If `truth` is not the ground truth of `recording`, or the tier or `inputs` is unknown.

    Examples
    --------
    >>> import striate
    >>> from striate.simulate import oracle_scores
    >>> simulation = striate.simulate(
    ...     neurons=5, train=20, validation=5, test_images=4, repeats=3, image_shape=(18, 32), seed=1
    ... )
    >>> scores = oracle_scores(simulation.truth, simulation.recording, "test", inputs="image")
    >>> 0 < scores.means["single_trial_correlation"] < 1
    True
    """
    if inputs not in ORACLE_INPUTS:
        raise InputError(f"The oracle has no inputs {inputs!r}: {nearest(inputs, ORACLE_INPUTS)}.")
    spec = recording.benchmark
    tier = tier or spec.board_tier("live") or next(iter(spec.test_tiers), spec.validation_tier)
    rows = recording.rows(tier)
    scale = _response_scale(recording)
    measured = measured_responses(truth, recording, tier) / scale
    expected = expected_given_image(truth, recording, rows) if inputs == "image" else truth.expected[rows]
    repeats = Repeats.from_image_ids(recording.trials["image_id"].to_numpy()[rows], len(rows))
    return evaluate(measured, expected / scale, repeats)


def expected_given_image(truth: SimulatedTruth, recording: Recording, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the expected responses given the image alone, without behaviour and eye position.

    The behavioural gain of each trial is replaced by its mean over all trials of the recording. The result is averaged over
    the trials among `rows` that show the same image, and so over their eye positions.

    Parameters
    ----------
    truth
        Ground truth of the recording.
    recording
        Simulated recording.
    rows : (R,)
        Rows of the trials.

    Returns
    -------
    (R, N) float32
        Expected responses in raw units.

    Raises
    ------
    InputError
        If `truth` is not the ground truth of `recording`.

    Examples
    --------
    >>> import striate
    >>> from striate.simulate import expected_given_image
    >>> simulation = striate.simulate(
    ...     neurons=5, train=20, validation=5, test_images=4, repeats=3, image_shape=(18, 32), seed=1
    ... )
    >>> rows = simulation.recording.rows("test")
    >>> expected_given_image(simulation.truth, simulation.recording, rows).shape == (len(rows), 5)
    True
    """
    truth.validate_recording(recording)
    gains = gain(truth.neurons, truth.behavior)
    evoked = truth.expected[rows] / gains[rows] * gains.mean(axis=0)
    return _average_over_repeats(evoked, recording.trials["image_id"].to_numpy()[rows])


def measured_responses(truth: SimulatedTruth, recording: Recording, tier: str) -> NDArray[np.float32]:
    """Return the measured responses of one tier, also where the recording withholds them.

    Parameters
    ----------
    truth
        Ground truth of the recording.
    recording
        Simulated recording.
    tier
        Name of the tier.

    Returns
    -------
    (trials of the tier, N) float32
        Measured responses in raw units.

    Raises
    ------
    InputError
        If `truth` is not the ground truth of `recording`, or the recording has no such tier.

    Examples
    --------
    >>> import striate
    >>> from striate.simulate import measured_responses
    >>> simulation = striate.simulate(
    ...     neurons=5, train=20, validation=5, test_images=4, repeats=1, image_shape=(18, 32), track="sensorium+", seed=1
    ... )
    >>> bool(simulation.recording.responses[simulation.recording.rows("test")].any())
    False
    >>> bool(measured_responses(simulation.truth, simulation.recording, "test").any())
    True
    """
    truth.validate_recording(recording)
    rows = recording.rows(tier)
    index = np.searchsorted(truth.withheld, rows)
    if truth.withheld.size and np.array_equal(truth.withheld[np.minimum(index, truth.withheld.size - 1)], rows):
        return truth.withheld_responses[index]
    return np.asarray(recording.measured_responses(tier), dtype=np.float32)


def _response_scale(recording: Recording) -> NDArray[np.float32]:
    std = np.asarray(recording.statistics["responses"].std, dtype=np.float64)
    if recording.benchmark.standardisation.responses == "none":
        return np.ones(std.shape, dtype=np.float32)
    smallest = recording.benchmark.standardisation.response_floor * float(std.mean())
    return np.where(std <= smallest, smallest or 1.0, std).astype(np.float32)


def _average_over_repeats(values: NDArray[np.float32], image_ids: NDArray[np.int64]) -> NDArray[np.float32]:
    """Replace the values of each trial by the mean over the trials of the same image."""
    _, image, count = np.unique(image_ids, return_inverse=True, return_counts=True)
    order = np.argsort(image, kind="stable")
    starts = np.concatenate([[0], np.cumsum(count)[:-1]])
    return np.asarray(np.add.reduceat(values[order], starts, axis=0) / count[:, None], dtype=np.float32)[image]
