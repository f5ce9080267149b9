"""Batch normalisation and ELU in one: PyTorch's values, gradients and running statistics."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from striate.models.kernels import batchnorm_elu, use_backend
from striate.models.kernels.batchnorm_elu import normalised_elu

pytest.importorskip("numba", reason="the fused kernel on a CPU needs numba")


@st.composite
def cases(draw: st.DrawFn) -> tuple[nn.BatchNorm2d, Tensor, Tensor]:
    """Maps of any size, also far from zero, and slopes in any memory layout."""
    batch, channels, height, width = (draw(st.integers(1, 9)) for _ in range(4))
    if batch * height * width == 1:
        batch = 2
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    shape = batch, channels, height, width
    norm = nn.BatchNorm2d(channels, momentum=draw(st.sampled_from([0.1, 0.9, 1.0])))
    for parameter in (norm.weight, norm.bias):
        parameter.data = torch.randn(channels, generator=generator)
    maps = torch.randn(shape, generator=generator) * draw(st.sampled_from([1.0, 30.0]))
    maps += draw(st.sampled_from([0.0, 100.0])) * torch.randn(channels, 1, 1, generator=generator)
    slopes = torch.randn(shape, generator=generator)
    layout = draw(st.sampled_from([torch.channels_last, torch.contiguous_format]))
    return norm, maps.contiguous(memory_format=torch.channels_last), slopes.contiguous(memory_format=layout)


def outcome(chosen: str, norm: nn.BatchNorm2d, maps: Tensor, slopes: Tensor) -> list[Tensor]:
    """Values, gradients in maps, weight and bias, and what is kept of two batches."""
    norm, maps = copy.deepcopy(norm), maps.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    with use_backend(chosen):  # type: ignore[arg-type]
        values = normalised_elu(maps * 1, norm)
        values.backward(slopes)
        normalised_elu(2 * maps, norm)
    gradients = [t.grad for t in (maps, norm.weight, norm.bias) if t.grad is not None]
    return [values.detach(), *gradients, *(buffer.clone() for buffer in norm.buffers())]


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(cases())
def test_agrees_with_the_plain_form(case: tuple[nn.BatchNorm2d, Tensor, Tensor]) -> None:
    norm, maps, slopes = case
    fused = outcome("auto", norm, maps, slopes)
    exact = outcome("reference", copy.deepcopy(norm).double(), maps.double(), slopes.double())
    assert len(fused) == len(exact) == 7
    # few numbers may nearly be equal: then their spread, which they are divided by, is what rounding makes of it
    spread = (maps.double().var(dim=(0, 2, 3), correction=0) + norm.eps).sqrt()
    scale = (1 + maps.abs().max() / spread.min() * 1e-2).item()
    for a, b in zip(fused, exact, strict=True):
        torch.testing.assert_close(a.double(), b.double(), rtol=1e-4 * scale, atol=1e-4 * scale)


def test_at_the_size_of_a_core_it_is_as_exact_as_pytorch() -> None:
    norm, maps = nn.BatchNorm2d(64), (3 + torch.randn(4, 64, 28, 56)).contiguous(memory_format=torch.channels_last)
    slopes = torch.randn_like(maps)
    exact = outcome("reference", copy.deepcopy(norm).double(), maps.double(), slopes.double())
    for ours, plain, truth in zip(
        outcome("auto", norm, maps, slopes), outcome("reference", norm, maps, slopes), exact, strict=True
    ):
        assert (ours - truth).abs().max() <= 2 * (plain - truth).abs().max() + 1e-6


def test_the_same_threads_give_the_same_bits() -> None:
    norm, maps = nn.BatchNorm2d(5), torch.randn(7, 5, 9, 11).contiguous(memory_format=torch.channels_last)
    first = outcome("auto", norm, maps, maps)
    for _ in range(5):
        again = outcome("auto", norm, maps, maps)
        assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_it_is_used_and_only_where_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[int] = []
    real = batchnorm_elu._normalised_elu
    monkeypatch.setattr(batchnorm_elu, "_normalised_elu", lambda *given_: used.append(1) or real(*given_))
    maps = torch.randn(4, 3, 5, 6).contiguous(memory_format=torch.channels_last)
    normalised_elu(maps, nn.BatchNorm2d(3))
    assert used == [1]
    fixed, watched, seen = nn.BatchNorm2d(3).eval(), nn.BatchNorm2d(3), []
    watched.register_forward_hook(lambda *given_: seen.append(1))
    for norm in (
        fixed,
        watched,
        nn.BatchNorm2d(3, affine=False),
        nn.BatchNorm2d(3, track_running_stats=False),
        nn.BatchNorm2d(3, momentum=None),
    ):
        with use_backend("reference"):
            expected = normalised_elu(maps, copy.deepcopy(norm))
        torch.testing.assert_close(normalised_elu(maps, norm), expected)
    normalised_elu(maps.double(), nn.BatchNorm2d(3).double())
    normalised_elu(maps.contiguous(), nn.BatchNorm2d(3))
    assert used == [1]
    assert seen == [1, 1]
    assert torch.equal(fixed.running_mean, torch.zeros(3))  # type: ignore[arg-type]


def test_one_number_has_no_spread() -> None:
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        normalised_elu(torch.randn(1, 3, 1, 1), nn.BatchNorm2d(3))


def test_not_a_number_is_not_hidden() -> None:
    maps = torch.randn(4, 3, 5, 6).contiguous(memory_format=torch.channels_last)
    maps[1, 2, 3, 4] = torch.nan
    values = normalised_elu(maps.requires_grad_(), nn.BatchNorm2d(3))
    values.sum().backward()
    for found in (values, maps.grad):
        assert found is not None
        assert found[:, 2].isnan().all()
        assert found[:, :2].isfinite().all()
