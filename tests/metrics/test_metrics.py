"""Laws and edges of the three metrics."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.metrics import reference
from tests.metrics.populations import population, populations
from tests.metrics.reference import correlation_tolerance, damping

from striate.errors import InputError
from striate.metrics import (
    Repeats,
    correlation_to_average,
    evaluate,
    feve,
    fraction_explainable_variance,
    single_trial_correlation,
)


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def assert_within(values, expected, tolerance):
    """Each neuron within the tolerance of its own."""
    difference = np.abs(np.asarray(values) - expected)
    assert (difference <= tolerance).all(), f"{difference} exceeds {tolerance}"


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(populations)
def test_equals_the_plain_form_one_neuron_at_a_time(data):
    r, p, image_ids = data
    metrics = evaluate(r, p, image_ids)
    fev, explained = reference.fev_and_feve(r, p, image_ids)
    single, average = reference.single_trial_correlation(r, p), reference.correlation_to_average(r, p, image_ids)
    means = reference.image_means(r, image_ids), reference.image_means(p, image_ids)
    assert_within(metrics.single_trial_correlation, single, correlation_tolerance(r, p))
    assert_within(single_trial_correlation(r, p), single, correlation_tolerance(r, p))
    assert_within(metrics.correlation_to_average, average, correlation_tolerance(*means))
    assert_within(metrics.feve.fev, fev, correlation_tolerance(r) * (1 + np.abs(fev)))
    kept = metrics.feve.neuron_mask
    np.testing.assert_array_equal(kept, fev >= 0.15)
    assert_within(metrics.feve.values[kept], explained[kept], reference.feve_tolerance(r, p, image_ids)[kept])


@settings(deadline=None, max_examples=40)
@given(populations, st.integers(0, 2**32 - 1))
def test_the_order_of_trials_and_neurons_does_not_matter(data, seed):
    r, p, image_ids = data
    rng = np.random.default_rng(seed)
    trials, neurons = rng.permutation(len(r)), rng.permutation(r.shape[1])
    one = evaluate(r, p, image_ids)
    other = evaluate(r[trials][:, neurons], p[trials][:, neurons], image_ids[trials])
    means = reference.image_means(r, image_ids), reference.image_means(p, image_ids)
    single, average = correlation_tolerance(r, p)[neurons], correlation_tolerance(*means)[neurons]
    assert_within(other.single_trial_correlation, one.single_trial_correlation[neurons], single)
    assert_within(other.correlation_to_average, one.correlation_to_average[neurons], average)
    np.testing.assert_array_equal(other.feve.neuron_mask, one.feve.neuron_mask[neurons])
    kept = other.feve.neuron_mask
    tolerance = reference.feve_tolerance(r, p, image_ids)[neurons][kept]
    assert_within(other.feve.values[kept], one.feve.values[neurons][kept], tolerance)


@settings(deadline=None, max_examples=40)
@given(populations, st.floats(0.5, 20), st.floats(-5, 5))
def test_scale_and_offset_of_a_prediction_change_only_the_damping_of_correlations(data, scale, offset):
    """Pearson's correlation does not change; the factor s / (s + 1e-8) of the prediction's standard deviation does."""
    r, p, image_ids = data
    other = scale * p.astype(np.float64) + offset
    expected = single_trial_correlation(r, p) / damping(p) * damping(other)
    assert_within(single_trial_correlation(r, other), expected, correlation_tolerance(r, p, other))
    r_mean, p_mean, other_mean = (reference.image_means(values, image_ids) for values in (r, p, other))
    expected = correlation_to_average(r, p, image_ids) / damping(p_mean) * damping(other_mean)
    tolerance = correlation_tolerance(r_mean, p_mean, other_mean)
    assert_within(correlation_to_average(r, other, image_ids), expected, tolerance)


@settings(deadline=None, max_examples=40)
@given(populations)
def test_responses_as_their_own_prediction(data):
    r, _, image_ids = data
    metrics = evaluate(r, r, image_ids)
    means = reference.image_means(r, image_ids)
    assert_within(metrics.single_trial_correlation, damping(r) ** 2, correlation_tolerance(r, r))
    assert_within(metrics.correlation_to_average, damping(means) ** 2, correlation_tolerance(means, means))
    kept = metrics.feve.neuron_mask
    noise_over_explainable = 1 / metrics.feve.fev[kept] - 1
    tolerance = reference.feve_tolerance(r, r, image_ids)[kept]
    assert_within(metrics.feve.values[kept], 1 + noise_over_explainable, tolerance)


def test_the_expected_response_explains_all_that_can_be_explained():
    rng = np.random.default_rng(0)
    expected = np.repeat(rng.gamma(2.0, 1.0, (200, 3)), 40, axis=0)
    metrics = evaluate(expected + rng.normal(0, 1, expected.shape), expected, np.repeat(np.arange(200), 40))
    assert metrics.feve.mean == pytest.approx(1, abs=0.02)


def test_a_constant_prediction_has_correlation_zero():
    r, p, image_ids = population()
    p[:, 2] = 0.1
    metrics = evaluate(r, p, image_ids)
    assert metrics.single_trial_correlation[2] == 0
    assert metrics.correlation_to_average[2] == 0
    assert single_trial_correlation(r, p)[2] == 0


def test_the_small_number_is_added_to_each_standard_deviation():
    r, p, _ = population(neurons=1)
    r, p = r / r.std() * 1e-8, p / p.std() * 1e-8
    exact = reference.correlation(r[:, 0] * 1e8, p[:, 0] * 1e8)
    assert single_trial_correlation(r, p)[0] == pytest.approx(exact / 4, rel=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 / 3])
def test_a_constant_neuron_drops_out_of_feve(value):
    r, p, image_ids = population()
    without = np.delete(np.arange(r.shape[1]), 1)
    r[:, 1] = value
    metrics = evaluate(r, p, image_ids)
    assert np.isnan(metrics.feve.fev[1])
    assert not metrics.feve.neuron_mask[1]
    assert metrics.feve.mean == pytest.approx(feve(r[:, without], p[:, without], image_ids).mean)
    assert metrics.single_trial_correlation[1] == 0


def test_feve_is_not_defined_where_an_image_was_shown_once():
    r, p, image_ids = population()
    image_ids[3] = 987654
    result = feve(r, p, image_ids)
    assert result.mean is None
    assert "987654" in result.reason
    assert not result.neuron_mask.any()
    assert np.isnan(result.values).all()
    assert np.isnan(fraction_explainable_variance(r, image_ids)).all()
    assert np.isfinite(correlation_to_average(r, p, image_ids)).all()


def test_feve_is_not_defined_where_no_neuron_passes():
    r, p, image_ids = population()
    result = feve(r, p, image_ids, threshold=2.0)
    assert result.mean is None
    assert "no neuron" in result.reason
    assert feve(np.ones_like(r), p, image_ids).mean is None


def test_the_threshold_is_met_by_equality():
    r, p, image_ids = population()
    fev = fraction_explainable_variance(r, image_ids)
    assert feve(r, p, image_ids, threshold=float(fev[0])).neuron_mask[0]
    assert not feve(r, p, image_ids, threshold=float(np.nextafter(fev[0], 2))).neuron_mask[0]


def test_feve_is_not_clipped():
    r, p, image_ids = population(noise=0.2)
    assert feve(r, p + 100, image_ids).mean < -10


def test_a_large_offset_costs_no_digits():
    r, p, image_ids = population(seed=4)
    r, p = np.round(r * 2**20) / 2**20, np.round(p * 2**20) / 2**20  # the offset itself is then exact
    one, other = evaluate(r, p, image_ids), evaluate(r + 2**20, p + 2**20, image_ids)
    np.testing.assert_allclose(other.single_trial_correlation, one.single_trial_correlation, atol=1e-10)
    np.testing.assert_allclose(other.correlation_to_average, one.correlation_to_average, atol=1e-10)
    np.testing.assert_allclose(other.feve.values, one.feve.values, rtol=1e-9)


def test_float32_is_accumulated_in_float64():
    r, p, image_ids = population(images=100, most_repeats=12, dtype=np.float32)
    wide = evaluate(r.astype(np.float64), p.astype(np.float64), image_ids)
    np.testing.assert_array_equal(evaluate(r, p, image_ids).single_trial_correlation, wide.single_trial_correlation)


def test_a_value_that_is_not_finite_spoils_its_own_neuron_only():
    r, p, image_ids = population()
    p[5, 2] = np.nan
    metrics = evaluate(r, p, image_ids)
    assert np.flatnonzero(np.isnan(metrics.single_trial_correlation)).tolist() == [2]
    assert np.flatnonzero(np.isnan(single_trial_correlation(r, p))).tolist() == [2]


def test_blocks_of_neurons_do_not_change_the_result(monkeypatch):
    r, p, image_ids = population(neurons=50)
    whole = evaluate(r, p, image_ids)
    monkeypatch.setattr("striate.metrics.validation._BLOCK", 1)
    parts = evaluate(r, p, image_ids)
    np.testing.assert_allclose(parts.single_trial_correlation, whole.single_trial_correlation, rtol=1e-14)
    np.testing.assert_allclose(parts.correlation_to_average, whole.correlation_to_average, rtol=1e-14)
    np.testing.assert_allclose(parts.feve.values, whole.feve.values, rtol=1e-13)


def test_trials_grouped_once_serve_every_metric():
    r, p, image_ids = population()
    repeats = Repeats(image_ids)
    one, other = evaluate(r, p, repeats), evaluate(r, p, image_ids.astype(str))
    np.testing.assert_allclose(one.correlation_to_average, other.correlation_to_average, atol=1e-12)
    assert repeats.counts.sum() == len(r)
    for group in repeats.groups:
        for image, rows in zip(repeats.images[group.images], group.rows, strict=True):
            assert (image_ids[rows] == image).all()
            assert len(rows) == group.repeats


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda r, p, i: evaluate(r, p[:, :-1], i), "same trials × neurons"),
        (lambda r, p, i: evaluate(r, p, i[:-1]), "image ids"),
        (lambda r, p, i: single_trial_correlation(r[:, 0], p[:, 0]), "expected \\(trials, neurons\\)"),
        (lambda r, p, i: single_trial_correlation(r[:0], p[:0]), "at least one"),
        (lambda r, p, i: single_trial_correlation(r.astype(str), p), "real numbers"),
        (lambda r, p, i: Repeats(i[:, None]), "expected \\(trials,\\)"),
        (lambda r, p, i: fraction_explainable_variance(r, i[:3]), "3 image ids"),
    ],
)
def test_wrong_shapes_are_named(call, words):
    with pytest.raises(InputError, match=words):
        call(*population())


def test_a_real_size_takes_a_moment():
    rng = np.random.default_rng(0)
    r, p = rng.random((1000, 2000), dtype=np.float32), rng.random((1000, 2000), dtype=np.float32)
    metrics = evaluate(r, p, np.repeat(np.arange(100), 10))
    assert np.abs(metrics.single_trial_correlation).max() < 0.2
    assert metrics.feve.mean is None or metrics.feve.neuron_mask.sum() < 20


@pytest.mark.parametrize("axis", ["index", "columns"])
def test_tables_in_another_order_are_refused(axis):
    rng = np.random.default_rng(0)
    responses, predictions = (pd.DataFrame(rng.random((6, 3)), columns=[7, 8, 9]) for _ in range(2))
    expected = single_trial_correlation(responses.to_numpy(), predictions.to_numpy())
    np.testing.assert_array_equal(single_trial_correlation(responses, predictions), expected)
    other = predictions.iloc[::-1] if axis == "index" else predictions.iloc[:, ::-1]
    with pytest.raises(InputError, match=f"same labels in their {axis}, in another order"):
        single_trial_correlation(responses, other)
    np.testing.assert_array_equal(single_trial_correlation(responses, other.reindex_like(responses)), expected)
