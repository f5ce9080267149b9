"""Arrays of whatever models return."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.messages import assert_short
from tests.fixtures.recordings import small_recording

import striate
from striate._internal.arrays import as_array
from striate.errors import InputError
from striate.metrics import single_trial_correlation
from striate.submissions import Submission, Truth, score_array

TYPES = (torch.bfloat16, torch.float16, torch.float32, torch.float64, torch.float8_e5m2)


@pytest.mark.parametrize("dtype", TYPES)
def test_predictions_of_any_precision_are_taken_everywhere(dtype: torch.dtype) -> None:
    recording = small_recording()
    values = torch.rand(18, 12).add(0.5).to(dtype).requires_grad_()
    expected = values.detach().float().numpy()
    truth = Truth.from_recording(recording)
    submission = Submission.from_array(recording, values, protocol="image")
    np.testing.assert_array_equal(submission.predictions, expected)
    by_rows = dict(zip(recording.rows("test").tolist(), values, strict=True))
    called = Submission.from_callable(
        recording, lambda _, rows: torch.stack([by_rows[row] for row in rows.tolist()]), protocol="image"
    )
    np.testing.assert_array_equal(called.predictions, expected)
    predicted = striate.predict(lambda batch: torch.stack([by_rows[row] for row in batch.rows.tolist()]), recording)
    np.testing.assert_array_equal(predicted.values, expected)
    assert score_array(values, truth, bootstrap=0).tiers == score_array(expected, truth, bootstrap=0).tiers
    np.testing.assert_array_equal(
        single_trial_correlation(truth.responses, values), single_trial_correlation(truth.responses, expected)
    )


def test_a_model_under_autocast() -> None:
    layer = torch.nn.Linear(18 * 32, 12)

    def model(batch: Any) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            rates = torch.relu(layer(batch.images.flatten(1)))
        assert rates.dtype == torch.bfloat16
        return rates

    assert striate.predict(model, small_recording(), data={"image_size": "original"}).values.dtype == np.float32


@pytest.mark.slow
@given(st.lists(st.lists(st.floats(-10, 10), min_size=3, max_size=3), min_size=1, max_size=5))
def test_lists_and_lists_of_tensors(rows: list[list[float]]) -> None:
    expected = np.array(rows)
    np.testing.assert_array_equal(as_array(rows, "rates"), expected)
    tensors = [torch.tensor(row, dtype=torch.float64, requires_grad=True) for row in rows]
    np.testing.assert_array_equal(as_array(tensors, "rates"), expected)


@pytest.mark.parametrize(
    "values", [[[1, 2], [3]], "text", [["a"]], None, object(), {"a": 1}, [1, None], 1j, {1, 2}, [torch.ones(2), 1]]
)
def test_what_is_no_array_is_refused_in_one_sentence(values: Any) -> None:
    with pytest.raises(InputError, match=r"^The rates are .*numbers") as caught:
        as_array(values, "rates")
    assert_short(caught.value)
    assert "\n" not in str(caught.value)
