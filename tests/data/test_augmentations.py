"""Augmentations change the images of training batches, and nothing else, in the same way on every machine."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.recordings import colour_recording, small_recording
from torch import Tensor

import striate
from striate.data.augmentations import Jitter, JitterSettings, Translate, TranslateSettings
from striate.errors import InputError
from striate.registry import Settings, augmentations
from striate.testing import AugmentationTests

NOISE = {"type": "gaussian_noise", "std": 0.5}
SHIFT = {"type": "translate", "pixels": 3}


class TestGaussianNoise(AugmentationTests):
    settings = {"type": "gaussian_noise"}


class TestTranslate(AugmentationTests):
    settings = {"type": "translate"}


class TestJitter(AugmentationTests):
    settings = {"type": "jitter"}


def images(loader: Any) -> Tensor:
    return torch.cat([batch.images for batch in loader])


def test_only_images_of_training_batches_change() -> None:
    recording = colour_recording()
    plain, noisy = (
        striate.loaders(recording, behavior=True, image_size="original", augmentations=each) for each in ((), (NOISE,))
    )
    for before, after in zip(plain.train, noisy.train, strict=True):
        assert torch.equal(before.rows, after.rows)
        assert torch.equal(before.images[:, 2:], after.images[:, 2:]), "behaviour"
        assert before.responses is not None
        assert torch.equal(before.responses, after.responses)
        noise = after.images[:, :2] - before.images[:, :2]
        assert noise.std() == pytest.approx(0.5, rel=0.02)
    for tier in ("stop", "seen"):
        assert torch.equal(images(plain[tier]), images(noisy[tier]))
    assert torch.equal(images(plain.prediction("fit")), images(noisy.prediction("fit")))


def test_images_depend_on_seed_session_epoch_and_batch_alone() -> None:
    def loader(**options: Any) -> Any:
        return striate.loaders(small_recording(), augmentations=[SHIFT, NOISE], batch_size=16, **options).train

    first = loader()
    epochs = []
    for epoch in (0, 1):
        first.set_epoch(epoch)
        epochs.append(images(first))
    again = loader(cache_gib=0)
    again.set_epoch(1)
    assert torch.equal(images(again), epochs[1]), "whether batches are read from the disk does not matter"
    assert not torch.equal(epochs[0], epochs[1])
    assert not torch.equal(images(loader(shuffle=False, seed=1)), images(loader(shuffle=False, seed=0)))
    one = loader(shuffle=False)
    one.set_epoch(0)
    second_pass = (images(one), images(one))
    assert not torch.equal(*second_pass), "a loader that is started again in an epoch"


@pytest.mark.slow
def test_images_do_not_depend_on_workers() -> None:
    alone, helped = (striate.loaders(small_recording(), augmentations=[SHIFT], workers=n).train for n in (0, 2))
    assert torch.equal(images(alone), images(helped))


@pytest.mark.slow
@given(pixels=st.integers(1, 5), height=st.integers(6, 9), width=st.integers(6, 9), seed=st.integers(0, 100))
def test_translate_shifts_whole_images(pixels: int, height: int, width: int, seed: int) -> None:
    given_images = torch.arange(2.0 * 2 * height * width).reshape(2, 2, height, width)
    shifted = Translate(TranslateSettings(pixels=pixels), (2, height, width))(
        given_images, torch.Generator().manual_seed(seed)
    )
    for before, after in zip(given_images, shifted, strict=True):
        moves = [
            (dy, dx)
            for dy in range(-pixels, pixels + 1)
            for dx in range(-pixels, pixels + 1)
            if torch.equal(
                after,
                before[
                    :,
                    (torch.arange(height) + dy).clamp(0, height - 1)[:, None],
                    (torch.arange(width) + dx).clamp(0, width - 1),
                ],
            )
        ]
        assert len(moves) == 1


@given(contrast=st.sampled_from([0.0, 0.3, 0.9]), luminance=st.sampled_from([0.1, 2.0]), seed=st.integers(0, 100))
def test_jitter_changes_contrast_and_mean_within_limits(contrast: float, luminance: float, seed: int) -> None:
    before = torch.randn(20, 2, 6, 7, generator=torch.Generator().manual_seed(seed))
    jitter = Jitter(JitterSettings(contrast=contrast, luminance=luminance), (2, 6, 7))
    after = jitter(before, torch.Generator().manual_seed(seed))
    factors = after.std(dim=(2, 3)) / before.std(dim=(2, 3))
    steps = after.mean(dim=(2, 3)) - before.mean(dim=(2, 3))
    torch.testing.assert_close(factors[:, 0], factors[:, 1])
    torch.testing.assert_close(steps[:, 0], steps[:, 1], atol=1e-5, rtol=1e-5)
    assert (factors - 1).abs().max() <= contrast + 1e-5
    assert 0.5 * luminance < steps.abs().max() <= luminance + 1e-5
    if contrast:
        assert (factors - 1).abs().max() > 0.5 * contrast


def test_one_of_a_plugin_is_checked() -> None:
    class HalveSettings(Settings):
        """Settings of the halving."""

    @augmentations.register("halve", settings=HalveSettings)
    class Halve:
        def __init__(self, settings: HalveSettings, input_shape: tuple[int, int, int]) -> None:
            assert input_shape == (1, 18, 32)

        def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
            return images[:, :, ::2]

    try:
        data = striate.loaders(small_recording(), image_size="original", augmentations=[{"type": "halve"}])
        with pytest.raises(InputError, match="The augmentation 'halve' returned Tensor of shape"):
            next(iter(data.train))
    finally:
        augmentations.forget(__name__)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ([{"type": "translat"}], "did you mean 'translate'"),
        ([{"type": "translate", "pixel": 3}], "augmentations 'translate' has no key 'pixel': did you mean 'pixels'"),
        ([{"type": "translate", "pixels": 18}], "choose fewer than 18"),
        ([{"type": "gaussian_noise", "std": -1}], "greater than 0"),
        ([{"type": "jitter", "contrast": 1}], "less than 1"),
        ([{"type": "jitter", "contrast": 0, "luminance": 0}], "both 0, so that jitter has no effect; increase one"),
    ],
)
def test_a_mistake_is_one_sentence(settings: list[Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        striate.loaders(small_recording(), image_size="original", augmentations=settings)
