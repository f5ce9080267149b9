"""Gratings and Gabors have the requested frequency and orientation in the Fourier domain."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.errors import InputError
from striate.stimuli import gabor, grating, standardise, to_grey


def dominant(pattern):
    """Frequency (cycles per pixel) and orientation of the stripes (degrees) of the strongest Fourier component."""
    side = 512
    spectrum = np.abs(np.fft.fft2(pattern - pattern.mean(), s=(side, side)))
    row, column = np.unravel_index(spectrum.argmax(), spectrum.shape)
    fy, fx = np.fft.fftfreq(side)[[row, column]]
    return np.hypot(fx, fy), np.rad2deg(np.arctan2(fx, fy)) % 180


def apart(one, other):
    """Angle between two orientations in degrees."""
    return abs((one - other + 90) % 180 - 90)


@pytest.mark.slow
@settings(deadline=None, max_examples=25)
@given(orientation=st.floats(0, 180), frequency=st.floats(0.06, 0.3), phase=st.floats(0, 360))
def test_grating_has_its_frequency_and_orientation(orientation, frequency, phase):
    found_frequency, found_orientation = dominant(grating((96, 96), orientation, frequency, phase))
    assert found_frequency == pytest.approx(frequency, abs=0.004)
    assert apart(found_orientation, orientation) < 4


@settings(deadline=None, max_examples=25)
@given(orientation=st.floats(0, 180), frequency=st.floats(0.08, 0.3))
def test_gabor_has_its_frequency_and_orientation(orientation, frequency):
    found_frequency, found_orientation = dominant(
        gabor((96, 96), orientation=orientation, frequency=frequency, sigma=9)
    )
    assert found_frequency == pytest.approx(frequency, abs=0.01)
    assert apart(found_orientation, orientation) < 5


def test_horizontal_and_rising_stripes():
    horizontal = grating((40, 40), 0, 0.1)
    assert np.allclose(horizontal, horizontal[:, :1])
    rising = grating((41, 41), 45, 0.1)  # up and to the right: constant along the anti-diagonal
    assert np.ptp(np.diagonal(np.fliplr(rising))) < 1e-5


def test_phase_refers_to_the_centre():
    shape = (31, 51)
    for phase, value in ((0, 1), (90, 0), (180, -1)):
        assert grating(shape, 30, 0.07, phase)[15, 25] == pytest.approx(value, abs=1e-6)
        assert gabor(shape, orientation=30, frequency=0.07, phase=phase, sigma=4)[15, 25] == pytest.approx(
            value, abs=1e-6
        )


def test_square_grating_has_two_values():
    assert set(np.unique(grating((30, 30), 20, 0.1, 10, square=True))) == {-1, 1}


def test_gabor_is_centred_and_decays():
    here = gabor((60, 80), (30, 20), orientation=50, frequency=0.1, sigma=4, aspect=1.5)
    there = gabor((60, 80), (37, 31), orientation=50, frequency=0.1, sigma=4, aspect=1.5)
    assert np.allclose(there[11:, 7:], here[:-11, :-7])
    assert np.abs(here[:, 60:]).max() < 1e-6


def test_aspect_is_length_along_the_stripes():
    window = gabor((81, 81), orientation=0, frequency=0, sigma=5, aspect=2)
    assert window[40, 50] == pytest.approx(np.exp(-0.5), rel=1e-5)  # along: 10 pixels
    assert window[45, 40] == pytest.approx(np.exp(-0.5), rel=1e-5)  # across: 5


def test_grey_values_are_clipped_and_rounded():
    grey = to_grey(np.array([[-10.0, 0.0, 0.011, 10.0]]), mean=114, scale=60)
    assert grey.dtype == np.uint8
    assert grey.tolist() == [[0, 114, 115, 255]]


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.floats(-1000, 1000), st.floats(0.01, 100))
def test_standardise_removes_mean_and_scale(seed, mean, scale):
    pattern = np.random.default_rng(seed).standard_normal((12, 15))
    moved = mean + scale * pattern
    # the pattern is rounded to float32 before the mean is subtracted, and what remains is divided by the scale
    rounding = 4 * np.finfo(np.float32).eps * (1 + np.abs(moved).max() / (scale * pattern.std()))
    np.testing.assert_allclose(standardise(moved), standardise(pattern), rtol=2e-6 + rounding, atol=rounding)
    assert np.std(standardise(pattern), dtype=np.float64) == pytest.approx(1, abs=1e-6)


def test_a_constant_pattern_standardises_to_zero():
    assert not standardise(np.full((4, 5), 7.3)).any()


@pytest.mark.parametrize(
    "draw",
    [
        lambda: grating((0, 4), 0, 0.1),
        lambda: grating((4.5, 4), 0, 0.1),
        lambda: grating((8, 8), 0, 0.6),
        lambda: grating((8, 8), 0, float("nan")),
        lambda: gabor((8, 8), frequency=0.1, sigma=0),
        lambda: gabor((8, 8), frequency=-0.1, sigma=1),
        lambda: gabor((8, 8), frequency=0.1, sigma=1, aspect=float("nan")),
    ],
)
def test_invalid_arguments_are_refused(draw):
    with pytest.raises(InputError, match=r"\.$|\)\.$"):
        draw()
