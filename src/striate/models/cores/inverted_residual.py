"""Inverted residual blocks, with which the SENSORIUM competition of 2023 was won, on single images."""

from typing import Annotated, ClassVar, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from striate.models.cores.base import Core, CoreSettings
from striate.models.cores.building_blocks import (
    check_kernel,
    check_odd,
    drop_path,
    drop_path_probabilities,
    position_encoding,
)
from striate.models.geometry import FeatureMaps, MapGeometry
from striate.models.inputs import ModelInputs
from striate.registry import cores

Channels = Annotated[int, Field(ge=1, le=8192)]
Stride = Annotated[int, Field(ge=1, le=16)]


class InvertedResidualSettings(CoreSettings):
    """Settings of the core ``inverted_residual``.

    Attributes
    ----------
    channels
        Number of feature maps of each block.
    strides
        Factor by which each block reduces height and width; as many as blocks.
    stem_channels
        Number of maps of the convolution before the first block.
    stem_kernel_size
        Height and width of its kernels; 1 for a pointwise convolution.
    stem_stride
        Factor by which it reduces height and width.
    expansion
        Factor by which a block increases the number of its maps, before it convolves each by itself.
    kernel_size
        Height and width of the kernels of the depthwise convolutions; an odd number.
    squeeze_reduction
        Factor by which the hidden layer of squeeze and excitation is smaller than the expanded maps; 0 leaves it out.
    position_encoding
        Whether sines and cosines of the position are added to the maps before each block.
    drop_path
        Probability that the last block is left out for an image, in training; it increases linearly over the blocks.
    batch_norm_momentum
        Weight of the current batch in the running mean and variance of batch normalisation.

    Examples
    --------
    >>> len(InvertedResidualSettings().channels)
    7
    """

    training_only: ClassVar[frozenset[str]] = frozenset({"drop_path", "batch_norm_momentum"})

    channels: Annotated[tuple[Channels, ...], Field(min_length=1, max_length=64)] = (64, 64, 64, 64, 128, 128, 128)
    strides: Annotated[tuple[Stride, ...], Field(min_length=1, max_length=64)] = (1, 1, 1, 1, 1, 1, 1)
    stem_channels: Channels = 64
    stem_kernel_size: Annotated[int, Field(ge=1)] = 2
    stem_stride: Stride = 2
    expansion: Annotated[int, Field(ge=1, le=64)] = 6
    kernel_size: Annotated[int, Field(ge=1)] = 3
    squeeze_reduction: Annotated[int, Field(ge=0, le=1024)] = 32
    position_encoding: bool = True
    drop_path: Annotated[float, Field(ge=0, lt=1)] = 0.1
    batch_norm_momentum: Annotated[float, Field(gt=0, le=1)] = 0.1

    @model_validator(mode="after")
    def _blocks_fit(self) -> Self:
        if len(self.strides) != len(self.channels):
            raise ValueError(
                f"there are {len(self.channels)} numbers of channels and {len(self.strides)} strides: give one of each for each block"
            )
        check_odd("kernel_size", self.kernel_size)
        return self

    def check_image_size(self, height: int, width: int) -> None:
        """Raise `InputError` if the kernels of the stem are larger than the images."""
        check_kernel("stem_kernel_size", self.stem_kernel_size, height, width)


class SqueezeExcitation(nn.Module):
    """Scale each map by a factor that an MLP computes from the means of all maps [1]_.

    References
    ----------
    .. [1] Hu et al. (2018), Squeeze-and-Excitation Networks, CVPR.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.squeeze, self.excite = nn.Conv2d(channels, hidden, 1), nn.Conv2d(hidden, channels, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Scale maps, (B, C, H, W)."""
        means = maps.mean(dim=(2, 3), keepdim=True)
        return maps * torch.sigmoid(self.excite(F.silu(self.squeeze(means))))


class InvertedResidual(nn.Module):
    """Expand maps, convolve each, weigh them, and project them; the input is added by a shortcut without parameters."""

    def __init__(self, settings: InvertedResidualSettings, channels: int, number: int, drop_probability: float) -> None:
        super().__init__()
        self.out_channels, self.stride = settings.channels[number], settings.strides[number]
        self.encoded, self.drop_path = settings.position_encoding, drop_probability
        width, kernel, momentum = channels * settings.expansion, settings.kernel_size, settings.batch_norm_momentum

        def norm(maps: int) -> nn.BatchNorm2d:
            return nn.BatchNorm2d(maps, momentum=momentum)

        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 1, bias=False),
            norm(width),
            nn.SiLU(),
            nn.Conv2d(width, width, kernel, stride=self.stride, padding=kernel // 2, groups=width, bias=False),
            norm(width),
            nn.SiLU(),
            SqueezeExcitation(width, settings.squeeze_reduction) if settings.squeeze_reduction else nn.Identity(),
            nn.Conv2d(width, self.out_channels, 1, bias=False),
            norm(self.out_channels),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Compute the maps of the block, (B, C′, H′, W′), from (B, C, H, W)."""
        if self.encoded:
            channels, height, width = maps.shape[1:]
            maps = maps + position_encoding(channels, height, width, maps.device)
        change: Tensor = self.layers(maps)
        if self.training:
            change = drop_path(change, self.drop_path)
        return change + self._shortcut(maps)

    def _shortcut(self, maps: Tensor) -> Tensor:
        """Take every stride-th location, and repeat or cut off maps until their number fits."""
        maps = maps[..., :: self.stride, :: self.stride]
        times = -(-self.out_channels // maps.shape[1])
        return maps.repeat(1, times, 1, 1)[:, : self.out_channels]


@cores.register("inverted_residual", settings=InvertedResidualSettings)
class InvertedResidualCore(Core):
    """Inverted residual blocks with squeeze and excitation, position encoding and stochastic depth [1]_.

    The winner of SENSORIUM 2023 (DwiseNeuro) convolved space and time in each block; here a block convolves space.

    Parameters
    ----------
    settings
        Settings of the core.
    inputs
        Shapes of the inputs.

    References
    ----------
    .. [1] Sandler et al. (2018), MobileNetV2: Inverted residuals and linear bottlenecks, CVPR.

    Examples
    --------
    >>> core = InvertedResidualCore(InvertedResidualSettings(channels=(8, 16), strides=(1, 1)), ModelInputs((1, 36, 64)))
    >>> core(torch.zeros(3, 1, 36, 64)).shape
    torch.Size([3, 16, 18, 32])
    """

    settings: InvertedResidualSettings

    def __init__(self, settings: InvertedResidualSettings, inputs: ModelInputs) -> None:
        super().__init__(settings, inputs)
        stem = settings.stem_channels
        settings.check_image_size(*inputs.image_shape[1:])
        self.stem = nn.Sequential(
            nn.Conv2d(inputs.image_shape[0], stem, settings.stem_kernel_size, stride=settings.stem_stride, bias=False),
            nn.BatchNorm2d(stem, momentum=settings.batch_norm_momentum),
        )
        widths = (stem, *settings.channels)
        probabilities = drop_path_probabilities(settings.drop_path, len(settings.channels))
        self.blocks = nn.Sequential(
            *(
                InvertedResidual(settings, widths[number], number, probability)
                for number, probability in enumerate(probabilities)
            )
        )
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def channels(self) -> int:
        """Number of feature maps of the last block."""
        return self.settings.channels[-1]

    @property
    def geometry(self) -> MapGeometry:
        """Shape of the feature maps, and where each location looks; by squeeze and excitation it sees a little of the whole image."""
        return self.depths[-1].geometry

    @property
    def depths(self) -> tuple[FeatureMaps, ...]:
        """The maps of each block."""
        settings, image = self.settings, MapGeometry.identity(*self.inputs.image_shape[1:])
        geometry = image.convolved(settings.stem_kernel_size, stride=settings.stem_stride)
        kernel, found = settings.kernel_size, []
        for channels, stride in zip(settings.channels, settings.strides, strict=True):
            geometry = geometry.convolved(kernel, stride=stride, padding=kernel // 2)
            seen = geometry.of_whole_image(*image.shape) if settings.squeeze_reduction else geometry
            found.append(FeatureMaps(channels, seen))
        return tuple(found)

    def forward(self, images: Tensor, behavior: Tensor | None = None, pupil_center: Tensor | None = None) -> Tensor:
        """Compute the feature maps of the last block, (B, channels, H, W), from standardised inputs, (B, C, height, width)."""
        maps: Tensor = self.blocks(self.stem(images.contiguous(memory_format=torch.channels_last)))
        return maps

    def depth_maps(
        self, images: Tensor, behavior: Tensor | None = None, pupil_center: Tensor | None = None
    ) -> list[Tensor]:
        """Compute the feature maps of each block."""
        found = [self.stem(images.contiguous(memory_format=torch.channels_last))]
        for block in self.blocks:
            found.append(block(found[-1]))
        return found[1:]
