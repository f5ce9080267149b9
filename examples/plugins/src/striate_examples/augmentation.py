"""An augmentation: the contrast of each image changes at random."""

import torch

from striate.registry import Settings, augmentations


class ContrastSettings(Settings):
    """Settings of the augmentation ``contrast``.

    Attributes
    ----------
    largest_change
        Largest change of the contrast, as a fraction of it.
    """

    largest_change: float = 0.3


@augmentations.register("contrast", settings=ContrastSettings)
class Contrast:
    """Multiply the distance of all pixels from the mean of their image by a random factor."""

    def __init__(self, settings, image_shape):
        self.largest_change = settings.largest_change

    def __call__(self, images, generator):
        draws = torch.rand(len(images), 1, 1, 1, generator=generator).to(images)
        mean = images.mean(dim=(1, 2, 3), keepdim=True)
        return mean + (images - mean) * (1 + self.largest_change * (2 * draws - 1))
