"""The metrics agree with values computed by the benchmark's own scorer."""

import json

import numpy as np
import pytest

from striate.metrics import correlation_to_average, evaluate, feve, single_trial_correlation


@pytest.mark.parametrize("name", ["metrics_small", "metrics_edge"])
def test_each_neuron_agrees_to_nine_digits(shared, name):
    with np.load(shared / "golden" / f"{name}.npz") as golden:
        columns = np.argsort(golden["unit_ids"])
        np.testing.assert_array_equal(golden["unit_ids"][columns], golden["unit_ids_sorted"])
        r, p, image_ids = golden["responses"][:, columns], golden["predictions"][:, columns], golden["image_ids"]
        single, average = golden["expected_single"], golden["expected_average"]
        explained = golden["expected_feve"]
    for metrics in (evaluate(r, p, image_ids), evaluate(r.astype(np.float64), p.astype(np.float64), image_ids)):
        np.testing.assert_allclose(metrics.single_trial_correlation, single, rtol=0, atol=1e-9)
        np.testing.assert_allclose(metrics.correlation_to_average, average, rtol=0, atol=1e-9)
        np.testing.assert_allclose(metrics.feve.values[metrics.feve.neuron_mask], explained, rtol=0, atol=1e-9)
    np.testing.assert_allclose(single_trial_correlation(r, p), single, rtol=0, atol=1e-9)
    np.testing.assert_allclose(correlation_to_average(r, p, image_ids), average, rtol=0, atol=1e-9)
    assert feve(r, p, image_ids).neuron_mask.sum() == len(explained)


def test_means_agree(shared):
    expected = json.loads((shared / "golden" / "metrics_small.json").read_text())
    with np.load(shared / "golden" / "metrics_small.npz") as golden:
        means = evaluate(golden["responses"], golden["predictions"], golden["image_ids"]).means
    assert means == {
        "single_trial_correlation": pytest.approx(expected["single"], abs=1e-9),
        "correlation_to_average": pytest.approx(expected["average"], abs=1e-9),
        "feve": pytest.approx(expected["feve"], abs=1e-9),
    }
