"""CutMix: rectangles of other images of the batch, and the responses mixed by area."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from pydantic import Field

from striate.data.augmentations import BatchAugmentation
from striate.errors import InputError
from striate.registry import Settings, augmentations

if TYPE_CHECKING:
    from torch import Tensor

    from striate.data.batch import Batch


class CutMixSettings(Settings):
    """Settings of CutMix.

    Attributes
    ----------
    alpha
        Parameter of the distribution Beta(alpha, alpha) of the share of the image outside the rectangle. 1 makes all sizes equally likely;
        with small values, most rectangles are tiny or nearly the whole image.
    probability
        Probability that an image is mixed with another one.
    """

    alpha: float = Field(default=1.0, gt=0, le=1000)
    probability: float = Field(default=0.5, gt=0, le=1)


@augmentations.register("cutmix", settings=CutMixSettings)
class CutMix(BatchAugmentation):
    """Replace a rectangle of an image by that of another image of the batch, and mix the responses by area.

    If the rectangle covers a share a of the image, the response becomes (1 − a) · own + a · other. Behaviour and eye position are
    mixed in the same way: they scale and shift the responses, so that mixed responses go with a state between the two, and a rectangle
    of just below half the image does not carry responses in a state that the model is not told. The trial's place in the session (its
    row and its context) cannot be mixed; it is that of the image with the larger part. The rectangle has the form of the image, its
    centre is anywhere, and what lies beyond the border is cut off (Yun et al. 2019, https://arxiv.org/abs/1905.04899; the defaults are
    those of the winner of SENSORIUM 2023).

    Examples
    --------
    >>> from striate.data import Batch
    >>> images = torch.tensor([0.0, 1.0])[:, None, None, None].expand(2, 1, 36, 64)
    >>> batch = Batch("mouse", "train", torch.arange(2), images, torch.tensor([[0.0], [1.0]]))
    >>> mixed = CutMix(CutMixSettings(probability=1), (1, 36, 64)).apply_batch(batch, torch.Generator().manual_seed(2))
    >>> torch.allclose(mixed.images.mean(dim=(1, 2, 3)), mixed.responses[:, 0])
    True
    """

    def __init__(self, settings: CutMixSettings, input_shape: tuple[int, int, int]) -> None:
        self.settings = settings

    def apply_batch(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Return mixed trials.

        Raises
        ------
        InputError
            If the images were shifted before, together with the readout.
        """
        if batch.image_shift is not None:
            raise InputError(
                "cutmix follows an augmentation with shift_readout = true, and pieces of differently shifted images have no common shift: "
                "put cutmix before it."
            )
        device = batch.images.device
        partners = torch.randperm(len(batch), generator=generator)
        mixed = torch.rand(len(batch), generator=generator) < self.settings.probability
        inside = self._rectangles(batch.images, generator) & mixed[:, None, None]
        share = inside.double().mean(dim=(1, 2)).float()
        place = torch.where(share > 0.5, partners, torch.arange(len(batch))).to(device)
        partners, inside, share = partners.to(device), inside.to(device), share.to(device)[:, None]

        def mix(values: Tensor | None) -> Tensor | None:
            return None if values is None else torch.lerp(values, values[partners], share.to(values.dtype))

        return replace(
            batch.take(place),
            images=torch.where(inside[:, None], batch.images[partners], batch.images),
            responses=mix(batch.responses),
            behavior=mix(batch.behavior),
            pupil_center=mix(batch.pupil_center),
        )

    def _rectangles(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Draw a rectangle for each image: masks (B, height, width), true inside."""
        count, _, height, width = images.shape
        seed = int(torch.randint(2**62, (), generator=generator))  # PyTorch draws no beta distribution from a generator
        rng = np.random.default_rng(seed)
        side = np.sqrt(1 - rng.beta(self.settings.alpha, self.settings.alpha, count))
        centres = rng.random((2, count))
        rows, columns = (
            torch.from_numpy(
                np.abs(np.arange(length) + 0.5 - (centre * length)[:, None]) < (side * length / 2)[:, None]
            )
            for length, centre in zip((height, width), centres, strict=True)
        )
        return rows[:, :, None] & columns[:, None, :]
