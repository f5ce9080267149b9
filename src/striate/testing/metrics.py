"""Conformance suite for metrics."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from striate.metrics import Repeats
from striate.metrics.metric_info import MetricInfo
from striate.metrics.registered import registered_info
from striate.registry import metrics

Floats = NDArray[np.float64]

_IMAGES, _REPEATS, _NEURONS = 15, 6, 5


class MetricTests:
    """Test suite for a metric: derive a class from it in a test module, name the metric, and run pytest.

    ::

        from striate.testing import MetricTests

        class TestSpearman(MetricTests):
            settings = {"type": "spearman"}

    Attributes
    ----------
    settings
        Settings of the metric, with the key ``type``.
    """

    settings: ClassVar[Mapping[str, Any]] = {}

    def metric(self) -> Callable[[Floats, Floats, Repeats], Floats]:
        """Return the metric as a function of responses, predictions and repeats."""
        return metrics.function(metrics.settings(self.settings))

    def info(self) -> MetricInfo:
        """Return the label and the direction of the metric."""
        return registered_info(self.settings["type"])

    def image_ids(self) -> NDArray[np.int64]:
        """Return the image ids of 90 trials: 15 images, each shown 6 times."""
        return np.repeat(np.arange(_IMAGES), _REPEATS)

    def expected(self) -> Floats:
        """Return the expected responses of 5 neurons in these trials, (T, N), the same each time."""
        rates = np.random.default_rng(0).gamma(2.0, size=(_IMAGES, _NEURONS))
        return np.repeat(rates, _REPEATS, axis=0)

    def responses(self) -> Floats:
        """Return the responses to the images: the expected ones, and noise, (T, N)."""
        expected = self.expected()
        return expected + np.random.default_rng(1).normal(scale=0.4, size=expected.shape)

    def compute(self, responses: Floats, predictions: Floats, image_ids: NDArray[np.int64]) -> Floats:
        """Return the values of the neurons."""
        return self.metric()(responses, predictions, Repeats(image_ids))

    def test_there_is_a_description(self) -> None:
        """The docstring begins with a sentence about the metric, and the metric has a label."""
        assert metrics[self.settings["type"]].summary
        assert self.info().label.strip()

    def test_there_is_a_value_for_each_neuron(self) -> None:
        """Values are float64 of shape (N,), and finite for neurons that respond to the images; one neuron is enough."""
        responses, expected, image_ids = self.responses(), self.expected(), self.image_ids()
        values = self.compute(responses, expected, image_ids)
        assert isinstance(values, np.ndarray)
        assert values.shape == (_NEURONS,)
        assert values.dtype == np.float64
        assert np.isfinite(values).all()
        np.testing.assert_allclose(self.compute(responses[:, :1], expected[:, :1], image_ids).shape, (1,))

    def test_results_are_deterministic(self) -> None:
        """Equal inputs give equal values."""
        inputs = self.responses(), self.expected(), self.image_ids()
        np.testing.assert_array_equal(self.compute(*inputs), self.compute(*inputs))

    def test_the_order_of_trials_does_not_matter(self) -> None:
        """Other orders of the trials give the same values."""
        responses, expected, image_ids = self.responses(), self.expected(), self.image_ids()
        order = np.random.default_rng(2).permutation(len(image_ids))
        shuffled = self.compute(responses[order], expected[order], image_ids[order])
        np.testing.assert_allclose(shuffled, self.compute(responses, expected, image_ids), rtol=1e-9, atol=1e-9)

    def test_the_order_of_neurons_does_not_matter(self) -> None:
        """Values follow their neurons."""
        responses, expected, image_ids = self.responses(), self.expected(), self.image_ids()
        order = np.array([3, 0, 4, 1, 2])
        values = self.compute(responses, expected, image_ids)
        np.testing.assert_allclose(
            self.compute(responses[:, order], expected[:, order], image_ids), values[order], rtol=1e-9, atol=1e-9
        )

    def test_inputs_are_not_changed(self) -> None:
        """Responses and predictions are the same afterwards; `striate.score` passes arrays that cannot be written."""
        responses, expected = self.responses(), self.expected()
        for array in (responses, expected):
            array.setflags(write=False)
        self.compute(responses, expected, self.image_ids())

    def test_constant_predictions_are_no_error(self) -> None:
        """A neuron with constant predictions or responses has a finite value or NaN, and leaves the others unchanged."""
        responses, expected, image_ids = self.responses(), self.expected(), self.image_ids()
        values = self.compute(responses, expected, image_ids)
        for constant in ("predictions", "responses"):
            r, p = responses.copy(), expected.copy()
            (p if constant == "predictions" else r)[:, 2] = 1.0
            changed = self.compute(r, p, image_ids)
            assert not np.isinf(changed).any()
            others = [0, 1, 3, 4]
            np.testing.assert_allclose(changed[others], values[others], rtol=1e-9, atol=1e-9)

    def test_images_without_repeats_are_no_error(self) -> None:
        """If each image is shown once, values are finite or NaN."""
        responses, expected = self.responses(), self.expected()
        values = self.compute(responses, expected, np.arange(len(responses)))
        assert values.shape == (_NEURONS,)
        assert not np.isinf(values).any()

    def test_good_predictions_are_better_than_others(self) -> None:
        """The expected responses score better than constant or shuffled ones, in the direction that the metric declares."""
        responses, expected, image_ids = self.responses(), self.expected(), self.image_ids()
        sign = 1 if self.info().higher_is_better else -1
        best = sign * self.compute(responses, expected, image_ids)
        shuffled = np.roll(expected, _REPEATS, axis=0)
        for others in (shuffled, np.broadcast_to(responses.mean(axis=0), responses.shape).copy()):
            worse = sign * self.compute(responses, others, image_ids)
            assert (best >= worse)[~np.isnan(worse)].all()
