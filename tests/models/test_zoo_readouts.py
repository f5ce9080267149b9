"""Readouts of the field against plain implementations of their definitions."""

import numpy as np
import pytest
import torch

from striate.errors import InputError
from striate.models import EncoderSettings, FeatureMaps, GaussianSettings, MapGeometry, ModelInputs, build_encoder
from striate.models.readouts import GaussianReadout
from striate.models.readouts.multi_depth import MultiDepthReadout, MultiDepthSettings
from striate.registry import cores

NEURONS = np.random.default_rng(0).normal(size=(6, 3))


def depths_of(name: str, **settings: object) -> tuple[object, list[torch.Tensor]]:
    """Maps of a core that offers several depths, as a readout is built from them, and those of three images."""
    torch.manual_seed(0)
    core = cores.build(cores.settings({"type": name, **settings}), ModelInputs((1, 36, 64))).eval()
    with torch.no_grad():
        found = core.depth_maps(torch.randn(3, 1, 36, 64))
    return FeatureMaps(core.channels, core.geometry, core.depths), found


@pytest.mark.parametrize("depths", ["all", (0, -1), (2,)])
def test_a_neuron_reads_the_features_of_all_depths_at_one_place_of_the_image(depths: object) -> None:
    """Against bilinear interpolation of the maps of each depth at the pixel where the neuron looks, for depths of several strides."""
    maps, found = depths_of(
        "inverted_residual", channels=[4, 6, 8], strides=[1, 2, 2], expansion=2, stem_channels=4, stem_stride=1
    )
    readout = MultiDepthReadout(MultiDepthSettings(depths=depths), NEURONS, maps).eval()
    read = range(3) if depths == "all" else [depth % 3 for depth in depths]
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
