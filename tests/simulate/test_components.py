"""Components of a simulation: seeds, settings, retina, behaviour, noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.errors import InputError
from striate.simulate import PopulationSettings, RecordingSettings, Seed
from striate.simulate.behavior import behavior_z_scores, pupil_center_z_scores, simulate_behavior, simulate_pupil_center
from striate.simulate.response_model import draw_responses
from striate.simulate.retina import Retina
from striate.stimuli import GREY_MEAN


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**200))
def test_seed_generators_depend_on_purpose(value):
    def draw(seed, purpose, *numbers):
        return seed.generator(purpose, *numbers).integers(0, 2**63, 4).tolist()

    assert draw(Seed(value), "images", 3) == draw(Seed(value), "images", 3)
    others = [draw(Seed(value), "images", 4), draw(Seed(value), "noise", 3), draw(Seed(value + 1), "images", 3)]
    assert draw(Seed(value), "images", 3) not in others
    assert Seed(value).key("a") != Seed(value).key("b")
    assert Seed(value).guessable == (value < 2**63)
    assert "0" not in repr(Seed(value))


def test_default_seeds_are_long_and_distinct():
    drawn = {Seed().value for _ in range(20)}
    assert len(drawn) == 20
    assert max(drawn) > 2**120
    assert not any(Seed(value).guessable for value in drawn)


@pytest.mark.parametrize("value", [-1, 1.0, "7", True, [1]])
def test_invalid_seeds_are_refused(value):
    with pytest.raises(InputError, match="whole number"):
        Seed(value)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: PopulationSettings(neuron=3), "did you mean 'neurons'"),
        (lambda: PopulationSettings(neurons=0), "'neurons' is 0"),
        (lambda: PopulationSettings(reliability=0.05, reliability_spread=0.3), "reliability_spread below 0.22"),
        (lambda: PopulationSettings(eye_shift=float("nan")), "'eye_shift' is nan"),
        (lambda: RecordingSettings(session="mouse"), "does not match the pattern"),
        (lambda: RecordingSettings(session="1-2-x"), "such as 27204-5-13"),
        (lambda: RecordingSettings(session="../../1-2-3"), "cannot name a session"),
        (lambda: RecordingSettings(track="sensorium++"), r"no track 'sensorium\+\+'"),
        (lambda: RecordingSettings(image_shape=(4, 4)), "between 8 and 2048"),
        (lambda: RecordingSettings(train=0), "'train' is 0"),
    ],
)
def test_invalid_settings_are_refused(make, words):
    with pytest.raises(InputError, match=words) as error:
        make()
    assert "\n" not in str(error.value)


SHAPES = st.tuples(st.integers(8, 90), st.integers(8, 90))


@settings(deadline=None, max_examples=25)
@given(SHAPES, st.integers(0, 2**32))
def test_retina_output_is_integer_and_close_to_the_screen(shape, seed):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (5, 1, *shape), dtype=np.uint8)
    seen = Retina(shape).sample(images, rng.normal(0, 3, (5, 2)))
    assert np.array_equal(seen, np.rint(seen))
    assert np.abs(seen).max() <= 150
    grey = Retina(shape).sample(np.full((1, *shape), 200, dtype=np.uint8))
    assert np.allclose(grey, 200 - GREY_MEAN, atol=2)  # cells that are no whole number of pixels: nearly


def test_retina_averages_boxes_of_pixels():
    images = np.random.default_rng(0).integers(0, 256, (3, 1, 144, 256), dtype=np.uint8)
    boxes = images.reshape(3, 36, 4, 64, 4).mean(axis=(2, 4)) - GREY_MEAN
    retina = Retina((144, 256))
    assert retina.shape == (36, 64)
    assert np.abs(retina.sample(images).reshape(3, 36, 64) - boxes).max() <= 0.5


def test_gaze_shifts_the_retina():
    """Looking 8 pixels to the right and 4 down is seeing the image moved 8 to the left and 4 up."""
    images = np.random.default_rng(0).integers(0, 256, (1, 1, 144, 256), dtype=np.uint8)
    retina = Retina((144, 256))
    here = retina.sample(images).reshape(36, 64)
    there = retina.sample(images, np.array([[8.0, 4.0]])).reshape(36, 64)
    assert np.array_equal(there[:-1, :-2], here[1:, 2:])
    assert not there[:, -2:].any()  # beyond the screen all is grey
    halfway = retina.sample(images, np.array([[2.0, 0.0]])).reshape(36, 64)
    assert np.abs(halfway[:, :-1] - (here[:, :-1] + here[:, 1:]) / 2).mean() < 20


@pytest.mark.slow
def test_filter_outputs_are_exact_in_float32():
    """The promise that responses do not depend on the order of summation."""
    from striate.simulate import population
    from striate.simulate.receptive_fields import Filters

    retina = Retina((72, 128))
    worst = np.where(np.random.default_rng(0).random((2, 36 * 64)) < 0.5, -114.0, 141.0).astype(np.float32)
    filters = Filters.from_neurons(population(PopulationSettings(neurons=30), 0, image_shape=(72, 128)).neurons, retina)
    for weights in (filters.even, filters.odd, filters.pool):
        exact = worst.astype(np.int64) @ weights.astype(np.int64)
        assert (np.abs(worst.astype(np.int64)) @ np.abs(weights.astype(np.int64)) < 2**24).all()
        assert np.array_equal(worst @ weights, exact)


def test_behavior_has_bouts_and_slow_changes():
    behavior = np.concatenate([simulate_behavior(4000, np.random.default_rng(i)) for i in range(5)])
    dilation, derivative, speed = behavior.T
    assert behavior.dtype == np.float32
    assert dilation.min() > 0
    assert speed.min() == 0
    assert 0.3 < (speed == 0).mean() < 0.8
    assert np.corrcoef(dilation[1:], dilation[:-1])[0, 1] > 0.85
    assert np.corrcoef(speed > 0.5, dilation)[0, 1] > 0.2
    assert np.corrcoef(np.diff(dilation), derivative[1:])[0, 1] > 0.3
    assert np.allclose(behavior_z_scores(behavior).mean(axis=0), 0, atol=0.35)
    assert np.abs(behavior_z_scores(behavior)).max() <= 3


def test_eye_position_drifts_and_has_saccades():
    eye = np.concatenate([simulate_pupil_center(4000, np.random.default_rng(i)) for i in range(5)])
    assert np.allclose(pupil_center_z_scores(eye).std(axis=0), 1, atol=0.15)
    assert all(np.corrcoef(eye[1:, i], eye[:-1, i])[0, 1] > 0.7 for i in (0, 1))
    assert simulate_pupil_center(1, np.random.default_rng(0)).shape == (1, 2)


@settings(deadline=None, max_examples=20)
@given(mean=st.floats(0.2, 20), burst=st.floats(0.2, 5), shape=st.floats(0.5, 4), seed=st.integers(0, 2**32))
def test_noise_has_the_moments_of_its_distribution(mean, burst, shape, seed):
    """A compound Poisson process: mean/burst bursts expected, each gamma distributed; 6 and 8 standard errors of its law.

    The ranges make at least 1,600 bursts in the sample, so that its mean and its variance are nearly normal.
    """
    count = 40_000
    expected = np.full((count, 1), mean, dtype=np.float32)
    drawn = draw_responses(expected, np.array([burst]), np.array([shape]), np.random.default_rng(seed))[:, 0].astype(
        float
    )
    variance = mean * burst * (1 + 1 / shape)
    assert drawn.min() >= 0
    assert drawn.mean() == pytest.approx(mean, abs=6 * np.sqrt(variance / count))
    silence = np.exp(-mean / burst)
    few = 12 / count  # where hardly any trial is silent, their number is Poisson and not normal
    assert (drawn == 0).mean() == pytest.approx(silence, abs=6 * np.sqrt(silence * (1 - silence) / count) + few)
    fourth_cumulant = mean * burst**3 * (1 + 1 / shape) * (1 + 2 / shape) * (1 + 3 / shape)
    spread_of_variance = np.sqrt((fourth_cumulant + 2 * variance**2) / count)
    assert drawn.var() == pytest.approx(variance, abs=8 * spread_of_variance)


def test_zero_expected_response_gives_zero_response():
    expected = np.array([[0.0, 2.0]] * 50, dtype=np.float32)
    drawn = draw_responses(expected, np.array([1.0, 0.1]), np.array([1.0, 1.0]), np.random.default_rng(0))
    assert not drawn[:, 0].any()
    assert drawn[:, 1].any()
