"""The depth-wise convolution: PyTorch's, with a gradient in the weights of our own."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from striate.models.cores.convolutional import DepthwiseConvolution
from striate.models.kernels import use_backend
from striate.models.kernels.depthwise_conv import depthwise
from striate.models.kernels.dispatch import depthwise_kernels

pytest.importorskip("numba", reason="the fused kernel on a CPU needs numba")
KERNELS = depthwise_kernels()
if KERNELS is None:
    pytest.skip("this CPU has neither AVX2 nor AVX-512", allow_module_level=True)
LANES: int = KERNELS.LANES


@st.composite
def cases(draw: st.DrawFn) -> tuple[Tensor, Tensor, Tensor]:
    """Maps, also smaller than the kernel and in any layout, kernels, also those that fall back, and slopes."""
    batch, height, width = draw(st.integers(1, 5)), draw(st.integers(1, 9)), draw(st.integers(1, 19))
    channels = draw(st.sampled_from([LANES, 2 * LANES, 3 * LANES, 3, LANES + 1]))
    kernel = draw(st.sampled_from([1, 3, 5, 7, 9]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    shape = batch, channels, height, width

    def maps() -> Tensor:
        layout = draw(st.sampled_from(["contiguous", "channels-last", "transposed", "expanded"]))
        values = torch.randn(shape, generator=generator)
        if layout == "channels-last":
            return values.contiguous(memory_format=torch.channels_last)
        if layout == "transposed":
            return values.mT.contiguous().mT
        return values[:, :, :, :1].expand(shape) if layout == "expanded" else values

    weight = torch.randn(channels, 1, kernel, kernel, generator=generator)
    if draw(st.booleans()):
        weight = weight.contiguous(memory_format=torch.channels_last)
    return maps(), weight, maps()


def outcome(chosen: str, maps: Tensor, weight: Tensor, slopes: Tensor) -> list[Tensor]:
    maps, weight = maps.detach().requires_grad_(), weight.detach().requires_grad_()
    with use_backend(chosen):  # type: ignore[arg-type]
        convolved = depthwise(maps, weight)
        return [convolved.detach(), *torch.autograd.grad(convolved, (maps, weight), slopes)]


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(cases())
def test_agrees_with_the_plain_form(case: tuple[Tensor, Tensor, Tensor]) -> None:
    fused, plain = outcome("auto", *case), outcome("reference", *(t.double() for t in case))
    for a, b in zip(fused, plain, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-5, atol=1e-4)


@pytest.mark.slow
def test_at_the_size_of_a_core_it_is_as_exact_as_pytorch() -> None:
    torch.manual_seed(0)
    maps, slopes = (torch.randn(3, 64, 28, 56).contiguous(memory_format=torch.channels_last) for _ in range(2))
    weight = torch.randn(64, 1, 7, 7)
    exact = outcome("reference", maps.double(), weight.double(), slopes.double())[2]
    ours, pytorch = (outcome(chosen, maps, weight, slopes)[2].double() for chosen in ("auto", "reference"))
    assert (ours - exact).abs().max() < 2 * (pytorch - exact).abs().max() + 1e-4


def test_the_same_threads_give_the_same_bits() -> None:
    maps, slopes, weight = torch.randn(9, 64, 12, 20), torch.randn(9, 64, 12, 20), torch.randn(64, 1, 7, 7)
    first = outcome("auto", maps, weight, slopes)
    for _ in range(5):
        again = outcome("auto", maps.clone(), weight, slopes)
        assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_the_kernel_is_used_and_only_where_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[int] = []
    real = KERNELS.weight_gradient  # type: ignore[union-attr]
    monkeypatch.setattr(KERNELS, "weight_gradient", lambda *given_: used.append(1) or real(*given_))

    def backward(module: nn.Module, maps: Tensor) -> None:
        module(maps).sum().backward()

    maps = torch.randn(2, 2 * LANES, 5, 6, requires_grad=True)
    backward(DepthwiseConvolution(2 * LANES, 5), maps)
    assert used == [1]
    with use_backend("reference"):
        backward(DepthwiseConvolution(2 * LANES, 5), maps)
    backward(DepthwiseConvolution(2 * LANES, 5).double(), maps.detach().double())
    backward(DepthwiseConvolution(2 * LANES, 5).requires_grad_(False), maps)  # a frozen core
    backward(DepthwiseConvolution(2 * LANES, 9), maps)
    backward(DepthwiseConvolution(LANES + 1, 5), maps[:, : LANES + 1])
    assert used == [1]


def test_maps_that_need_no_gradient_get_none() -> None:
    module, maps = DepthwiseConvolution(LANES, 3), torch.randn(2, LANES, 4, 5)
    module(maps).sum().backward()
    assert module.weight.grad is not None
    assert maps.grad is None
