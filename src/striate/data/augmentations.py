"""Augmentations: random changes of the images of training batches.

An augmentation is a class that is built from its settings and the shape of the images, ``(settings, (channels, height,
width))``. It is called with standardised images, (B, C, height, width), and a random generator of PyTorch on the CPU, and returns
images of the same shape. The generator is seeded by the seed of the training, the session, the epoch and the number of the
batch, so that a run that was interrupted goes on with the same images. Register your own by
``@striate.registry.augmentations.register("name", settings=...)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch
import torch.nn.functional as F
from pydantic import Field, PositiveInt

from striate.errors import InputError, describe_type
from striate.registry import Settings, augmentations

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor


class Augmentation(Protocol):
    """A random change of images."""

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return changed images, (B, C, height, width)."""


class TranslateSettings(Settings):
    """Settings of random shifts.

    Attributes
    ----------
    pixels
        Largest shift in each direction, in pixels of the rescaled image.
    """

    pixels: PositiveInt = 2


class GaussianNoiseSettings(Settings):
    """Settings of Gaussian noise.

    Attributes
    ----------
    std
        Standard deviation of the noise, in units of the standardised images.
    """

    std: float = Field(default=0.1, gt=0)


@augmentations.register("translate", settings=TranslateSettings)
class Translate:
    """Shift each image by a random number of pixels. The border repeats the outermost pixels.

    Examples
    --------
    >>> translate = Translate(TranslateSettings(pixels=3), (1, 36, 64))
    >>> translate(torch.zeros(8, 1, 36, 64), torch.Generator().manual_seed(0)).shape
    torch.Size([8, 1, 36, 64])
    """

    def __init__(self, settings: TranslateSettings, input_shape: tuple[int, int, int]) -> None:
        self.pixels = settings.pixels
        size = min(input_shape[1:])
        if settings.pixels >= size:
            raise InputError(
                f"translate shifts images by up to {settings.pixels} pixels, and they have {input_shape[1]}×{input_shape[2]}: "
                f"choose fewer than {size}."
            )

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return shifted images, (B, C, height, width)."""
        count, channels, height, width = images.shape
        shifts = torch.randint(0, 2 * self.pixels + 1, (count, 2), generator=generator).to(images.device)
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


class Augmentations:
    """Augmentations of a recipe, one after the other.

    Parameters
    ----------
    settings
        Settings of each augmentation.
    input_shape
        Channels, height and width of the images.

    Examples
    --------
    >>> augment = Augmentations([GaussianNoiseSettings(std=0.1)], (1, 36, 64))
    >>> augment(torch.zeros(8, 1, 36, 64), seed=1).shape
    torch.Size([8, 1, 36, 64])
    """

    def __init__(self, settings: Iterable[Settings], input_shape: tuple[int, int, int]) -> None:
        self._each = [(each.type, augmentations.build(each, input_shape)) for each in settings]
        for name, augment in self._each:
            if isinstance(augment, type) or not callable(augment):
                raise InputError(
                    f"The augmentation {name!r} was built as {describe_type(augment)}, which cannot be called: register a class with a "
                    "method __call__(images, generator), which is built from its settings and the shape of the images."
                )

    def __bool__(self) -> bool:
        return bool(self._each)

    def __call__(self, images: Tensor, seed: int) -> Tensor:
        """Return augmented images, (B, C, height, width).

        Raises
        ------
        InputError
            If an augmentation returns something else than images of the same shape and type.
        """
        generator = torch.Generator().manual_seed(seed)
        for name, augment in self._each:
            changed = augment(images, generator)
            if not isinstance(changed, torch.Tensor) or changed.shape != images.shape or changed.dtype != images.dtype:
                raise InputError(
                    f"The augmentation {name!r} returned {describe_type(changed)}; images of shape {tuple(images.shape)} and type "
                    f"{images.dtype} are expected."
                )
            images = changed
        return images
