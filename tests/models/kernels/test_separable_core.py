"""A whole core at once: what plain PyTorch gives layer by layer, whatever the sizes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from striate.models import ConvolutionalSettings, ModelInputs
from striate.models.cores import ConvolutionalCore
from striate.models.kernels import use_backend
from striate.models.kernels.dispatch import vector_kernels
from striate.models.kernels.separable_core import separable_core

pytest.importorskip("numba", reason="the fused kernel on a CPU needs numba")
KERNELS = vector_kernels()
if KERNELS is None:
    pytest.skip("this CPU has neither AVX2 nor AVX-512", allow_module_level=True)

Hidden = list[tuple[Tensor, Tensor, Tensor, Tensor]]


@st.composite
def cores(draw: st.DrawFn) -> tuple[Tensor, tuple[Tensor, Tensor], Hidden, bool]:
    """Images of any memory layout, maps down to one place, kernels larger than the maps."""
    batch, planes, layers = draw(st.integers(1, 3)), draw(st.integers(1, 4)), draw(st.integers(0, 3))
    side, kernel = draw(st.integers(1, 9)), draw(st.sampled_from([1, 3, 5, 7]))
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 33))
    assert KERNELS is not None
    channels = KERNELS.BLOCK * draw(st.integers(1, 2))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))

    def normal(*shape: int) -> Tensor:
        sums = torch.Size(shape[1:]).numel() if len(shape) > 1 else 1
        return torch.randn(*shape, generator=generator) / sums**0.5

    images = torch.randn(batch, planes, height + side - 1, width + side - 1, generator=generator)
    layout = draw(st.sampled_from(["contiguous", "channels-last", "transposed", "a part"]))
    if layout == "channels-last":
        images = images.contiguous(memory_format=torch.channels_last)
    elif layout == "transposed":
        images = images.mT.contiguous().mT
    elif layout == "a part":
        images = torch.randn(2 * batch, *images.shape[1:], generator=generator)[::2]
    hidden = [
        (
            normal(channels, channels, 1, 1),
            normal(channels, 1, kernel, kernel).contiguous(memory_format=torch.channels_last),
            normal(channels, channels, 1, 1),
            normal(channels),
        )
        for _ in range(layers)
    ]
    first = normal(channels, planes, side, side).contiguous(memory_format=torch.channels_last), normal(channels)
    return images, first, hidden, draw(st.booleans())


def layer_by_layer(images: Tensor, first: tuple[Tensor, Tensor], hidden: Hidden, nonlinear: bool) -> Tensor:
    maps = F.conv2d(images.double(), first[0].double(), first[1].double())
    maps = F.elu(maps) if nonlinear else maps
    for before, spatial, after, bias in hidden:
        maps = F.conv2d(maps, before.double())
        maps = F.conv2d(maps, spatial.double(), padding=spatial.shape[-1] // 2, groups=len(spatial))
        maps = F.conv2d(maps, after.double(), bias.double())
        maps = F.elu(maps) if nonlinear else maps
    return maps


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(cores())
def test_agrees_with_plain_pytorch(core: tuple[Tensor, tuple[Tensor, Tensor], Hidden, bool]) -> None:
    before = core[0].clone()
    found = separable_core(*core)
    assert found is not None
    [maps] = found
    torch.testing.assert_close(maps.double(), layer_by_layer(*core), rtol=1e-5, atol=1e-5)
    assert maps.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(core[0], before), "what is given is left alone"


@settings(deadline=None, max_examples=15)
@given(cores())
def test_an_image_does_not_depend_on_those_beside_it(core: tuple[Tensor, tuple[Tensor, Tensor], Hidden, bool]) -> None:
    images, *rest = core
    maps = separable_core(images, *rest)
    assert maps is not None
    for image, alone in zip(images, maps[0], strict=True):
        single = separable_core(image[None], *rest)
        assert single is not None
        assert torch.equal(single[0][0], alone)


@settings(deadline=None, max_examples=15)
@given(cores())
def test_the_maps_of_every_layer_are_those_of_shorter_cores(
    core: tuple[Tensor, tuple[Tensor, Tensor], Hidden, bool],
) -> None:
    images, first, hidden, nonlinear = core
    maps = separable_core(*core, every=True)
    assert maps is not None
    assert len(maps) == len(hidden) + 1
    for depth, each in enumerate(maps):
        shorter = separable_core(images, first, hidden[:depth], nonlinear)
        assert shorter is not None
        assert torch.equal(each, shorter[0])
        assert each.is_contiguous(memory_format=torch.channels_last)


def model(**changed: object) -> ConvolutionalCore:
    assert KERNELS is not None
    torch.manual_seed(0)
    core = ConvolutionalCore(
        ConvolutionalSettings.model_validate({"channels": KERNELS.BLOCK, "layers": 3} | changed),
        ModelInputs((2, 18, 27)),
    )
    core(torch.randn(4, 2, 18, 27))  # moves the running statistics
    for module in core.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.weight, mean=1.0, std=0.5)
            torch.nn.init.normal_(module.bias)
    return core.eval()


@pytest.mark.parametrize(
    "changed",
    [{}, {"nonlinear": False}, {"hidden_kernel_size": 3}, {"layers": 1}, {"layers": 1, "depth_separable": False}],
)
def test_a_core_uses_it_and_gives_the_same_maps(changed: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    core, images = model(**changed), torch.randn(3, 2, 18, 27)
    with torch.no_grad(), use_backend("reference"):
        expected = core(images)
    monkeypatch.setattr("striate.models.cores.convolutional.Layer.forward", None)  # nothing goes layer by layer
    with torch.no_grad():
        torch.testing.assert_close(core(images), expected, rtol=1e-4, atol=1e-5)


def test_what_it_cannot_do_goes_layer_by_layer() -> None:
    images = torch.randn(2, 2, 18, 27)
    assert KERNELS is not None
    for changed in ({"depth_separable": False}, {"channels": KERNELS.BLOCK + 1}, {"channels": 3}):
        core = model(**changed)
        with torch.no_grad(), use_backend("reference"):
            expected = core(images)
        with torch.no_grad():
            torch.testing.assert_close(core(images), expected, rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        assert model().double()(images.double()).dtype == torch.float64
        assert model()(images[:0]).shape == (0, KERNELS.BLOCK, 10, 19)


def test_who_looks_between_the_layers_sees_them() -> None:
    core, images, seen = model(), torch.randn(2, 2, 18, 27), []
    with torch.no_grad():
        expected = core(images)
        core.layers[1].register_forward_hook(lambda layer, given, maps: seen.append(maps.shape))
        torch.testing.assert_close(core(images), expected, rtol=1e-4, atol=1e-5)
    assert seen == [(2, core.channels, 10, 19)]


@pytest.mark.slow
def test_gradients_are_there_where_they_are_wanted() -> None:
    core, images = model(), torch.randn(2, 2, 18, 27, requires_grad=True)
    core(images).sum().backward()
    assert images.grad is not None
    assert all(parameter.grad is not None for parameter in core.parameters())


def test_not_a_number_is_not_hidden() -> None:
    core, images = model(), torch.randn(2, 2, 18, 27)
    images[1, 0, 3, 4] = torch.nan
    with torch.no_grad():
        maps = core(images)
    assert maps[0].isfinite().all()
    assert maps[1].isnan().any()


@pytest.mark.slow
def test_it_is_compiled_once_and_soon(tmp_path: Path) -> None:
    script = (
        "import time, torch\n"
        "from striate.models import ConvolutionalSettings, ModelInputs\n"
        "from striate.models.cores import ConvolutionalCore\n"
        "from striate.models.kernels import separable_core_numba\n"
        "core = ConvolutionalCore(ConvolutionalSettings(), ModelInputs((1, 36, 64))).eval()\n"
        "start = time.perf_counter()\n"
        "with torch.no_grad():\n"
        "    core(torch.randn(2, 1, 36, 64))\n"
        "print(sum(separable_core_numba._core.stats.cache_hits.values()), time.perf_counter() - start < 20)\n"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    ran = [
        subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert [one.stdout.split() for one in ran] == [["0", "True"], ["1", "True"]]
