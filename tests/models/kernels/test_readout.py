"""Sampling and projecting: against the formula written out, and the same however it is computed."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from striate.models.kernels import readout_reference, sample_and_project


def by_the_formula(maps: Tensor, positions: Tensor, features: Tensor, bias: Tensor) -> Tensor:
    """Bilinear interpolation pixel by pixel, zero outside; −1 and 1 are the centres of the outermost pixels."""
    batch, channels, height, width = maps.shape
    out = torch.empty(batch, len(features), dtype=maps.dtype)
    for b in range(batch):
        for n in range(len(features)):
            x, y = positions[n] if positions.ndim == 2 else positions[b, n]
            column, row = (float(x) + 1) / 2 * (width - 1), (float(y) + 1) / 2 * (height - 1)
            left, top = math.floor(column), math.floor(row)
            sampled = torch.zeros(channels, dtype=maps.dtype)
            for i, j in ((top, left), (top, left + 1), (top + 1, left), (top + 1, left + 1)):
                if 0 <= i < height and 0 <= j < width:
                    sampled += (1 - abs(row - i)) * (1 - abs(column - j)) * maps[b, :, i, j]
            out[b, n] = features[n] @ sampled + bias[n]
    return out


def case(seed: int, shared: bool, batch: int = 3, neurons: int = 5) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(batch, 4, 5, 7, generator=generator, dtype=torch.float64)
    shape = (neurons, 2) if shared else (batch, neurons, 2)
    positions = 3 * torch.rand(*shape, generator=generator, dtype=torch.float64) - 1.5
    features = torch.randn(neurons, 4, generator=generator, dtype=torch.float64)
    return maps, positions, features, torch.randn(neurons, generator=generator, dtype=torch.float64)


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6), shared=st.booleans())
def test_agrees_with_the_formula(seed: int, shared: bool) -> None:
    given_ = case(seed, shared)
    torch.testing.assert_close(sample_and_project(*given_), by_the_formula(*given_))


@pytest.mark.parametrize("shared", [True, False])
def test_shared_positions_are_the_same_as_repeated_ones(shared: bool) -> None:
    maps, positions, features, bias = case(1, shared=True)
    repeated = positions.expand(len(maps), -1, -1)
    torch.testing.assert_close(
        sample_and_project(maps, positions, features, bias), sample_and_project(maps, repeated, features, bias)
    )


@pytest.mark.slow
@pytest.mark.parametrize("shared", [True, False])
def test_gradients(shared: bool) -> None:
    inputs = tuple(t.requires_grad_() for t in case(2, shared))
    assert torch.autograd.gradcheck(sample_and_project, inputs)


@pytest.mark.parametrize("kept", [0, 2**30])
def test_blocks_of_neurons_change_nothing(monkeypatch: pytest.MonkeyPatch, kept: int) -> None:
    def outcome() -> list[Tensor]:
        inputs = [t.requires_grad_() for t in case(3, shared=False, neurons=11)]
        out = sample_and_project(*inputs)
        out.square().sum().backward()
        return [out.detach(), *(t.grad for t in inputs if t.grad is not None)]

    whole = outcome()
    monkeypatch.setattr(readout_reference, "_BLOCK_BYTES", 8 * 3 * 4 * 2)  # two neurons at a time
    monkeypatch.setattr(readout_reference, "_KEPT_BYTES", kept)
    assert len(whole) == 5
    for a, b in zip(whole, outcome(), strict=True):
        torch.testing.assert_close(a, b)


def test_the_first_coordinate_is_horizontal() -> None:
    maps = torch.arange(35.0).reshape(1, 1, 5, 7)
    corners = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])
    got = sample_and_project(maps, corners, torch.ones(4, 1), torch.zeros(4))
    np.testing.assert_allclose(got.numpy(), [[0, 6, 28, 34]])
