"""What a user has set in PyTorch for code of their own changes nothing of what striate computes, and stands afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.fixtures.recordings import small_recording
from tests.training.small import small_recipe

import striate
from striate._internal.torch_defaults import torch_defaults
from striate.training import Run, predict, train

RECIPE = small_recipe(data__behavior=True, schedule__max_epochs=1)


@contextmanager
def float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


SETTINGS: dict[str, Any] = {
    "default dtype": float64,
    "default device": lambda: torch.device("meta"),  # as another device than the CPU, on any machine
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(RECIPE, small_recording(), tmp_path_factory.mktemp("runs") / "plain", progress=False)


@pytest.mark.slow
@pytest.mark.parametrize("setting", SETTINGS)
def test_training_is_the_same(plain: Run, setting: str, tmp_path: Path) -> None:
    with SETTINGS[setting]():
        run = train(RECIPE, small_recording(), tmp_path / "run", progress=False)
    expected, trained = plain.encoder().state_dict(), run.encoder().state_dict()
    assert all(torch.equal(trained[name], expected[name]) for name in expected)


@pytest.mark.slow
@pytest.mark.parametrize("setting", SETTINGS)
def test_predictions_are_the_same(plain: Run, setting: str) -> None:
    recording = small_recording()
    images = np.random.default_rng(0).integers(0, 256, (3, *recording.image_shape))
    session = recording.session
    expected = (
        predict(plain, recording).values,
        plain.respond(images, behavior="median").to_numpy(),
        plain.encoder().receptive_field_pixels(session),
        striate.loaders(recording, image_size="original").train.dataset[[0, 1]].images.numpy(),
    )
    with SETTINGS[setting]():
        found = (
            predict(plain.encoder(), recording).values,
            plain.respond(images, behavior="median").to_numpy(),
            plain.encoder().receptive_field_pixels(session),
            striate.loaders(recording, image_size="original").train.dataset[[0, 1]].images.numpy(),
        )
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
@pytest.mark.parametrize("cache_gib", [1.0, 0.0])
@pytest.mark.parametrize("setting", SETTINGS)
def test_batches_come(setting: str, cache_gib: float) -> None:
    data = striate.loaders([small_recording()], image_size="original", cache_gib=cache_gib, behavior=True)
    with SETTINGS[setting]():
        batches = [batch for round_ in data.cycle("train") for batch in round_.values()]
    assert {(batch.images.dtype, batch.images.device.type) for batch in batches} == {(torch.float32, "cpu")}


def test_settings_of_the_user_stand_afterwards() -> None:
    with float64(), torch.device("meta"), torch.no_grad(), torch.autocast("cpu"):
        with torch_defaults(gradients=True):
            assert torch.empty(1).dtype == torch.float32
            assert torch.empty(1).device.type == "cpu"
            assert torch.is_grad_enabled()
            assert not torch.is_autocast_enabled("cpu")
        assert torch.empty(1).dtype == torch.float64
        assert torch.empty(1).device.type == "meta"
        assert not torch.is_grad_enabled()
        assert torch.is_autocast_enabled("cpu")
