"""The convolutional core: sizes, the Laplace penalty, linearity, freezing."""

import numpy as np
import pytest
import torch

from striate.errors import InputError
from striate.models import ConvolutionalSettings, ModelInputs
from striate.models.cores import ConvolutionalCore


def core(shape: tuple[int, int, int] = (1, 18, 32), **settings: object) -> ConvolutionalCore:
    torch.manual_seed(0)
    return ConvolutionalCore(
        ConvolutionalSettings.model_validate({"channels": 6, "layers": 3} | settings), ModelInputs(shape)
    )


def test_the_cores_of_2022_have_their_sizes() -> None:
    cnn = ConvolutionalCore(ConvolutionalSettings(), ModelInputs((4, 36, 64)))
    assert cnn.geometry.shape == (28, 56)
    assert cnn(torch.zeros(2, 4, 36, 64)).shape == (2, 64, 28, 56)
    first, hidden, norm = 4 * 64 * 81, 64 * 64 * 2 + 64 * 49, 2 * 64
    assert sum(p.numel() for p in cnn.parameters()) == first + 3 * hidden + 4 * norm
    assert all(m.bias is None for m in cnn.modules() if isinstance(m, torch.nn.Conv2d))


def test_the_penalty_is_the_formula() -> None:
    model = core((2, 18, 32), laplace_weight=3.0)
    weight = model.layers[0].get_parameter("convolution.weight").detach().numpy().astype(np.float64)
    padded = np.pad(weight, ((0, 0), (0, 0), (1, 1), (1, 1)))
    laplace = 4 * padded[..., 1:-1, 1:-1]
    for shift in ((0, 1), (2, 1), (1, 0), (1, 2)):
        laplace = laplace - padded[..., shift[0] : shift[0] + 9, shift[1] : shift[1] + 9]
    expected = 3.0 * (laplace**2).sum() / (weight**2).sum()
    assert model.regulariser().item() == pytest.approx(expected, rel=1e-5)


def test_the_penalty_knows_no_scale_and_prefers_smooth_kernels() -> None:
    model = core()
    weight = model.layers[0].get_parameter("convolution.weight")
    before = model.regulariser().item()
    with torch.no_grad():
        weight.mul_(7)
    assert model.regulariser().item() == pytest.approx(before, rel=1e-5)
    with torch.no_grad():
        weight.fill_(1)
    assert model.regulariser().item() < before / 2


def test_without_nonlinearity_it_is_linear() -> None:
    images = torch.randn(2, 1, 18, 32, generator=torch.Generator().manual_seed(1))
    nothing = torch.zeros(1, 1, 18, 32)

    def departure(model: ConvolutionalCore) -> float:
        model.eval()
        with torch.no_grad():
            offset = model(nothing)
            together = model(images[:1] + images[1:]) - offset
            apart = model(images[:1]) + model(images[1:]) - 2 * offset
        return float((together - apart).abs().max() / apart.abs().max())

    assert departure(core(nonlinear=False)) < 1e-4
    assert departure(core(nonlinear=True)) > 1e-2


@pytest.mark.parametrize("separable", [True, False])
def test_kinds_of_convolution(separable: bool) -> None:
    kernels = {m.kernel_size for m in core(depth_separable=separable).modules() if isinstance(m, torch.nn.Conv2d)}
    assert kernels == ({(9, 9), (7, 7), (1, 1)} if separable else {(9, 9), (7, 7)})


def test_the_initial_weights_are_xavier_normal() -> None:
    model = ConvolutionalCore(ConvolutionalSettings(), ModelInputs((1, 36, 64)))
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            fan_in, fan_out = (module.weight[0].numel(), module.weight.shape[0] * module.weight[0, 0].numel())
            assert module.weight.std().item() == pytest.approx((2 / (fan_in + fan_out)) ** 0.5, rel=0.1)


def test_frozen_it_neither_learns_nor_updates_its_norms() -> None:
    model = core()
    model.freeze()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    assert not any(m.training for m in model.modules())
    assert model.regulariser().item() == 0
    model(torch.randn(4, 1, 18, 32))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(p.requires_grad for p in model.parameters())


def test_a_kernel_larger_than_the_image_is_refused() -> None:
    with pytest.raises(InputError, match="input_kernel_size = 9 is larger than the images of 8×32"):
        core((1, 8, 32))


@pytest.mark.parametrize("settings", [{}, {"nonlinear": False}, {"depth_separable": False}, {"layers": 1}])
def test_without_gradients_normalisation_is_part_of_the_convolution_and_changes_nothing(settings: dict) -> None:
    model = core(**settings)
    images = torch.randn(5, 1, 18, 32)
    model(images)  # moves the running statistics
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.weight, mean=1.0, std=0.5)
            torch.nn.init.normal_(module.bias)
    model.eval()
    expected = model(images)
    with torch.no_grad():
        torch.testing.assert_close(model(images), expected.detach(), rtol=1e-4, atol=1e-5)
    before = images.clone()
    with torch.inference_mode():
        model(images)
    assert torch.equal(images, before), "what is given is left alone"
