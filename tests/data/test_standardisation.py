"""The official standardisation: by hand-made numbers, and as laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tests.fixtures.recordings import small_recording

from striate.data import Standardisation
from striate.errors import InputError
from striate.recordings import Recording, VariableStatistics


def stored(mean: object, std: object) -> VariableStatistics:
    values = [np.asarray(v, dtype=np.float64) for v in (mean, std)]
    return VariableStatistics(values[0], values[1], values[0], values[0], values[0])


def with_statistics(recording: Recording, **statistics: VariableStatistics) -> Recording:
    return Recording(
        recording.session, recording.neurons, recording.trials, **recording.arrays, statistics=statistics
    )  # fmt: skip


def four_neurons(std: list[float]) -> Standardisation:
    recording = small_recording(neurons=4)
    return Standardisation.from_recording(with_statistics(recording, responses=stored(np.full(4, 7.0), std)))


def test_responses_are_divided_by_std_and_not_centred() -> None:
    standardisation = four_neurons([1.0, 2.0, 4.0, 8.0])
    np.testing.assert_array_equal(standardisation.responses(np.array([[1.0, 1, 1, 0]])), [[1.0, 0.5, 0.25, 0.0]])


def test_a_neuron_that_hardly_varies_is_divided_by_a_hundredth_of_the_mean_std() -> None:
    # the mean of these is 2, so whatever does not exceed 0.02 becomes 0.02
    standardisation = four_neurons([0.0, 0.02, 0.05, 7.93])
    np.testing.assert_allclose(standardisation.response_scale, [0.02, 0.02, 0.05, 7.93], rtol=1e-15)
    np.testing.assert_allclose(standardisation.responses(np.ones(4)), [50, 50, 20, 1 / 7.93], rtol=1e-7)


def test_stored_statistics_are_taken_as_they_are_even_where_they_disagree_with_the_data() -> None:
    recording = small_recording(neurons=4)
    standardisation = Standardisation.from_recording(
        with_statistics(
            recording,
            responses=stored(np.zeros(4), [1.0, 2, 3, 4]),
            images=stored(100.0, 50.0),
            behavior=stored([9.0, 9, 9], [1.0, 2, 4]),
            pupil_center=stored([100.0, 80], [10.0, 5]),
        )
    )
    np.testing.assert_array_equal(standardisation.response_scale, [1, 2, 3, 4])
    np.testing.assert_array_equal(standardisation.images(np.array([[0, 100, 150]], dtype=np.uint8)), [[-2, 0, 1]])
    np.testing.assert_array_equal(standardisation.behavior(np.array([3.0, 3, -2])), [3, 1.5, -0.5])
    np.testing.assert_array_equal(standardisation.pupil_center(np.array([[110.0, 70]])), [[1, -2]])


def test_absent_statistics_are_those_of_the_training_trials() -> None:
    recording = small_recording()
    train = recording.rows("train")
    standardisation = Standardisation.from_recording(recording)
    np.testing.assert_allclose(standardisation.response_scale, recording.responses[train].std(0, dtype=float))
    assert standardisation.image_mean == pytest.approx(recording.images[train].mean())
    assert standardisation.images(recording.images[train]).std() == pytest.approx(1, rel=1e-5)
    np.testing.assert_allclose(standardisation.pupil_center(recording.pupil_center[train]).mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(standardisation.behavior(recording.behavior[train]).std(0), 1, rtol=1e-6)


def test_withheld_behavior_and_eye_position_become_zero_not_infinite() -> None:
    recording = small_recording(without_behavior=True)
    standardisation = Standardisation.from_recording(recording)
    assert not standardisation.behavior(recording.behavior).any()
    assert not standardisation.pupil_center(recording.pupil_center).any()
    # even a value where none is expected: a std of 0 says that nothing is known of its scale
    np.testing.assert_array_equal(standardisation.behavior(np.ones(3)), 0)


def test_the_official_dtype_is_float32_and_another_can_be_had() -> None:
    standardisation = four_neurons([1.0, 2.0, 3.0, 4.0])
    raw = np.arange(8, dtype=np.int16).reshape(2, 4)
    assert standardisation.responses(raw).dtype == np.float32
    exact = standardisation.responses(raw, dtype=np.float64)
    assert exact.dtype == np.float64
    np.testing.assert_array_equal(exact, raw / [1, 2, 3, 4])


def test_some_neurons_keep_the_scales_of_the_whole_recording() -> None:
    standardisation = four_neurons([0.0, 0.02, 0.05, 7.93])
    few = standardisation.for_neurons(np.array([3, 0]))
    np.testing.assert_array_equal(few.response_scale, standardisation.response_scale[[3, 0]])


def test_a_recording_whose_responses_never_vary_cannot_be_standardised() -> None:
    with pytest.raises(InputError, match="standard deviation of the responses is 0 for every neuron"):
        four_neurons([0.0, 0, 0, 0])


def test_broken_statistics_are_named() -> None:
    with pytest.raises(InputError, match=r"7-1-1: responses: .*NaN"):
        four_neurons([1.0, np.nan, 1, 1])
    standardisation = Standardisation.from_recording(
        with_statistics(small_recording(), behavior=stored(np.zeros(3), [1, np.nan, 1]))
    )
    with pytest.raises(InputError, match="behavior"):
        standardisation.behavior(np.ones(3))


positive = st.floats(0, 1e3, allow_subnormal=False)


@pytest.mark.slow
@settings(deadline=None)
@given(hnp.arrays(np.float64, 4, elements=positive).filter(lambda s: s.mean() > 1e-3), st.data())
def test_laws_of_the_response_scale(std: np.ndarray, data: st.DataObject) -> None:
    """Positive, never below 1 % of the mean std, the std itself above that; responses stay in their order."""
    standardisation = four_neurons(std.tolist())
    scale = standardisation.response_scale
    assert (scale > 0).all()
    assert (scale >= 0.01 * std.mean()).all()
    kept = std > 0.01 * std.mean()
    np.testing.assert_array_equal(scale[kept], std[kept])
    raw = data.draw(hnp.arrays(np.float32, (5, 4), elements=st.floats(0, 100, width=32)))
    standardised = standardisation.responses(raw)
    np.testing.assert_allclose(standardised * scale, raw, rtol=1e-6, atol=1e-30)
    assert np.isfinite(standardised).all()
