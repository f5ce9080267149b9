"""The losses, by their formulas."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from striate.training.losses import LOSSES, batch_weight, poisson

ARRAYS = hnp.arrays(np.float64, (2, 3, 4), elements=st.floats(0, 50))


@settings(deadline=None)
@given(both=ARRAYS)
def test_formulas(both: np.ndarray) -> None:
    p, r = both
    tensors = torch.from_numpy(p), torch.from_numpy(r)
    assert LOSSES["poisson"](*tensors).item() == pytest.approx((p - r * np.log(p + 1e-8)).sum(), abs=1e-9)
    assert LOSSES["squared_error"](*tensors).item() == pytest.approx(((p - r) ** 2).sum(), abs=1e-9)


@settings(deadline=None)
@given(both=ARRAYS)
def test_the_responses_themselves_are_the_best_prediction(both: np.ndarray) -> None:
    r, other = both + 0.1
    for loss in LOSSES.values():
        assert (
            loss(torch.from_numpy(r), torch.from_numpy(r)) <= loss(torch.from_numpy(other), torch.from_numpy(r)) + 1e-6
        )


def test_a_rate_of_zero_is_finite() -> None:
    assert torch.isfinite(poisson(torch.zeros(1), torch.ones(1)))


def test_the_weight_makes_short_batches_count_as_long_ones() -> None:
    assert batch_weight(6955, 128) == pytest.approx(np.sqrt(6955 / 128))
    assert 32 * batch_weight(1000, 32) ** 2 == pytest.approx(1000)
