"""Noise ceilings: the jackknife oracle and split-half reliability."""

import numpy as np
import pytest
from hypothesis import given, settings
from tests.metrics import reference
from tests.metrics.populations import population, populations

from striate.errors import InputError
from striate.metrics import jackknife_oracle, split_half


@settings(deadline=None, max_examples=40)
@given(populations)
def test_the_oracle_equals_the_plain_form(data):
    r, _, image_ids = data
    oracle = jackknife_oracle(r, image_ids)
    difference = np.abs(oracle.values - reference.jackknife_oracle(r, image_ids))
    others = reference.means_of_other_repeats(r, image_ids)
    assert (difference <= reference.correlation_tolerance(r, others)).all()
    assert oracle.mean == pytest.approx(oracle.values.mean(), abs=1e-12)


def test_images_shown_once_are_left_out():
    r, _, image_ids = population()
    once = np.vstack([r, [[100.0] * r.shape[1]]]), np.append(image_ids, 987654)
    np.testing.assert_allclose(jackknife_oracle(*once).values, jackknife_oracle(r, image_ids).values)
    np.testing.assert_allclose(split_half(*once).values, split_half(r, image_ids).values)


def test_without_repeats_there_is_no_ceiling():
    r = population()[0]
    for ceiling in (jackknife_oracle(r, np.arange(len(r))), split_half(r, np.arange(len(r)))):
        assert ceiling.mean is None
        assert "more than once" in ceiling.reason
        assert np.isnan(ceiling.values).all()
    assert split_half(r, np.zeros(len(r))).mean is None


def test_noiseless_responses_are_wholly_reliable():
    r, _, image_ids = population(noise=0.0)
    np.testing.assert_allclose(jackknife_oracle(r, image_ids).values, 1, atol=1e-6)
    np.testing.assert_allclose(split_half(r, image_ids).values, 1, atol=1e-6)


def test_split_half_recovers_a_known_reliability():
    rng = np.random.default_rng(1)
    signal = np.repeat(rng.normal(0, 1, (400, 20)), 8, axis=0)
    r = signal + rng.normal(0, 2, signal.shape)
    reliability = 1 / (1 + 4 / 8)  # of the average over 8 repeats
    assert split_half(r, np.repeat(np.arange(400), 8)).mean == pytest.approx(reliability, abs=0.02)


def test_split_half_of_two_repeats_is_the_corrected_correlation():
    r, _, image_ids = population(least_repeats=2, most_repeats=2, images=30)
    values = split_half(r, image_ids, splits=400, seed=3).values
    rng = np.random.default_rng(9)
    pairs = np.stack([np.flatnonzero(image_ids == i) for i in np.unique(image_ids)])
    drawn = []
    for _ in range(400):
        swapped = rng.permuted(pairs, axis=1)
        drawn.append([reference.correlation(r[swapped[:, 0], n], r[swapped[:, 1], n]) for n in range(r.shape[1])])
    mean = np.mean(drawn, axis=0)
    np.testing.assert_allclose(values, 2 * mean / (1 + mean), atol=0.02)


def test_split_half_follows_its_seed_and_survives_noise_and_constants():
    r, _, image_ids = population(images=3, noise=50.0)
    r[:, 0] = 0.3
    one = split_half(r, image_ids, seed=1)
    np.testing.assert_array_equal(one.values, split_half(r, image_ids, seed=1).values)
    assert (one.values != split_half(r, image_ids, seed=2).values).any()
    assert one.values[0] == 0
    assert ((one.values >= -1) & (one.values <= 1 + 1e-9)).all()


def test_at_least_one_split():
    r, _, image_ids = population()
    with pytest.raises(InputError, match="splits"):
        split_half(r, image_ids, splits=0)
