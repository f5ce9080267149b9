"""The ELU where nothing is differentiated: PyTorch's, but for rounding, whatever the numbers."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch.nn import functional as F

from striate.models.kernels import use_backend
from striate.models.kernels.elu import elu_

SHAPES = hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=9)


@pytest.mark.slow
@settings(deadline=None)
@given(hnp.arrays(np.float32, SHAPES, elements=st.floats(width=32)))
def test_agrees_with_pytorch(values: np.ndarray) -> None:
    """Also for NaN, infinities, and numbers too small for a normal float."""
    given_ = torch.from_numpy(values.copy())
    result = elu_(given_)
    assert result is given_
    torch.testing.assert_close(result, F.elu(torch.from_numpy(values)), rtol=3e-7, atol=2e-7, equal_nan=True)


def test_over_the_whole_range() -> None:
    values = torch.linspace(-100, 5, 1_000_003)
    expected = torch.where(values > 0, values.double(), values.double().expm1())
    assert (elu_(values.clone()).double() - expected).abs().max() < 1.2e-7
    assert torch.equal(values[values > 0], elu_(values.clone())[values > 0])


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_layouts_and_types(layout: torch.memory_format) -> None:
    values = torch.randn(3, 5, 6, 7).contiguous(memory_format=layout)
    torch.testing.assert_close(elu_(values.clone(memory_format=layout)), F.elu(values))
    whole = torch.randn(6, 8)
    rest = whole.clone()
    torch.testing.assert_close(elu_(whole[:, 2:5]), F.elu(rest[:, 2:5]))  # not dense: its neighbours are left alone
    assert torch.equal(whole[:, :2], rest[:, :2])
    assert torch.equal(whole[:, 5:], rest[:, 5:])
    assert torch.equal(elu_(values.double()), F.elu(values.double()))
    assert elu_(torch.empty(0, 3)).shape == (0, 3)
    with use_backend("reference"):
        assert torch.equal(elu_(values.clone(memory_format=layout)), F.elu(values))


def test_where_gradients_are_wanted_they_are_there() -> None:
    values = torch.randn(4, 5, requires_grad=True)
    elu_(values * 1).sum().backward()
    torch.testing.assert_close(values.grad, torch.where(values > 0, 1.0, values.exp()).detach())
