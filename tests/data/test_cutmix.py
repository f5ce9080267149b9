"""CutMix: rectangles of other images, and responses and states mixed by area."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.recordings import colour_recording, small_recording
from torch import Tensor

import striate
from striate.data import Batch, BatchAugmentation
from striate.data.cutmix import CutMix, CutMixSettings
from striate.errors import InputError
from striate.registry import augmentations
from striate.testing import AugmentationTests


class TestCutMix(AugmentationTests):
    settings = {"type": "cutmix"}


def mixed(count: int, height: int, width: int, seed: int, **settings: Any) -> Batch:
    """Mix images whose grey value is the number of the trial; so are response, behaviour and one-hot eye position."""
    numbers = torch.arange(count)
    identity = torch.eye(count)
    images = numbers[:, None, None, None].float().expand(count, 1, height, width)
    batch = Batch("mouse", "train", numbers, images, identity, identity, identity)
    augment = CutMix(CutMixSettings(**settings), (1, height, width))
    return augment.apply_batch(batch, torch.Generator().manual_seed(seed))


@given(count=st.integers(1, 6), height=st.integers(4, 9), width=st.integers(4, 9), seed=st.integers(0, 1000))
def test_responses_and_states_are_mixed_by_area(count: int, height: int, width: int, seed: int) -> None:
    batch = mixed(count, height, width, seed, probability=1)
    for number, image in enumerate(batch.images[:, 0]):
        shares = torch.stack([(image == other).float().mean() for other in range(count)])
        for values in (batch.responses, batch.behavior, batch.pupil_center):
            assert values is not None
            torch.testing.assert_close(values[number], shares)
        assert shares[batch.rows[number]] == shares.max(), "the place in the session is that of the larger part"
        others = image != number  # the rectangle
        filled = others.any(1)[:, None] & others.any(0)
        assert torch.equal(filled, others)


def share_of_others(**settings: Any) -> Tensor:
    batch = mixed(2000, 16, 16, seed=0, **settings)
    return (batch.images[:, 0] != torch.arange(2000)[:, None, None]).float().mean(dim=(1, 2))


def test_settings_decide_how_many_images_are_mixed_and_how_much() -> None:
    half = share_of_others(probability=0.5)
    assert (half > 0).float().mean() == pytest.approx(0.5, abs=0.05)
    extreme, even = (share_of_others(probability=1, alpha=alpha) for alpha in (0.1, 50))
    assert (extreme < 0.02).float().mean() > 0.35
    assert (even < 0.02).float().mean() < 0.05
    assert even.max() < 0.75


def test_planes_of_behaviour_follow_the_behaviour() -> None:
    data = striate.loaders(
        colour_recording(), behavior=True, image_size="original", augmentations=[{"type": "cutmix", "probability": 1}]
    )
    plain = striate.loaders(colour_recording(), behavior=True, image_size="original")
    for before, after in zip(plain.train, data.train, strict=True):
        assert after.behavior is not None
        assert before.behavior is not None
        assert not torch.equal(after.behavior, before.behavior)
        assert torch.equal(after.images[:, 2:], after.behavior[:, :, None, None].expand_as(after.images[:, 2:]))


class Broken(BatchAugmentation):
    def __init__(self, settings: Any, input_shape: tuple[int, int, int]) -> None:
        pass


class NoBatch(Broken):
    def apply_batch(self, batch: Batch, generator: torch.Generator) -> Any:
        return batch.images


class FewerTrials(Broken):
    def apply_batch(self, batch: Batch, generator: torch.Generator) -> Batch:
        return batch.take(torch.arange(2))


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (NoBatch, "'broken' returned Tensor of shape .* a batch is expected"),
        (FewerTrials, r"'broken' returned a batch with Tensor of shape \(2,\).* as rows; Tensor of shape \(16,\)"),
    ],
)
def test_one_of_a_plugin_is_checked(broken: type[BatchAugmentation], message: str) -> None:
    augmentations.register("broken")(broken)
    try:
        data = striate.loaders(small_recording(), batch_size=16, augmentations=[{"type": "broken"}])
        with pytest.raises(InputError, match=message):
            next(iter(data.train))
    finally:
        augmentations.forget(__name__)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": 0}, "greater than 0"),
        ({"probability": 1.5}, "less than or equal to 1"),
        ({"aplha": 1}, "augmentations 'cutmix' has no key 'aplha': did you mean 'alpha'"),
    ],
)
def test_a_mistake_is_one_sentence(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        striate.loaders(small_recording(), augmentations=[{"type": "cutmix", **settings}])
