"""Readouts of the field against plain implementations of their definitions."""

import numpy as np
import pytest
import torch

from striate.errors import InputError
from striate.models import EncoderSettings, FeatureMaps, GaussianSettings, MapGeometry, ModelInputs, build_encoder
from striate.models.cores.building_blocks import position_encoding
from striate.models.readouts import GaussianReadout
from striate.models.readouts.attention import AttentionReadout, AttentionSettings
from striate.models.readouts.factorised import FactorisedReadout, FactorisedSettings
from striate.models.readouts.multi_depth import MultiDepthReadout, MultiDepthSettings
from striate.registry import cores, readouts

NEURONS = np.random.default_rng(0).normal(size=(6, 3))


def depths_of(name: str, **settings: object) -> tuple[object, list[torch.Tensor]]:
    """Maps of a core that offers several depths, as a readout is built from them, and those of three images."""
    torch.manual_seed(0)
    core = cores.build(cores.settings({"type": name, **settings}), ModelInputs((1, 36, 64))).eval()
    with torch.no_grad():
        found = core.depth_maps(torch.randn(3, 1, 36, 64))
    return FeatureMaps(core.channels, core.geometry, core.depths), found


@pytest.mark.parametrize("depths", [(), (0, -1), (2,)])
def test_a_neuron_reads_the_features_of_all_depths_at_one_place_of_the_image(depths: tuple[int, ...]) -> None:
    """Against bilinear interpolation of the maps of each depth at the pixel where the neuron looks, for depths of several strides."""
    maps, found = depths_of(
        "inverted_residual", channels=[4, 6, 8], strides=[1, 2, 2], expansion=2, stem_channels=4, stem_stride=1
    )
    readout = MultiDepthReadout(MultiDepthSettings(depths=depths), NEURONS, maps).eval()
    read = [depth % 3 for depth in depths or range(3)]
    with torch.no_grad():
        readout.features.normal_()
        readout.bias.normal_()
        shift = torch.tensor([[0.0, 0.0], [0.1, -0.2], [-0.3, 0.05]])
        drive = readout(found, shift)
        places = readout.mean_positions()[None] + shift[:, None]
    for image in range(3):
        pixels = maps.geometry.to_pixels(places[image].numpy())
        for neuron, (column, row) in enumerate(pixels):
            sampled = []
            for depth in read:
                geometry = maps.depths[depth].geometry
                at = (
                    (row - geometry.offset[0]) / geometry.stride[0],
                    (column - geometry.offset[1]) / geometry.stride[1],
                )
                sampled.append(interpolated(found[depth][image].numpy(), *at))
            wanted = np.concatenate(sampled) @ readout.features[neuron].detach().numpy() + readout.bias[neuron].item()
            assert drive[image, neuron].item() == pytest.approx(wanted, rel=1e-4, abs=1e-4)


def interpolated(maps: np.ndarray, row: float, column: float) -> np.ndarray:
    """Bilinear interpolation of maps, (C, H, W), which are zero outside."""
    total = np.zeros(len(maps))
    for i in (int(np.floor(row)), int(np.floor(row)) + 1):
        for j in (int(np.floor(column)), int(np.floor(column)) + 1):
            if 0 <= i < maps.shape[1] and 0 <= j < maps.shape[2]:
                total += (1 - abs(row - i)) * (1 - abs(column - j)) * maps[:, i, j]
    return total


def test_a_core_of_one_depth_makes_the_gaussian_readout() -> None:
    geometry = MapGeometry.identity(5, 7)
    images = torch.randn(2, 3, 5, 7)
    torch.manual_seed(0)
    gaussian = GaussianReadout(GaussianSettings(), NEURONS, FeatureMaps(3, geometry))
    torch.manual_seed(0)
    several = MultiDepthReadout(MultiDepthSettings(), NEURONS, FeatureMaps(3, geometry))
    torch.manual_seed(1)
    expected = gaussian(images)
    torch.manual_seed(1)
    torch.testing.assert_close(several([images]), expected)


@pytest.mark.parametrize(
    ("depths", "message"),
    [
        ((4,), "names 4, but the core has 4 depths, 0 to 3"),
        ((0, -5), "names -5, but the core"),
        ((3, -1), "names a depth twice"),
    ],
)
def test_depths_that_a_core_does_not_have_are_refused(depths: tuple[int, ...], message: str) -> None:
    maps, _ = depths_of("convolutional", channels=4)
    with pytest.raises(InputError, match=message):
        MultiDepthReadout(MultiDepthSettings(depths=depths), NEURONS, maps)


def test_an_encoder_reads_several_depths_with_and_without_a_shifter() -> None:
    settings = EncoderSettings(core={"channels": 8}, readout={"type": "multi_depth", "depths": [0, -1]}, shifter=True)
    encoder = build_encoder(settings, {"mouse": NEURONS}, (1, 36, 64)).eval()
    images, eye = torch.randn(2, 1, 36, 64), torch.randn(2, 2)
    with torch.no_grad():
        fast = encoder.rates(images, "mouse", eye)
    torch.testing.assert_close(fast, encoder.rates(images, "mouse", eye))
    assert encoder.readout("mouse").features.shape == (len(NEURONS), 16)


def masked(maps: torch.Tensor, masks: torch.Tensor, readout: torch.nn.Module) -> torch.Tensor:
    """Σ_c w[n, c] Σ_p m[b, n, p] · maps[b, c, p] + b[n]."""
    return torch.einsum("bcp,bnp,nc->bn", maps.flatten(2), masks, readout.features) + readout.bias


@pytest.mark.parametrize("temperature", [1.0, 0.2])
def test_the_factorised_readout_is_a_softmax_mask_times_features(temperature: float) -> None:
    torch.manual_seed(0)
    settings = FactorisedSettings(temperature=temperature)
    readout = FactorisedReadout(settings, NEURONS, FeatureMaps(3, MapGeometry.identity(5, 7)))
    for parameter in readout.parameters():
        torch.nn.init.normal_(parameter)
    maps = torch.randn(2, 3, 5, 7)
    masks = torch.exp(readout.mask_logits / temperature)
    masks = masks / masks.sum(dim=1, keepdim=True)
    torch.testing.assert_close(readout(maps), masked(maps, masks.expand(2, -1, -1), readout))


def test_the_initial_masks_are_gaussian_whatever_the_temperature() -> None:
    positions = np.random.default_rng(1).uniform(-0.8, 0.8, (6, 2))
    for temperature in (1.0, 0.1):
        settings = FactorisedSettings(temperature=temperature, init_width=0.3)
        readout = FactorisedReadout(settings, NEURONS, FeatureMaps(3, MapGeometry.identity(9, 17)))
        readout.set_positions(positions)
        y, x = np.meshgrid(np.linspace(-1, 1, 9), np.linspace(-1, 1, 17), indexing="ij")
        wanted = np.exp(-((x - positions[:, :1, None]) ** 2 + (y - positions[:, 1:, None]) ** 2) / (2 * 0.3**2))
        wanted /= wanted.sum(axis=(1, 2), keepdims=True)
        np.testing.assert_allclose(readout.masks().detach().numpy(), wanted.reshape(6, -1), atol=1e-6)


@pytest.mark.parametrize("encoded", [False, True])
def test_the_attention_readout_is_a_pointwise_convolution_and_a_softmax_over_space(encoded: bool) -> None:
    torch.manual_seed(0)
    settings = AttentionSettings(position_encoding=encoded)
    readout = AttentionReadout(settings, NEURONS, FeatureMaps(8, MapGeometry.identity(5, 7)))
    for parameter in readout.parameters():
        torch.nn.init.normal_(parameter)
    maps = torch.randn(2, 8, 5, 7)
    seen = maps + position_encoding(8, 5, 7) if encoded else maps
    masks = torch.nn.functional.conv2d(seen, readout.queries[:, :, None, None]).flatten(2).softmax(dim=2)
    torch.testing.assert_close(readout(maps), masked(maps, masks, readout))


@pytest.mark.parametrize("name", ["factorised", "attention", "spatial_separable"])
def test_a_shift_by_whole_locations_moves_the_maps(name: str) -> None:
    """A shift of two columns to the right and one row down: each mask sees what lies there, and zero beyond the border."""
    torch.manual_seed(0)
    settings = {"type": name} | ({"position_encoding": True} if name == "attention" else {})
    readout = readouts.build(readouts.settings(settings), NEURONS, FeatureMaps(4, MapGeometry.identity(5, 9)))
    maps = torch.randn(3, 4, 5, 9)
    moved = torch.nn.functional.pad(maps, (0, 2, 0, 1))[..., 1:, 2:]
    shift = torch.tensor([[2 * 2 / 8, 2 * 1 / 4]]).expand(3, -1)
    torch.testing.assert_close(readout(maps, shift), readout(moved), rtol=1e-4, atol=1e-5)
