"""The bootstrap over images is what resampling the trials literally would give."""

import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.metrics import reference
from tests.metrics.populations import population, populations

from striate.errors import InputError
from striate.metrics import bootstrap, evaluate, paired_bootstrap
from striate.metrics.bootstrap import BootstrapEstimate, draw_image_counts

METRICS = ("single_trial_correlation", "correlation_to_average", "feve")


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def literal_resamples(r, p, image_ids, resamples, seed):
    """Draw rows of images, name each draw an image of its own, and score with the plain metrics."""
    images = np.unique(image_ids)
    extent = np.maximum(np.ptp(r, axis=0), np.ptp(p, axis=0)).astype(np.float64)
    values = []
    for drawn in draw_image_counts(len(images), resamples, seed).astype(int):
        rows, names = [], []
        for image in np.repeat(images, drawn):
            of_image = np.flatnonzero(image_ids == image)
            names += [len(rows)] * len(of_image)
            rows += of_image.tolist()
        scored = r[rows], p[rows], np.array(names)
        values.append([*reference.means(*scored), *tolerances(*scored, extent)])
    return np.array(values).T


def tolerances(r, p, image_ids, extent):
    """Bounds on the rounding errors of the three means of a resample.

    A resample's sums of squares are differences of sums about the mean of all trials, so that rounding counts by the
    square of what the values of all trials extend over, in standard deviations of the resample.
    """

    def bound(*arrays):
        with np.errstate(divide="ignore"):
            cancelled = sum((extent / values.astype(np.float64).std(axis=0)) ** 2 for values in arrays)
        error = reference.correlation_tolerance(*arrays) + 16 * reference.EPSILON * cancelled
        constant = np.any([np.ptp(values, axis=0) <= 16 * reference.EPSILON * extent for values in arrays], axis=0)
        return np.where(constant, 1e-7, error).mean()  # a constant has correlation 0, or nearly so by the added 1e-8

    fev, _ = reference.fev_and_feve(r, p, image_ids)
    kept = np.nan_to_num(fev, nan=-np.inf) >= 0.15
    feve = reference.feve_tolerance(r, p, image_ids, extent)[kept].sum()
    return bound(r, p), bound(reference.image_means(r, image_ids), reference.image_means(p, image_ids)), feve


@pytest.mark.slow
@settings(deadline=None, max_examples=25)
@given(populations, st.integers(0, 1000))
def test_equals_scoring_the_resampled_rows(data, seed):
    r, p, image_ids = data
    result = bootstrap(r, p, image_ids, resamples=6, seed=seed)
    expected = literal_resamples(r, p, image_ids, 6, seed)
    for metric, values, tolerance in zip(METRICS, expected[:3], expected[3:], strict=True):
        samples = getattr(result, metric).samples
        np.testing.assert_array_equal(np.isnan(samples), np.isnan(values))
        assert (np.nan_to_num(np.abs(samples - values)) <= tolerance).all(), metric


def test_a_neuron_that_answers_one_image_alone_is_constant_without_it():
    r, p, image_ids = population(images=4)
    r[:, 0] = np.where(image_ids == image_ids[0], r[:, 0], 0.7)
    result = bootstrap(r, p, image_ids, resamples=60)
    single, average, feve = literal_resamples(r, p, image_ids, 60, 0)[:3]
    np.testing.assert_allclose(result.single_trial_correlation.samples, single, atol=1e-9)
    np.testing.assert_allclose(result.correlation_to_average.samples, average, atol=1e-9)
    np.testing.assert_allclose(result.feve.samples, feve, rtol=1e-6)


def test_follows_its_seed_and_not_the_order_of_trials():
    r, p, image_ids = population(images=20)
    one = bootstrap(r, p, image_ids, resamples=50, seed=5)
    again = bootstrap(r, p, image_ids, resamples=50, seed=5)
    np.testing.assert_array_equal(one.single_trial_correlation.samples, again.single_trial_correlation.samples)
    order = np.random.default_rng(0).permutation(len(r))
    permuted = bootstrap(r[order], p[order], image_ids[order], resamples=50, seed=5)
    np.testing.assert_allclose(permuted.feve.samples, one.feve.samples, rtol=1e-9)
    assert (bootstrap(r, p, image_ids, resamples=50, seed=6).feve.samples != one.feve.samples).all()


@pytest.mark.slow
def test_is_the_same_to_the_last_digit_on_any_number_of_threads(monkeypatch):
    module = sys.modules[draw_image_counts.__module__]
    r, p, image_ids = population(images=20, neurons=800)
    found = []
    for threads in (1, 4):
        monkeypatch.setattr(module, "_MAX_THREADS", threads)
        monkeypatch.setattr(module.os, "cpu_count", lambda: 8)
        found.append(bootstrap(r, p, image_ids, resamples=1000, seed=5))
    one, several = found
    for metric in METRICS:
        np.testing.assert_array_equal(getattr(one, metric).samples, getattr(several, metric).samples)


def test_the_interval_holds_the_mean_and_has_the_width_of_the_percentiles():
    r, p, image_ids = population(images=60, neurons=30)
    result = bootstrap(r, p, image_ids, resamples=300)
    for metric, mean in evaluate(r, p, image_ids).means.items():
        resampled = getattr(result, metric)
        assert resampled.value == pytest.approx(mean, rel=1e-12)
        assert resampled.interval.low < mean < resampled.interval.high
        assert resampled.interval.level == 0.95
        low, high = np.quantile(resampled.samples, [0.025, 0.975])
        assert resampled.interval.high - resampled.interval.low == pytest.approx(high - low)
    narrow = bootstrap(r, p, image_ids, resamples=300, level=0.5).feve.interval
    assert narrow.high - narrow.low < result.feve.interval.high - result.feve.interval.low


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(populations, st.integers(0, 1000), st.sampled_from([0.5, 0.8, 0.95]))
def test_every_score_lies_within_its_interval(data, seed, level):
    r, p, image_ids = data
    found = bootstrap(r, p, image_ids, resamples=40, seed=seed, level=level)
    difference = paired_bootstrap(r, p, -p, image_ids, resamples=40, seed=seed, level=level)
    for resampled in (*vars(found).values(), *vars(difference).values()):
        if resampled is not None and (interval := resampled.interval) is not None:
            assert interval.low <= resampled.value <= interval.high
            assert np.isclose(
                interval.high - interval.low,
                np.subtract(*np.nanquantile(resampled.samples, [0.5 + level / 2, 0.5 - level / 2])),
            )


def test_one_resample_whose_denominator_is_near_0_does_not_move_the_interval():
    samples = np.linspace(0.6, 1.0, 101)
    plain = BootstrapEstimate(0.8, samples, 0.95).interval
    samples[-1] = 200.0  # its mean is 2.8
    moved = BootstrapEstimate(0.8, samples, 0.95).interval
    assert (moved.low, moved.high) == pytest.approx((plain.low, plain.high), abs=0.02)
    assert moved.low < 0.8 < moved.high


def test_the_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(60):
        tuning = np.repeat(rng.normal(0, 1, (40, 5)), 3, axis=0)
        r, p = tuning + rng.normal(0, 1, tuning.shape), tuning
        result = bootstrap(r, p, np.repeat(np.arange(40), 3), resamples=200, level=0.8)
        interval = result.single_trial_correlation.interval
        covered.append(interval.low < np.sqrt(0.5) < interval.high)
    assert 0.62 < np.mean(covered) < 0.95


def test_feve_has_no_interval_where_it_is_not_defined():
    r, p, image_ids = population()
    image_ids[0] = 987654
    result = bootstrap(r, p, image_ids, resamples=20)
    assert result.feve.value is None
    assert result.feve.interval is None
    assert result.single_trial_correlation.interval is not None
    difference = paired_bootstrap(r, p, p, image_ids, resamples=20).feve
    assert difference.interval is None
    assert not difference.excludes_zero


def test_one_image_is_enough_for_the_rest():
    r, p, _ = population()
    result = bootstrap(r, p, np.zeros(len(r)), resamples=5)
    np.testing.assert_allclose(
        result.single_trial_correlation.samples, reference.single_trial_correlation(r, p).mean(), rtol=1e-9
    )
    assert (result.correlation_to_average.samples == 0).all()


def test_a_paired_difference_uses_the_same_resamples():
    r, p, image_ids = population(images=30, neurons=10)
    better, worse = p, p + np.random.default_rng(0).normal(0, 1, p.shape)
    difference = paired_bootstrap(r, better, worse, image_ids, resamples=200, seed=2)
    one, other = (bootstrap(r, q, image_ids, resamples=200, seed=2) for q in (better, worse))
    np.testing.assert_allclose(difference.feve.samples, one.feve.samples - other.feve.samples)
    means = [evaluate(r, q, image_ids).means for q in (better, worse)]
    for metric in means[0]:
        assert getattr(difference, metric).value == pytest.approx(means[0][metric] - means[1][metric])
    assert difference.single_trial_correlation.excludes_zero
    swapped = paired_bootstrap(r, worse, better, image_ids, resamples=200, seed=2)
    assert swapped.feve.interval.high == pytest.approx(-difference.feve.interval.low)


def test_the_same_prediction_twice_is_no_difference():
    r, p, image_ids = population()
    difference = paired_bootstrap(r, p, p.copy(), image_ids, resamples=50).correlation_to_average
    assert difference.value == difference.interval.low == difference.interval.high == 0
    assert not difference.excludes_zero


@pytest.mark.parametrize(("settings_", "words"), [({"resamples": 0}, "at least one"), ({"level": 95}, "0.95")])
def test_senseless_settings_are_named(settings_, words):
    data = population()
    with pytest.raises(InputError, match=words):
        bootstrap(*data, **settings_)
    with pytest.raises(InputError, match=words):
        paired_bootstrap(data[0], data[1], data[1], data[2], **settings_)
