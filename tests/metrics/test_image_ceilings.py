"""Ceilings of a model that sees the image alone, and the correlation normalised by them."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.metrics import reference
from tests.metrics.populations import population, populations

from striate import metrics
from striate.metrics import Interval
from striate.metrics.bootstrap import BootstrapEstimate
from striate.metrics.score_summary import summarise_scores, too_few_images_reason


def simulated(seed=0, images=150, neurons=40, ragged=True, strength=(0.4, 1.5), noise=1.5, gain=0.0):
    """Responses, expected responses to the images, expected responses given the behaviour too, and image ids."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(5, 11, images) if ragged else np.full(images, 8)
    image_ids = np.repeat(np.arange(images), counts)
    signal = (rng.gamma(1.0, 1.0, (images, neurons)) * rng.uniform(*strength, neurons))[image_ids]
    expected = signal * (1 + gain * rng.normal(0, 1, (len(image_ids), 1)))
    return expected + rng.normal(0, noise, signal.shape), signal, expected, image_ids


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(populations)
def test_ceilings_equal_the_plain_form(data):
    r, p, image_ids = data
    single, average = reference.ceilings(r, image_ids)
    np.testing.assert_allclose(metrics.single_trial_ceiling(r, image_ids).values, single, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(metrics.cc_max(r, image_ids).values, average, rtol=1e-6, atol=1e-6)
    found = metrics.evaluate(r, p, image_ids)
    np.testing.assert_array_equal(found.cc_max.values, metrics.cc_max(r, image_ids).values)
    counting = ~np.isnan(found.cc_norm.values)
    np.testing.assert_array_equal(counting, found.feve.neuron_mask & (found.cc_max.values > 0))
    norm = found.correlation_to_average[counting] / found.cc_max.values[counting]
    np.testing.assert_allclose(found.cc_norm.values[counting], norm)
    np.testing.assert_array_equal(found.cc_norm.values, metrics.cc_norm(r, p, image_ids).values)


@pytest.mark.slow
@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.sampled_from([(2, 2), (2, 3), (2, 4), (3, 2), (3, 3), (5, 2)]))
def test_cc_max_is_that_of_schoppe_averaged_over_all_ways_to_number_the_repeats(seed, shape):
    images, repeats = shape
    table = np.random.default_rng(seed).gamma(2.0, 1.0, shape)
    powers = []
    for numbering in itertools.product(itertools.permutations(range(repeats)), repeat=images):
        numbered = np.take_along_axis(table, np.array(numbering), axis=1)
        power_of_trials = numbered.var(axis=0, ddof=1).mean()
        powers.append((repeats * numbered.mean(axis=1).var(ddof=1) - power_of_trials) / (repeats - 1))
    expected = np.sqrt(max(np.mean(powers), 0) / table.mean(axis=1).var(ddof=1))
    found = metrics.cc_max(table.reshape(-1, 1), np.repeat(np.arange(images), repeats)).values[0]
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("ragged", [True, False])
def test_the_expected_response_reaches_the_ceilings(ragged):
    r, expected, _, image_ids = simulated(ragged=ragged)
    found = metrics.evaluate(r, expected, image_ids)
    intervals = metrics.bootstrap(r, expected, image_ids, resamples=300)
    single, average = intervals.single_trial_ceiling.interval, intervals.cc_max.interval
    assert single.low < found.means["single_trial_correlation"] < single.high
    assert average.low < found.means["correlation_to_average"] < average.high
    assert intervals.cc_norm.interval.low < 1 < intervals.cc_norm.interval.high
    assert found.cc_norm.mean == pytest.approx(1, abs=0.02)
    oracle = metrics.jackknife_oracle(r, image_ids).mean
    assert oracle < found.means["single_trial_correlation"]  # which is why it is no ceiling


@pytest.mark.slow
def test_no_predictor_of_the_image_alone_exceeds_the_ceilings_in_expectation():
    """The root of an unbiased estimate X is low by Var(X) / 8 E(X)^1.5; beyond that and four standard errors nothing passes."""
    predictors = {
        "expected": lambda s, rng: s,
        "root": lambda s, rng: np.sqrt(s),
        "square": lambda s, rng: s**2,
        "noisy": lambda s, rng: s + rng.normal(0, 0.2, (1, s.shape[1])),
    }
    excess = {name: [] for name in predictors}
    squares = []
    for seed in range(30):
        r, signal, _, image_ids = simulated(seed, images=80, neurons=10, strength=(0.8, 1.5))
        ceilings = [metrics.single_trial_ceiling(r, image_ids).mean, metrics.cc_max(r, image_ids).mean]
        squares.append(
            np.square([metrics.single_trial_ceiling(r, image_ids).values, metrics.cc_max(r, image_ids).values])
        )
        for name, predictor in predictors.items():
            means = metrics.evaluate(r, predictor(signal, np.random.default_rng(seed)), image_ids).means
            excess[name].append(
                np.subtract([means["single_trial_correlation"], means["correlation_to_average"]], ceilings)
            )
    spread = np.array(squares)  # (populations, 2, neurons)
    low = (spread.var(axis=0) / (8 * spread.mean(axis=0) ** 1.5)).mean(axis=-1)
    assert (low < 0.01).all()
    for name, found in excess.items():
        mean, error = np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / np.sqrt(len(found))
        assert (mean < low + 4 * error).all(), name
    assert (np.mean(excess["square"], axis=0) < -0.01).all()  # the check can fail


def test_behaviour_lifts_a_model_above_the_ceiling():
    r, signal, with_behavior, image_ids = simulated(gain=0.6, noise=0.5)
    ceiling = metrics.single_trial_ceiling(r, image_ids).mean
    assert metrics.single_trial_correlation(r, signal).mean() == pytest.approx(ceiling, abs=0.01)
    assert metrics.single_trial_correlation(r, with_behavior).mean() > ceiling + 0.1


def test_neurons_without_signal_and_constant_neurons_have_ceiling_0_and_no_normalised_correlation():
    r = np.array([[1.0, 5.0, 1.0], [2.0, 5.0, 2.0], [2.0, 5.0, 5.0], [1.0, 5.0, 6.0]])  # none, constant, much
    found = metrics.evaluate(r, r, [0, 0, 1, 1])
    np.testing.assert_array_equal(found.single_trial_ceiling.values[:2], 0)
    np.testing.assert_array_equal(found.cc_max.values[:2], 0)
    np.testing.assert_array_equal(np.isnan(found.cc_norm.values), [True, True, False])
    assert found.cc_max.mean == pytest.approx(found.cc_max.values.mean())
    none = metrics.cc_norm(r[:, :2], r[:, :2], [0, 0, 1, 1])
    assert none.mean is None
    assert "15 %" in none.reason


def test_images_shown_once_count_with_the_noise_of_the_others():
    r, signal, _, image_ids = simulated(images=400)
    once = np.isin(image_ids, np.arange(0, 400, 2))
    first = np.r_[True, image_ids[1:] != image_ids[:-1]]
    kept = ~once | first
    r, signal, image_ids = r[kept], signal[kept], image_ids[kept]
    found = metrics.evaluate(r, signal, image_ids)
    assert found.feve.mean is None  # by the benchmark's definition
    assert found.means["single_trial_correlation"] == pytest.approx(found.single_trial_ceiling.mean, abs=0.02)
    assert found.cc_norm.mean == pytest.approx(1, abs=0.02)
    resampled = metrics.bootstrap(r, signal, image_ids, resamples=50)
    assert resampled.feve.interval is None
    assert isinstance(resampled.cc_max.interval, Interval)


def test_without_repeats_there_is_no_ceiling():
    r, p, _ = population()
    found = metrics.evaluate(r, p, np.arange(len(r)))
    for each in (found.single_trial_ceiling, found.cc_max, found.cc_norm):
        assert each.mean is None
        assert "more than once" in each.reason
        assert np.isnan(each.values).all()
    resampled = metrics.bootstrap(r, p, np.arange(len(r)), resamples=20)
    assert resampled.cc_norm.interval is resampled.cc_max.interval is resampled.single_trial_ceiling.interval is None
    one_image = metrics.evaluate(r, p, np.zeros(len(r)))
    assert "only one image" in one_image.cc_max.reason
    assert one_image.single_trial_ceiling.mean is not None


@settings(deadline=None, max_examples=20)
@given(populations, st.integers(0, 2**32 - 1))
def test_ceilings_do_not_depend_on_scale_or_on_the_order_of_trials(data, seed):
    r, _, image_ids = data
    order = np.random.default_rng(seed).permutation(len(r))
    for ceiling in (metrics.single_trial_ceiling, metrics.cc_max):
        again = ceiling(4 * r[order].astype(np.float64), image_ids[order]).values
        # the square has the rounding error of the sums, which its root makes large near 0
        np.testing.assert_allclose(again**2, ceiling(r.astype(np.float64), image_ids).values ** 2, atol=1e-9)


def test_a_paired_difference_has_a_normalised_correlation_and_no_ceiling():
    r, signal, _, image_ids = simulated(images=60, neurons=10)
    difference = metrics.paired_bootstrap(r, signal, -signal, image_ids, resamples=50)
    assert difference.cc_norm.value == pytest.approx(2 * metrics.cc_norm(r, signal, image_ids).mean)
    assert difference.cc_max is difference.single_trial_ceiling is None


def drawn(value, low, high, undefined=0.0):
    """A resampled mean whose 95 % interval reaches from low to high."""
    centre, width = (low + high) / 2, (high - low) / 0.95
    samples = centre + width * (np.linspace(0, 1, 401) - 0.5)
    samples[np.linspace(0, 400, round(401 * undefined)).astype(int)] = np.nan
    return BootstrapEstimate(value, samples, 0.95)


def test_an_interval_of_a_ratio_that_tells_nothing_means_too_few_images():
    assert "too few images: 6" in str(too_few_images_reason(drawn(-2.0, -6.9, -0.5), 6))
    assert "6 leave" in str(too_few_images_reason(drawn(0.5, -0.4, 0.9), 6))
    assert too_few_images_reason(drawn(0.4, 0.1, 0.7), 100) is None
    assert too_few_images_reason(drawn(-49.0, -54.0, -44.0), 100) is None  # a bad model, told apart from a perfect one
    assert (
        too_few_images_reason(BootstrapEstimate(None, np.full(9, np.nan), 0.95), 6) is None
    )  # not defined, for another reason
    assert "no neuron counts in 20 %" in str(too_few_images_reason(drawn(0.5, 0.4, 0.6, undefined=0.2), 6))
    assert too_few_images_reason(drawn(0.5, 0.4, 0.6, undefined=0.02), 6) is None


def test_the_level_of_the_shown_interval_does_not_decide_whether_images_are_too_few():
    wide = drawn(0.5, -0.4, 0.9)
    assert too_few_images_reason(BootstrapEstimate(wide.value, wide.samples, 0.5), 6) == too_few_images_reason(wide, 6)


def test_a_score_of_too_few_images_is_neither_feve_nor_cc_norm():
    r, signal, _, image_ids = simulated(images=4, neurons=3, noise=0.5, ragged=False)
    p = np.roll(signal, 8, axis=0)  # the expected responses to other images
    found = metrics.evaluate(r, p, image_ids)
    assert found.feve.mean is not None
    said = summarise_scores(found, metrics.bootstrap(r, p, image_ids, resamples=200), 4)
    for name in ("feve", "cc_norm"):
        assert said[name].mean is said[name].interval is None
        assert said[name].too_few
    assert said["correlation_to_average"].mean == found.means["correlation_to_average"]
    without = summarise_scores(found, None, 4)
    assert without["feve"].mean == found.feve.mean  # nothing can tell
    r, signal, _, image_ids = simulated(images=60)
    many = summarise_scores(
        metrics.evaluate(r, signal, image_ids), metrics.bootstrap(r, signal, image_ids, resamples=200), 60
    )
    assert all(each.mean is not None for each in many.values())
