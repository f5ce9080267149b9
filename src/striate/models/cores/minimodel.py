"""The shallow core of Du et al. (2025): few large filters, pooling, and many small depth-separable ones."""

from typing import Annotated, ClassVar, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from striate.models.cores.base import Core, CoreSettings
from striate.models.cores.building_blocks import check_odd
from striate.models.geometry import FeatureMaps, MapGeometry
from striate.models.inputs import ModelInputs
from striate.models.kernels.batchnorm_elu import normalised_elu
from striate.models.penalties import laplace_penalty, no_penalty
from striate.registry import cores


class MinimodelSettings(CoreSettings):
    """Settings of the core ``minimodel``.

    Attributes
    ----------
    input_channels
        Number of filters of the first layer.
    input_kernel_size
        Height and width of the filters of the first layer, in pixels of the rescaled image; an odd number.
    pool
        Height and width of the windows of max pooling after the first layer; 1 for no pooling.
    channels
        Number of feature maps of the second layer.
    hidden_kernel_size
        Height and width of the filters of the second layer, in pooled pixels; an odd number.
    batch_norm_momentum
        Weight of the current batch in the running mean and variance of batch normalisation.
    laplace_weight
        Weight of the Laplace penalty, which makes the filters of the first layer smooth. Du et al. have none.

    Examples
    --------
    >>> MinimodelSettings(channels=64).input_kernel_size
    25
    """

    training_only: ClassVar[frozenset[str]] = frozenset({"laplace_weight", "batch_norm_momentum"})

    input_channels: Annotated[int, Field(ge=1, le=4096)] = 16
    input_kernel_size: Annotated[int, Field(ge=1)] = 25
    pool: Annotated[int, Field(ge=1, le=16)] = 2
    channels: Annotated[int, Field(ge=1, le=4096)] = 320
    hidden_kernel_size: Annotated[int, Field(ge=1)] = 9
    batch_norm_momentum: Annotated[float, Field(gt=0, le=1)] = 0.9
    laplace_weight: Annotated[float, Field(ge=0)] = 0.0

    @model_validator(mode="after")
    def _odd_kernels(self) -> Self:
        for name in ("input_kernel_size", "hidden_kernel_size"):
            check_odd(name, getattr(self, name))
        return self


@cores.register("minimodel", settings=MinimodelSettings)
class MinimodelCore(Core):
    """Two layers: a convolution with few large filters, max pooling, and a depth-separable convolution to many maps [1]_.

    Each convolution is followed by batch normalisation and an ELU. The maps are as large as the image, divided by ``pool``.

    Parameters
    ----------
    settings
        Settings of the core.
    inputs
        Shapes of the inputs.

    References
    ----------
    .. [1] Du et al. (2025), A simplified minimodel of visual cortical neurons, Nature Communications.

    Examples
    --------
    >>> core = MinimodelCore(MinimodelSettings(channels=8), ModelInputs((1, 36, 64)))
    >>> core(torch.zeros(3, 1, 36, 64)).shape
    torch.Size([3, 8, 18, 32])
    """

    settings: MinimodelSettings

    def __init__(self, settings: MinimodelSettings, inputs: ModelInputs) -> None:
        super().__init__(settings, inputs)
        first, second = settings.input_kernel_size, settings.hidden_kernel_size
        width, momentum = settings.input_channels, settings.batch_norm_momentum
        self.first = nn.Conv2d(inputs.image_shape[0], width, first, padding=first // 2, bias=False)
        self.first_norm = nn.BatchNorm2d(width, momentum=momentum)
        self.pool = nn.MaxPool2d(settings.pool)
        self.second = nn.Sequential(
            nn.Conv2d(width, width, second, padding=second // 2, groups=width, bias=False),
            nn.Conv2d(width, settings.channels, 1, bias=False),
        )
        self.second_norm = nn.BatchNorm2d(settings.channels, momentum=momentum)
        for convolution in (self.first, *self.second):
            nn.init.xavier_normal_(convolution.weight)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def channels(self) -> int:
        """Number of feature maps."""
        return self.settings.channels

    @property
    def geometry(self) -> MapGeometry:
        """Shape of the feature maps, and where each of their locations looks in the image."""
        return self.depths[-1].geometry

    @property
    def depths(self) -> tuple[FeatureMaps, ...]:
        """The pooled maps of the first layer, and those of the second."""
        first, second, pool = self.settings.input_kernel_size, self.settings.hidden_kernel_size, self.settings.pool
        image = MapGeometry.identity(*self.inputs.image_shape[1:])
        pooled = image.convolved(first, padding=first // 2).convolved(pool, stride=pool)
        last = pooled.convolved(second, padding=second // 2)
        return FeatureMaps(self.settings.input_channels, pooled), FeatureMaps(self.channels, last)

    def forward(self, images: Tensor, behavior: Tensor | None = None, pupil_center: Tensor | None = None) -> Tensor:
        """Compute the feature maps, (B, channels, height / pool, width / pool), from standardised inputs, (B, C, height, width)."""
        return self.depth_maps(images)[-1]

    def depth_maps(
        self, images: Tensor, behavior: Tensor | None = None, pupil_center: Tensor | None = None
    ) -> list[Tensor]:
        """Compute the pooled maps of the first layer, and those of the second."""
        maps = self.first(images.contiguous(memory_format=torch.channels_last))
        pooled = self.pool(normalised_elu(maps, self.first_norm))
        return [pooled, normalised_elu(self.second(pooled), self.second_norm)]

    def regulariser(self) -> Tensor:
        """Return the `laplace_penalty` of the first layer, a scalar; 0 for a frozen core."""
        if self.frozen:
            return no_penalty(self)
        return laplace_penalty(self.first.weight, self.settings.laplace_weight)
