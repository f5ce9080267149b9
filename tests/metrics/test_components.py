"""The metrics of striate pass the conformance suite that those of other packages derive from."""

import numpy as np
import pytest

from striate.metrics import Repeats, evaluate
from striate.registry import metrics
from striate.testing import MetricTests


class TestSingleTrialCorrelation(MetricTests):
    settings = {"type": "single_trial_correlation"}


class TestCorrelationToAverage(MetricTests):
    settings = {"type": "correlation_to_average"}


class TestFeve(MetricTests):
    settings = {"type": "feve"}


class TestNormalisedCorrelation(MetricTests):
    settings = {"type": "cc_norm"}


@pytest.mark.parametrize("name", ["single_trial_correlation", "correlation_to_average", "feve", "cc_norm"])
def test_alone_and_together_metrics_have_the_same_values(name: str) -> None:
    suite = TestFeve()
    responses, expected, image_ids = suite.responses(), suite.expected(), suite.image_ids()
    together = getattr(evaluate(responses, expected, image_ids), name)
    values = getattr(together, "values", together)
    alone = metrics[name].value(responses, expected, Repeats(image_ids))
    np.testing.assert_allclose(alone, values, rtol=1e-12)
