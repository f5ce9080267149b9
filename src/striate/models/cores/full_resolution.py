"""A core for images as they were recorded: a learnt stem reduces them, and the convolutional core of 2022 follows."""

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from striate.models.cores.base import Core
from striate.models.cores.building_blocks import check_kernel
from striate.models.cores.convolutional import ConvolutionalCore, ConvolutionalSettings
from striate.models.geometry import FeatureMaps, MapGeometry
from striate.models.inputs import ModelInputs
from striate.models.kernels.batchnorm_elu import normalised_elu
from striate.models.penalties import laplace_penalty, no_penalty
from striate.registry import cores


class FullResolutionSettings(ConvolutionalSettings):
    """Settings of the core ``full_resolution``: those of the stem, and those of the convolutional core.

    Attributes
    ----------
    stem_channels
        Number of filters of the stem.
    stem_kernel_size
        Height and width of the filters of the stem, in pixels of the image.
    stem_stride
        Factor by which the stem reduces height and width.

    Examples
    --------
    >>> FullResolutionSettings(channels=128).stem_stride
    4
    """

    training_only: ClassVar[frozenset[str]] = ConvolutionalSettings.training_only

    stem_channels: Annotated[int, Field(ge=1, le=4096)] = 16
    stem_kernel_size: Annotated[int, Field(ge=1)] = 4
    stem_stride: Annotated[int, Field(ge=1, le=64)] = 4

    def stem_geometry(self, height: int, width: int) -> MapGeometry:
        """Return the geometry of the maps of the stem.

        Raises
        ------
        InputError
            If the filters are larger than the image.
        """
        return MapGeometry.identity(height, width).convolved(self.stem_kernel_size, stride=self.stem_stride)

    def check_image_size(self, height: int, width: int) -> None:
        """Raise `InputError` if the images are too small for the stem and the first layer."""
        check_kernel("stem_kernel_size", self.stem_kernel_size, height, width)
        super().check_image_size(*self.stem_geometry(height, width).shape)


@cores.register("full_resolution", settings=FullResolutionSettings)
class FullResolutionCore(Core):
    """A strided convolution with batch normalisation and ELU, then the convolutional core on its maps.

    The winners of track SENSORIUM in 2022 had such a core for images of 144×256 pixels: filters of 4×4 pixels at a stride of 4.

    Parameters
    ----------
    settings
        Settings of the core.
    inputs
        Shapes of the inputs.

    Raises
    ------
    InputError
        If kernels are larger than the images.

    Examples
    --------
    >>> core = FullResolutionCore(FullResolutionSettings(layers=2, channels=8), ModelInputs((1, 144, 256)))
    >>> core(torch.zeros(3, 1, 144, 256)).shape
    torch.Size([3, 8, 28, 56])
    """

    settings: FullResolutionSettings

    def __init__(self, settings: FullResolutionSettings, inputs: ModelInputs) -> None:
        super().__init__(settings, inputs)
        channels, height, width = inputs.image_shape
        settings.check_image_size(height, width)
        stem = settings.stem_channels
        self.stem = nn.Conv2d(channels, stem, settings.stem_kernel_size, stride=settings.stem_stride, bias=False)
        self.stem_norm = nn.BatchNorm2d(stem, momentum=settings.batch_norm_momentum)
        nn.init.xavier_normal_(self.stem.weight)
        reduced = ModelInputs((stem, *settings.stem_geometry(height, width).shape), inputs.coordinates)
        layers = {name: getattr(settings, name) for name in ConvolutionalSettings.model_fields if name != "type"}
        self.body = ConvolutionalCore(ConvolutionalSettings(**layers), reduced)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def channels(self) -> int:
        """Number of feature maps of the last layer."""
        return self.settings.channels

    @property
    def geometry(self) -> MapGeometry:
        """Shape of the feature maps, and where each of their locations looks in the image."""
        return self.depths[-1].geometry

    @property
    def depths(self) -> tuple[FeatureMaps, ...]:
        """The maps of the stem, and those of each layer after it."""
        stem = self.settings.stem_geometry(*self.inputs.image_shape[1:])
        layers = (FeatureMaps(self.channels, each) for each in self.settings.layer_geometries(stem))
        return FeatureMaps(self.settings.stem_channels, stem), *layers

    def forward(self, images: Tensor, behavior: Tensor | None = None, pupil_center: Tensor | None = None) -> Tensor:
        """Compute the feature maps of the last layer, (B, channels, H, W), from standardised inputs, (B, C, height, width)."""
        maps: Tensor = self.body(self._reduced(images))
        return maps

    def depth_maps(
        self, images: Tensor, behavior: Tensor | None = None, pupil_center: Tensor | None = None
    ) -> list[Tensor]:
        """Compute the maps of the stem, and those of each layer after it."""
        reduced = self._reduced(images)
        return [reduced, *self.body.depth_maps(reduced)]

    def _reduced(self, images: Tensor) -> Tensor:
        return normalised_elu(self.stem(images.contiguous(memory_format=torch.channels_last)), self.stem_norm)

    def regulariser(self) -> Tensor:
        """Return the `laplace_penalty` of the stem, a scalar; 0 for a frozen core."""
        return no_penalty(self) if self.frozen else laplace_penalty(self.stem.weight, self.settings.laplace_weight)
