"""Cores of the field against the numbers that follow from their definitions, and against plain implementations of these."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from striate.models import Core, ModelInputs
from striate.registry import cores

IMAGES = torch.randn(3, 1, 36, 64, generator=torch.Generator().manual_seed(0))


def built(name: str, shape: tuple[int, int, int] = (1, 36, 64), **settings: object) -> Core:
    """A core with random weights and running statistics."""
    torch.manual_seed(0)
    core: Core = cores.build(cores.settings({"type": name, **settings}), ModelInputs(shape))
    for module in core.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return core


def parameters(core: Core) -> int:
    return sum(parameter.numel() for parameter in core.parameters())


def normalised(maps: Tensor, norm: nn.BatchNorm2d) -> Tensor:
    return F.elu(F.batch_norm(maps, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps))


# Weights of the convolutions, and two of each map of batch normalisation.
COUNTS = {
    "minimodel": ({}, 25 * 25 * 16 + 2 * 16 + 9 * 9 * 16 + 16 * 320 + 2 * 320),
    "convolutional": ({}, 9 * 9 * 64 + 2 * 64 + 3 * (2 * 64 * 64 + 7 * 7 * 64 + 2 * 64)),
    "full_resolution": (
        {"stem_channels": 32},
        4 * 4 * 32 + 2 * 32 + 9 * 9 * 32 * 64 + 2 * 64 + 3 * (2 * 64 * 64 + 7 * 7 * 64 + 2 * 64),
    ),
}
FIELDS = {"minimodel": 25 + 1 + 2 * 8, "convolutional": 9 + 3 * 6, "full_resolution": 4 + 4 * (8 + 3 * 6)}


@pytest.mark.parametrize("name", COUNTS)
def test_cores_have_the_parameters_and_receptive_fields_of_their_definition(name: str) -> None:
    settings, count = COUNTS[name]
    shape = (1, 144, 256) if name == "full_resolution" else (1, 36, 64)
    core = built(name, shape, **settings)
    assert parameters(core) == count
    assert core.geometry.size == (FIELDS[name], FIELDS[name])


def test_the_minimodel_core_is_two_layers_with_pooling_between() -> None:
    core = built("minimodel").eval()
    weights = dict(core.named_parameters())
    maps = normalised(F.conv2d(IMAGES, weights["first.weight"], padding=12), core.get_submodule("first_norm"))
    maps = F.max_pool2d(maps, 2)
    maps = F.conv2d(F.conv2d(maps, weights["second.0.weight"], padding=4, groups=16), weights["second.1.weight"])
    wanted = normalised(maps, core.get_submodule("second_norm"))
    torch.testing.assert_close(core(IMAGES), wanted, rtol=1e-4, atol=1e-5)


def test_the_full_resolution_core_is_a_strided_stem_and_the_convolutional_core() -> None:
    images = torch.randn(2, 1, 144, 256, generator=torch.Generator().manual_seed(1))
    core = built("full_resolution", (1, 144, 256), layers=2, channels=8).eval()
    stem = F.conv2d(images, core.get_parameter("stem.weight"), stride=4)
    assert stem.shape[2:] == (36, 64)
    wanted = core.get_submodule("body")(normalised(stem, core.get_submodule("stem_norm")))
    torch.testing.assert_close(core(images), wanted, rtol=1e-4, atol=1e-5)


def test_images_that_are_too_small_for_the_stem_are_refused_when_a_recipe_is_read() -> None:
    from striate.errors import InputError
    from striate.training import load_recipe

    with pytest.raises(InputError, match=r"larger than the images of 9×16 pixels"):
        load_recipe(
            {"data": {"image_size": [36, 64]}, "model": {"core": {"type": "full_resolution", "input_kernel_size": 11}}}
        )
