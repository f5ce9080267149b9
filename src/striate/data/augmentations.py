"""Augmentations: random changes of training batches.

An augmentation is a class that is built from its settings and the shape of the images, ``(settings, (channels, height,
width))``. It is called with standardised images, (B, C, height, width), and a random generator of PyTorch on the CPU, and returns
images of the same shape. One that changes more than the images derives from `BatchAugmentation`, and gets the whole batch. The
generator is seeded by the seed of the training, the session, the epoch and the number of the batch, so that a run that was
interrupted goes on with the same batches. Register your own by ``@striate.registry.augmentations.register("name", settings=...)``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, Self

import torch
import torch.nn.functional as F
from pydantic import Field, PositiveInt, model_validator

from striate.data.batch import Batch
from striate.errors import InputError, describe_type
from striate.registry import Settings, augmentations

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor


class Augmentation(Protocol):
    """A random change of images."""

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return changed images, (B, C, height, width)."""


class BatchAugmentation(ABC):
    """Base class of augmentations that change more than the images: responses, behaviour and eye position, too.

    Examples
    --------
    >>> class Shuffle(BatchAugmentation):
    ...     def apply_batch(self, batch, generator):
    ...         return batch.take(torch.randperm(len(batch), generator=generator))
    >>> batch = Batch("mouse", "train", torch.arange(4), torch.zeros(4, 1, 36, 64), torch.ones(4, 10))
    >>> Shuffle().apply_batch(batch, torch.Generator().manual_seed(0))
    <Batch mouse train: images (4, 1, 36, 64), responses (4, 10)>
    """

    @abstractmethod
    def apply_batch(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Return a changed batch.

        Parameters
        ----------
        batch
            Standardised trials. The images are without planes of behaviour, which follow from the behaviour that is returned. Its
            tensors must not be changed in place.
        generator
            Random generator on the CPU, the only source of random numbers.

        Returns
        -------
        Batch
            As many trials, with tensors of the same shapes and types.
        """


class TranslateSettings(Settings):
    """Settings of random shifts.

    Attributes
    ----------
    pixels
        Largest shift in each direction, in pixels of the rescaled image.
    shift_readout
        Whether the receptive fields of readouts are shifted along with the image, in addition to the shift of a shifter. Then each neuron
        keeps seeing what it saw, at another place of the feature maps. Without it, shifts teach neurons to ignore small movements.
    """

    pixels: PositiveInt = 2
    shift_readout: bool = False


class GaussianNoiseSettings(Settings):
    """Settings of Gaussian noise.

    Attributes
    ----------
    std
        Standard deviation of the noise, in units of the standardised images.
    """

    std: float = Field(default=0.1, gt=0)


class JitterSettings(Settings):
    """Settings of random changes of contrast and luminance.

    Attributes
    ----------
    contrast
        Largest change of the contrast: that of an image is multiplied by a random factor from 1 − contrast to 1 + contrast.
    luminance
        Largest change of the mean grey value, up or down, in units of the standardised images.
    """

    contrast: float = Field(default=0.1, ge=0, lt=1)
    luminance: float = Field(default=0.1, ge=0, le=10)

    @model_validator(mode="after")
    def _refuse_no_effect(self) -> Self:
        if self.contrast == self.luminance == 0:
            raise ValueError("contrast and luminance are both 0, so that jitter has no effect; increase one of them")
        return self


@augmentations.register("translate", settings=TranslateSettings)
class Translate(BatchAugmentation):
    """Shift each image by a random number of pixels. The border repeats the outermost pixels.

    Examples
    --------
    >>> translate = Translate(TranslateSettings(pixels=3), (1, 36, 64))
    >>> translate(torch.zeros(8, 1, 36, 64), torch.Generator().manual_seed(0)).shape
    torch.Size([8, 1, 36, 64])
    """

    def __init__(self, settings: TranslateSettings, input_shape: tuple[int, int, int]) -> None:
        self.pixels = settings.pixels
        self.shift_readout = settings.shift_readout
        size = min(input_shape[1:])
        if settings.pixels >= size:
            raise InputError(
                f"translate shifts images by up to {settings.pixels} pixels, and they have {input_shape[1]}×{input_shape[2]}: "
                f"choose fewer than {size}."
            )

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return shifted images, (B, C, height, width)."""
        return self._shifted(images, self._draw(images, generator))

    def apply_batch(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Return a batch with shifted images, and with their shifts if the readout is to be shifted along."""
        shifts = self._draw(batch.images, generator)
        changed = replace(batch, images=self._shifted(batch.images, shifts))
        if not self.shift_readout:
            return changed
        moved = (self.pixels - shifts.flip(1)).to(batch.images.dtype)  # to the right and downwards
        return replace(changed, image_shift=moved if batch.image_shift is None else batch.image_shift + moved)

    def _draw(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Draw the first row and the first column of each padded image that are kept, (B, 2)."""
        return torch.randint(0, 2 * self.pixels + 1, (len(images), 2), generator=generator).to(images.device)

    def _shifted(self, images: Tensor, shifts: Tensor) -> Tensor:
        count, channels, height, width = images.shape
        padded = F.pad(images, (self.pixels,) * 4, mode="replicate")
        rows = shifts[:, :1] + torch.arange(height, device=images.device)
        columns = shifts[:, 1:] + torch.arange(width, device=images.device)
        image = torch.arange(count, device=images.device)[:, None, None, None]
        channel = torch.arange(channels, device=images.device)[:, None, None]
        return padded[image, channel, rows[:, None, :, None], columns[:, None, None, :]]


@augmentations.register("gaussian_noise", settings=GaussianNoiseSettings)
class GaussianNoise:
    """Add independent Gaussian noise to every pixel.

    Examples
    --------
    >>> noise = GaussianNoise(GaussianNoiseSettings(std=0.5), (1, 36, 64))
    >>> round(noise(torch.zeros(8, 1, 36, 64), torch.Generator().manual_seed(0)).std().item(), 2)
    0.5
    """

    def __init__(self, settings: GaussianNoiseSettings, input_shape: tuple[int, int, int]) -> None:
        self.std = settings.std

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return noisy images, (B, C, height, width)."""
        noise = torch.randn(images.shape, generator=generator, dtype=images.dtype)
        return images + self.std * noise.to(images.device)


@augmentations.register("jitter", settings=JitterSettings)
class Jitter:
    """Change contrast and luminance of each image at random, as if the screen had been set to others.

    Each grey value x becomes m + c · (x − m) + l, where m is the mean of the image, and c and l are drawn from uniform distributions, one
    of each for an image. Channels have means of their own.

    Examples
    --------
    >>> jitter = Jitter(JitterSettings(contrast=0, luminance=0.5), (1, 36, 64))
    >>> changed = jitter(torch.zeros(8, 1, 36, 64), torch.Generator().manual_seed(0))
    >>> bool((changed.abs() <= 0.5).all()), changed.std(dim=(1, 2, 3)).max().item()
    (True, 0.0)
    """

    def __init__(self, settings: JitterSettings, input_shape: tuple[int, int, int]) -> None:
        self.settings = settings

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return changed images, (B, C, height, width)."""
        draws = 2 * torch.rand(2, len(images), 1, 1, 1, generator=generator).to(images) - 1
        contrast, luminance = 1 + self.settings.contrast * draws[0], self.settings.luminance * draws[1]
        means = images.mean(dim=(2, 3), keepdim=True)
        return means + contrast * (images - means) + luminance


class Augmentations:
    """Augmentations of a recipe, one after the other.

    Parameters
    ----------
    settings
        Settings of each augmentation.
    input_shape
        Channels, height and width of the images, without planes of behaviour.

    Examples
    --------
    >>> augment = Augmentations([GaussianNoiseSettings(std=0.1)], (1, 36, 64))
    >>> augment(Batch("mouse", "train", torch.arange(8), torch.zeros(8, 1, 36, 64)), seed=1)
    <Batch mouse train: images (8, 1, 36, 64)>
    """

    def __init__(self, settings: Iterable[Settings], input_shape: tuple[int, int, int]) -> None:
        self._channels = input_shape[0]
        self._each = [(each.type, augmentations.build(each, input_shape)) for each in settings]
        for name, augment in self._each:
            if isinstance(augment, type) or not (callable(augment) or isinstance(augment, BatchAugmentation)):
                raise InputError(
                    f"The augmentation {name!r} was built as {describe_type(augment)}, which cannot be called: register a class with a "
                    "method __call__(images, generator), which is built from its settings and the shape of the images."
                )

    def __bool__(self) -> bool:
        return bool(self._each)

    def __call__(self, batch: Batch, seed: int) -> Batch:
        """Return the augmented batch.

        Raises
        ------
        InputError
            If an augmentation returns something else than images, or a batch, of the same shapes and types.
        """
        generator = torch.Generator().manual_seed(seed)
        planes = batch.images[:, self._channels :]
        changed = replace(batch, images=batch.images[:, : self._channels])
        for name, augment in self._each:
            if isinstance(augment, BatchAugmentation):
                changed = _valid_batch(augment.apply_batch(changed, generator), changed, name)
            else:
                images = _valid_images(augment(changed.images, generator), changed.images, name)
                changed = replace(changed, images=images)
        if not planes.shape[1]:
            return changed
        if changed.behavior is not None and changed.behavior is not batch.behavior:
            planes = changed.behavior[:, :, None, None].expand_as(planes)
        return replace(changed, images=torch.cat([changed.images, planes], dim=1))


def _valid_images(given: object, images: Tensor, name: str) -> Tensor:
    if not isinstance(given, torch.Tensor) or given.shape != images.shape or given.dtype != images.dtype:
        raise InputError(
            f"The augmentation {name!r} returned {describe_type(given)}; images of shape {tuple(images.shape)} and type "
            f"{images.dtype} are expected."
        )
    return given


def _valid_batch(given: object, batch: Batch, name: str) -> Batch:
    if not isinstance(given, Batch):
        raise InputError(f"The augmentation {name!r} returned {describe_type(given)}; a batch is expected.")
    for field in ("rows", "images", "responses", "behavior", "pupil_center"):
        before, after = getattr(batch, field), getattr(given, field)
        if _form(before) != _form(after):
            raise InputError(
                f"The augmentation {name!r} returned a batch with {describe_type(after)} as {field}; {describe_type(before)} is expected."
            )
    return given


def _form(value: object) -> object:
    """Return shape and type of a tensor, or the class of anything else."""
    return (value.shape, value.dtype) if isinstance(value, torch.Tensor) else type(value)
