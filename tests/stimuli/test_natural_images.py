"""Noise, dead leaves and natural-like images have the statistics of their formulas."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.errors import InputError
from striate.stimuli import NATURAL_LIKE_KINDS, dead_leaves, natural_like, pink_noise, power_law_noise, white_noise

SHAPE = (144, 256)


def slope(images):
    """Exponent of the amplitude spectrum, averaged over orientations, from a quarter to a hundredth of a cycle."""
    height, width = images[0].shape
    window = np.hanning(height)[:, None] * np.hanning(width)
    power = np.mean([np.abs(np.fft.fft2((p - p.mean()) * window)) ** 2 for p in images], axis=0)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    edges = np.geomspace(0.02, 0.25, 9)
    means = [power[(frequency >= a) & (frequency < b)].mean() for a, b in pairwise(edges)]
    return -np.polyfit(np.log(np.sqrt(edges[:-1] * edges[1:])), np.log(means), 1)[0] / 2


@pytest.mark.slow
@settings(deadline=None, max_examples=15)
@given(exponent=st.floats(0, 1.8), seed=st.integers(0, 2**32))
def test_power_law_noise_has_its_exponent(exponent, seed):
    rng = np.random.default_rng(seed)
    images = [power_law_noise(SHAPE, rng, exponent) for _ in range(6)]
    assert slope(images) == pytest.approx(exponent, abs=0.15)
    for image in images:
        assert image.dtype == np.float32
        assert image.mean() == pytest.approx(0, abs=1e-4)
        assert image.std() == pytest.approx(1, abs=1e-4)


def test_pink_and_white_noise_are_special_cases():
    assert slope([pink_noise(SHAPE, np.random.default_rng(i)) for i in range(8)]) == pytest.approx(1, abs=0.1)
    assert slope([white_noise(SHAPE, np.random.default_rng(i)) for i in range(8)]) == pytest.approx(0, abs=0.1)
    assert np.array_equal(
        pink_noise(SHAPE, np.random.default_rng(3)), power_law_noise(SHAPE, np.random.default_rng(3), 1.0)
    )


def test_anisotropic_noise_prefers_its_orientation():
    horizontal = power_law_noise(SHAPE, np.random.default_rng(0), 1, orientation=0, anisotropy=1.5)
    vertical = power_law_noise(SHAPE, np.random.default_rng(0), 1, orientation=90, anisotropy=1.5)
    # stripes vary less along themselves
    assert np.diff(horizontal, axis=1).std() < 0.5 * np.diff(horizontal, axis=0).std()
    assert np.diff(vertical, axis=0).std() < 0.5 * np.diff(vertical, axis=1).std()


def test_opposite_borders_are_not_correlated():
    """The Fourier synthesis wraps around; the image must not."""
    ends = np.array([power_law_noise((40, 60), np.random.default_rng(i), 1.5)[:, [0, -1]] for i in range(60)])
    assert abs(np.corrcoef(ends[:, :, 0].ravel(), ends[:, :, 1].ravel())[0, 1]) < 0.5


@pytest.mark.slow
def test_dead_leaves_have_edges_and_are_scale_invariant():
    images = [dead_leaves(SHAPE, np.random.default_rng(i)) for i in range(20)]
    assert 1.1 < slope(images) < 1.7  # sharp edges alone give 1.5
    steps = np.concatenate([np.diff(p, axis=1).ravel() for p in images])
    assert np.mean(steps**4) / np.mean(steps**2) ** 2 > 15  # a Gaussian has 3: mostly nothing, seldom an edge


@settings(deadline=None, max_examples=20)
@given(st.tuples(st.integers(1, 60), st.integers(1, 60)), st.integers(0, 2**32), st.floats(0, 4))
def test_dead_leaves_of_any_shape(shape, seed, exponent):
    image = dead_leaves(shape, np.random.default_rng(seed), radius=(2, 20), exponent=exponent)
    assert image.shape == shape
    assert np.isfinite(image).all()
    assert np.array_equal(image, dead_leaves(shape, np.random.default_rng(seed), radius=(2, 20), exponent=exponent))


def test_texture_is_added_to_leaves():
    texture = white_noise(SHAPE, np.random.default_rng(9))
    plain = dead_leaves(SHAPE, np.random.default_rng(1))
    textured = dead_leaves(SHAPE, np.random.default_rng(1), texture=texture, texture_strength=0.5)
    assert abs(np.corrcoef(plain.ravel(), texture.ravel())[0, 1]) < 0.03
    assert np.corrcoef(textured.ravel(), texture.ravel())[0, 1] > 0.2


@pytest.mark.parametrize("radius", [(0, 5), (5, 5), (6, 5), (-1, 2), (float("nan"), 2)])
def test_invalid_radii_and_textures_are_refused(radius):
    with pytest.raises(InputError, match="radii"):
        dead_leaves(SHAPE, np.random.default_rng(0), radius=radius)
    with pytest.raises(InputError, match="texture"):
        dead_leaves(SHAPE, np.random.default_rng(0), texture=np.zeros((2, 2), np.float32))


@pytest.mark.slow
def test_natural_like_images_have_the_grey_values_of_photographs():
    drawn = [natural_like((72, 128), np.random.default_rng([5, i])) for i in range(250)]
    images = np.stack([image for image, _ in drawn])
    assert images.dtype == np.uint8
    assert images.mean() == pytest.approx(114, abs=7)
    assert images.std() == pytest.approx(60, abs=5)
    assert {kind for _, kind in drawn} == set(NATURAL_LIKE_KINDS)
    assert np.mean((images == 0) | (images == 255)) < 0.1
    assert images.std(axis=(1, 2)).min() > 10


@pytest.mark.parametrize("kind", list(NATURAL_LIKE_KINDS))
def test_each_kind_can_be_requested(kind):
    image, drawn = natural_like((30, 50), np.random.default_rng(4), kind)
    assert drawn == kind
    assert image.shape == (30, 50)
    assert np.array_equal(image, natural_like((30, 50), np.random.default_rng(4), kind)[0])
    assert not np.array_equal(image, natural_like((30, 50), np.random.default_rng(5), kind)[0])


def test_unknown_kind_is_refused():
    with pytest.raises(InputError, match="did you mean 'dead_leaves'"):
        natural_like((30, 50), np.random.default_rng(0), "dead leaves")
