"""Readouts are shifted along with images that augmentations move."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tests.fixtures.recordings import small_recording
from tests.training.small import TABLES

import striate
from striate.data import Batch
from striate.data.augmentations import Translate, TranslateSettings
from striate.data.cutmix import CutMix, CutMixSettings
from striate.errors import InputError
from striate.models import EncoderSettings, MapGeometry, Readout
from striate.models.encoder import build_encoder
from striate.registry import readouts
from striate.training import load_recipe

SHAPE = (1, 36, 64)
CORE = {"layers": 2, "channels": 4, "input_kernel_size": 5, "hidden_kernel_size": 3}
SHIFTED = [{"type": "translate", "pixels": 3, "shift_readout": True}]


class Unshifted(Readout):
    def __init__(self, settings: Any, coordinates: Any, maps: Any) -> None:
        super().__init__(settings, coordinates, maps)
        self.features = torch.nn.Linear(maps.channels, self.neurons)

    def forward(self, maps: Any, shift: Any = None, neurons: Any = None) -> Any:
        drive = self.features(maps.mean(dim=(2, 3)))
        return drive if neurons is None else drive[:, neurons]


@pytest.fixture
def unshifted() -> Iterator[None]:
    readouts.register("unshifted")(Unshifted)
    yield
    readouts.forget(__name__)


def translated(images: torch.Tensor) -> Batch:
    batch = Batch("mouse", "train", torch.arange(len(images)), images)
    augment = Translate(TranslateSettings(pixels=3, shift_readout=True), SHAPE)
    return augment.apply_batch(batch, torch.Generator().manual_seed(1))


def images() -> torch.Tensor:
    """Return random images whose borders are empty, so that moving them loses nothing."""
    inner = torch.randn(16, 1, 22, 50, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.pad(inner, (7,) * 4)


def encoder(readout: str, **settings: Any) -> Any:
    coordinates = np.random.default_rng(0).uniform(-100, 100, (5, 2))
    torch.manual_seed(0)
    built = build_encoder(
        EncoderSettings(core=CORE, readout={"type": readout}, **settings), {"mouse": coordinates}, SHAPE
    )
    return built.eval()


@pytest.mark.parametrize("readout", ["gaussian", "factorised", "spatial_separable", "multi_depth"])
def test_neurons_see_the_same_after_a_shift(readout: str) -> None:
    model, before = encoder(readout), images()
    batch = translated(before)
    assert batch.image_shift is not None
    assert not torch.equal(batch.images, before)
    if readout in ("gaussian", "multi_depth"):  # near the centre, where no shift leaves the image
        model.readout("mouse").set_positions(np.random.default_rng(1).uniform(-0.3, 0.3, (5, 2)))
    with torch.no_grad():
        expected = model(before)
        along, left_behind = model(batch), model(replace(batch, image_shift=None))
    torch.testing.assert_close(along, expected, atol=2e-3, rtol=2e-3)
    assert (left_behind - expected).abs().max() > 5 * (along - expected).abs().max()


def test_the_shift_of_the_eye_is_added() -> None:
    model, before = encoder("gaussian", shifter=True), images()
    eye = torch.randn(16, 2, generator=torch.Generator().manual_seed(2)).clamp(-1, 1)
    batch = replace(translated(before), pupil_center=eye)
    model.readout("mouse").set_positions(np.zeros((5, 2)))
    with torch.no_grad():
        shift = model.shifter("mouse")(eye)
        seen = model(batch)
        torch.testing.assert_close(seen, model.rates(before, "mouse", eye), atol=2e-3, rtol=2e-3)
    assert 0.01 < shift.abs().max() < 0.5, "within the image"


def test_pixels_are_converted_to_units_of_the_map() -> None:
    geometry = MapGeometry.identity(36, 64).convolved(5, stride=2)
    units = np.array(geometry.units_per_pixel())
    moved = geometry.from_pixels([[13.0, 9.0]]) - geometry.from_pixels([[10.0, 11.0]])
    np.testing.assert_allclose(moved, [[3, -2]] * units)
    assert MapGeometry.identity(1, 1).units_per_pixel() == (0, 0)


@pytest.mark.usefixtures("unshifted")
def test_a_readout_that_cannot_be_shifted_is_refused() -> None:
    tables = {**TABLES, "data": {**TABLES["data"], "augmentations": SHIFTED}}
    load_recipe(tables)
    with pytest.raises(InputError, match="the readout 'unshifted' cannot be shifted: set shift_readout = false"):
        load_recipe({**tables, "model": {"core": CORE, "readout": {"type": "unshifted"}}})
    with pytest.raises(InputError, match="The readout 'unshifted' cannot be shifted along with images"):
        encoder("unshifted")(translated(images()))


def test_pieces_of_shifted_images_are_not_mixed() -> None:
    batch = translated(images())
    with pytest.raises(InputError, match="put cutmix before it"):
        CutMix(CutMixSettings(), SHAPE).apply_batch(batch, torch.Generator().manual_seed(0))


def test_loaders_give_the_shift_of_training_images_alone() -> None:
    data = striate.loaders(small_recording(), image_size="original", augmentations=[*SHIFTED, *SHIFTED])
    shifts = torch.cat([batch.image_shift for batch in data.train])
    assert 3 < shifts.abs().max() <= 6
    assert torch.equal(shifts, shifts.round())
    assert next(iter(data.validation)).image_shift is None
