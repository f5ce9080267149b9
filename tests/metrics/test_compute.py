"""Any registered metric has values and intervals, as the metrics of striate have them."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from striate.errors import InputError
from striate.metrics import bootstrap, bootstrap_metric, compute_metric, describe_metric
from striate.metrics.compute import affordable_resamples
from striate.metrics.registered import registered_info
from striate.registry import metrics


@pytest.fixture
def register() -> Iterator[Callable[[Any], str]]:
    def add(function: Any) -> str:
        function.__module__ = __name__
        metrics.register("tested")(function)
        return "tested"

    yield add
    metrics.forget(__name__)


def data() -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(0)
    image_ids = rng.permutation(np.repeat(np.arange(12), [2, 3, 4] * 4))
    predictions = rng.normal(size=(12, 6))[image_ids]
    return predictions + rng.normal(scale=0.5, size=predictions.shape), predictions, image_ids


@pytest.mark.parametrize("name", ["single_trial_correlation", "correlation_to_average", "feve", "cc_norm"])
def test_resamples_are_those_of_the_joint_bootstrap(name: str) -> None:
    together = getattr(bootstrap(*data(), resamples=30, seed=4), name)
    alone = bootstrap_metric(name, *data(), resamples=30, seed=4)
    assert alone.value == pytest.approx(together.value)
    np.testing.assert_allclose(alone.samples, together.samples, rtol=1e-6)


def test_fewer_resamples_are_the_first_of_more() -> None:
    few, many = (bootstrap_metric("feve", *data(), resamples=count).samples for count in (5, 10))
    np.testing.assert_array_equal(few, many[:5])


def test_large_recordings_have_fewer_resamples() -> None:
    assert affordable_resamples(1000, 600, 40) == 1000
    assert affordable_resamples(1000, 2**16, 2**14) == 50
    assert affordable_resamples(20, 2**16, 2**14) == 20
    assert affordable_resamples(0, 600, 40) == 0


def test_neurons_that_do_not_count_are_left_out_of_the_mean(register: Callable[[Any], str]) -> None:
    name = register(lambda r, p, repeats: np.where(np.arange(r.shape[1]) < 2, np.nan, 3.0))
    estimate = bootstrap_metric(name, *data(), resamples=5)
    assert (estimate.value, set(estimate.samples)) == (3.0, {3.0})


def broken(r: Any, p: Any, repeats: Any) -> Any:
    raise KeyError("images")


def writing(r: Any, p: Any, repeats: Any) -> Any:
    r -= p
    return r.mean(axis=0)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (broken, "raised KeyError: 'images'"),
        (writing, "read-only"),
        (lambda r, p, repeats: r.mean(), "returned float64 of shape ()"),
        (lambda r, p, repeats: r.mean(axis=1), "each of the 6 neurons"),
        (lambda r, p, repeats: ["a"] * r.shape[1], "returned <U1"),
        (lambda r, p, repeats: r.mean(axis=0) * np.inf, "infinite"),
        (lambda r, p, repeats: None, "returned object"),
    ],
)
def test_a_metric_that_fails_is_named(register: Callable[[Any], str], function: Any, words: str) -> None:
    with pytest.raises(InputError) as raised:
        compute_metric(register(function), *data())
    assert words in str(raised.value)
    assert "'tested'" in str(raised.value)
    assert "MetricTests" in str(raised.value)


def test_a_metric_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InputError, match=r"no metric 'fev'.*feve"):
        compute_metric("fev", *data())


def test_the_label_of_a_plain_metric_is_its_name(register: Callable[[Any], str]) -> None:
    assert registered_info(register(lambda r, p, repeats: r.mean(axis=0))).label == "tested"
    described = describe_metric("error", higher_is_better=False, ratio=True)(lambda r, p, repeats: r.mean(axis=0))
    metrics.forget(__name__)
    info = registered_info(register(described))
    assert (info.label, info.higher_is_better, info.ratio) == ("error", False, True)
