"""Conformance suite for augmentations."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from striate.data import Batch
from striate.data.augmentations import Augmentation, BatchAugmentation
from striate.registry import augmentations
from striate.testing.settings_changes import assert_every_setting_has_an_effect


class AugmentationTests:
    """Test suite for an augmentation: derive a class from it in a test module, name the augmentation, and run pytest.

    ::

        from striate.testing import AugmentationTests

        class TestContrast(AugmentationTests):
            settings = {"type": "contrast"}

    Attributes
    ----------
    settings
        Settings of the augmentation, with the key ``type``.
    image_shape
        Channels, height and width of the images.
    other_values
        Other values of settings for which the suite cannot guess one: name of the setting → value.
    without_effect
        Names of settings that do not change the images.
    """

    settings: ClassVar[Mapping[str, Any]] = {}
    image_shape: ClassVar[tuple[int, int, int]] = (1, 36, 64)
    other_values: ClassVar[Mapping[str, Any]] = {}
    without_effect: ClassVar[frozenset[str]] = frozenset()

    def build(
        self, settings: Any = None, shape: tuple[int, int, int] | None = None
    ) -> Augmentation | BatchAugmentation:
        """Build the augmentation."""
        chosen = augmentations.settings(self.settings) if settings is None else settings
        augmentation: Augmentation | BatchAugmentation = augmentations.build(chosen, shape or self.image_shape)
        return augmentation

    def images(self, number: int = 6, shape: tuple[int, int, int] | None = None) -> Tensor:
        """Return random standardised images, the same each time."""
        return torch.randn(number, *(shape or self.image_shape), generator=torch.Generator().manual_seed(1))

    def batch(self, images: Tensor) -> Batch:
        """Return a batch with these images, and responses, behaviour and eye position at random, the same each time."""
        generator, number = torch.Generator().manual_seed(2), len(images)
        behavior, pupil_center = (torch.randn(number, size, generator=generator) for size in (3, 2))
        responses = torch.rand(number, 5, generator=generator)
        batch = Batch("mouse", "train", torch.arange(number), images, responses, behavior, pupil_center)
        return batch.to(images.device)

    def augmented(
        self, images: Tensor, seed: int = 0, augmentation: Augmentation | BatchAugmentation | None = None
    ) -> Tensor:
        """Augment images, or a batch with them, with a generator of a given seed, and return the images."""
        return self.augmented_batch(self.batch(images), seed, augmentation).images

    def augmented_batch(
        self, batch: Batch, seed: int = 0, augmentation: Augmentation | BatchAugmentation | None = None
    ) -> Batch:
        """Augment a batch with a generator of a given seed."""
        augmentation, generator = augmentation or self.build(), torch.Generator().manual_seed(seed)
        if isinstance(augmentation, BatchAugmentation):
            return augmentation.apply_batch(batch, generator)
        return replace(batch, images=augmentation(batch.images, generator))

    def test_images_keep_their_shape_and_type(self) -> None:
        """Augmented images have the shape and the type of the images and are finite, for images of several shapes."""
        channels, height, width = self.image_shape
        for shape in (self.image_shape, (channels + 1, height, width), (channels, height + 4, width + 6)):
            for number in (1, 6):
                images = self.images(number, shape)
                changed = self.augmented(images, augmentation=self.build(shape=shape))
                assert changed.shape == images.shape
                assert changed.dtype == images.dtype
                assert torch.isfinite(changed).all()

    def test_images_change_at_random(self) -> None:
        """Images are changed, and in another way with another seed."""
        images = self.images()
        changed = [self.augmented(images, seed) for seed in range(8)]
        assert any(not torch.equal(each, images) for each in changed), "the images stay as they are"
        assert any(not torch.equal(each, changed[0]) for each in changed), "the random generator is not used"

    def test_the_generator_alone_decides(self) -> None:
        """The same generator gives the same images: neither the global generators nor earlier batches matter."""
        augmentation, images = self.build(), self.images()
        torch.manual_seed(0)
        once = self.augmented(images, augmentation=augmentation)
        torch.manual_seed(1)
        assert torch.equal(self.augmented(images, augmentation=augmentation), once)
        self.augmented(self.images(2), seed=5, augmentation=augmentation)
        assert torch.equal(self.augmented(images, augmentation=augmentation), once)
        assert torch.equal(self.augmented(images), once)

    def test_batches_keep_their_form(self) -> None:
        """An augmentation of whole batches returns as many trials, with finite tensors of the same shapes and types."""
        for number in (1, 6):
            batch = self.batch(self.images(number))
            changed = self.augmented_batch(batch)
            assert (changed.session, changed.tier) == (batch.session, batch.tier)
            for before, after in zip(_tensors(batch), _tensors(changed), strict=False):  # it may add a shift
                assert after.shape == before.shape
                assert after.dtype == before.dtype
                assert torch.isfinite(after).all()

    def test_inputs_are_not_changed(self) -> None:
        """The given batch, which the loader may use again, and the state of the global generator stay as they were."""
        batch = self.batch(self.images())
        before, state = [tensor.clone() for tensor in _tensors(batch)], torch.random.get_rng_state()
        self.augmented_batch(batch)
        assert torch.equal(batch.images, before[0]), "the images were changed in place"
        assert all(map(torch.equal, _tensors(batch), before)), "the batch was changed in place"
        assert torch.equal(torch.random.get_rng_state(), state), "the global random generator was used"

    def test_every_setting_has_an_effect(self) -> None:
        """Changing a setting changes the images, or something else of the batch."""
        assert_every_setting_has_an_effect(
            augmentations, self.settings, self.other_values, self.without_effect, self._behaviour
        )

    def _behaviour(self, settings: Any) -> Iterator[Tensor]:
        augmentation = self.build(settings)
        for seed in range(8):
            yield from _tensors(self.augmented_batch(self.batch(self.images()), seed, augmentation))

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
    def test_cpu_and_gpu_agree(self) -> None:
        """Images on a GPU are changed in the same way; the generator is one of the CPU."""
        images = self.images()
        on_gpu = self.augmented(images.cuda())
        assert on_gpu.is_cuda
        torch.testing.assert_close(on_gpu.cpu(), self.augmented(images), atol=1e-3, rtol=1e-2)


def _tensors(batch: Batch) -> list[Tensor]:
    """Return the tensors of a batch."""
    given = (batch.images, batch.responses, batch.behavior, batch.pupil_center, batch.rows, batch.image_shift)
    return [tensor for tensor in given if tensor is not None]
