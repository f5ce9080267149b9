"""The convolutional core of the 2022 baselines: depth-separable (CNN), or linear (LN).

Descriptions of settings end in the name that the SENSORIUM 2022 tools (the packages sensorium and neuralpredictors) give them.
"""

from typing import Annotated, ClassVar, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from striate.models.cores.base import Core, CoreSettings
from striate.models.cores.building_blocks import check_kernel, check_odd, stacked_geometries
from striate.models.geometry import FeatureMaps, MapGeometry
from striate.models.inputs import ModelInputs
from striate.models.kernels.batchnorm_elu import normalised_elu
from striate.models.kernels.depthwise_conv import depthwise
from striate.models.kernels.elu import elu_
from striate.models.kernels.separable_core import separable_core
from striate.models.penalties import laplace_penalty
from striate.registry import cores


class ConvolutionalSettings(CoreSettings):
    """Settings of the convolutional core.

    Attributes
    ----------
    layers
        Number of convolutional layers. The first layer is an ordinary convolution without padding; the other layers
        keep the size of the feature maps (2022: ``layers``).
    channels
        Number of feature maps of every layer (2022: ``hidden_channels``).
    input_kernel_size
        Height and width, in pixels of the rescaled image, of the kernels of the first layer (2022: ``input_kern``).
    hidden_kernel_size
        Height and width, in pixels of the feature map, of the kernels of all later layers; an odd number (2022:
        ``hidden_kern``).
    nonlinear
        Whether an ELU follows each layer. ``false`` makes the core linear, as in the LN baseline (2022: the
        opposite of ``linear``).
    depth_separable
        Whether each layer after the first is factorised into a pointwise, a depthwise and a pointwise convolution
        (2022: ``depth_separable``).
    last_layer_scale
        Whether the batch normalisation of the last layer has a scale and a bias. Without them all maps vary equally, so that feature
        weights of readouts can be compared, and their penalty cannot be evaded (neuralpredictors: ``batch_norm_scale``,
        ``final_batchnorm_scale``).
    batch_norm_momentum
        Weight of the current batch in the running mean and variance of batch normalisation (2022: ``momentum``).
    laplace_weight
        Weight of the Laplace penalty, which makes the kernels of the first layer smooth (2022: ``gamma_input``).

    Examples
    --------
    >>> ConvolutionalSettings(layers=2, channels=16).hidden_kernel_size
    7
    """

    training_only: ClassVar[frozenset[str]] = frozenset({"laplace_weight", "batch_norm_momentum"})

    layers: Annotated[int, Field(ge=1, le=32)] = 4
    channels: Annotated[int, Field(ge=1, le=4096)] = 64
    input_kernel_size: Annotated[int, Field(ge=1)] = 9
    hidden_kernel_size: Annotated[int, Field(ge=1)] = 7
    nonlinear: bool = True
    depth_separable: bool = True
    last_layer_scale: bool = True
    batch_norm_momentum: Annotated[float, Field(gt=0, le=1)] = 0.9
    laplace_weight: Annotated[float, Field(ge=0)] = 6.3831

    @model_validator(mode="after")
    def _check_hidden_kernel_size(self) -> Self:
        check_odd("hidden_kernel_size", self.hidden_kernel_size)
        return self

    def layer_geometries(self, geometry: MapGeometry) -> list[MapGeometry]:
        """Return the geometry of the maps of each layer, if those of the input have the given one."""
        return stacked_geometries(geometry, self.input_kernel_size, self.hidden_kernel_size, self.layers)

    def check_image_size(self, height: int, width: int) -> None:
        """Raise `InputError` if the kernels of the first layer are larger than the images."""
        check_kernel("input_kernel_size", self.input_kernel_size, height, width)


class DepthwiseConvolution(nn.Conv2d):
    """A depthwise convolution with padding that keeps the size of the maps."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__(channels, channels, kernel, padding=kernel // 2, groups=channels, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        """Convolve feature maps, (B, C, H, W)."""
        return depthwise(maps, self.weight)


class SeparableConvolution(nn.Sequential):
    """A pointwise, a depthwise and a pointwise convolution, with far fewer weights than a full convolution."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__(
            nn.Conv2d(channels, channels, 1, bias=False),
            DepthwiseConvolution(channels, kernel),
            nn.Conv2d(channels, channels, 1, bias=False),
        )


class Layer(nn.Module):
    """A convolution, batch normalisation and, in a nonlinear core, an ELU."""

    def __init__(self, convolution: nn.Module, settings: ConvolutionalSettings, *, scale: bool = True) -> None:
        super().__init__()
        self.convolution = convolution
        self.norm = nn.BatchNorm2d(settings.channels, eps=1e-5, momentum=settings.batch_norm_momentum, affine=scale)
        self.nonlinear = settings.nonlinear

    def forward(self, maps: Tensor) -> Tensor:
        """Compute the feature maps of the layer, (B, C, H, W)."""
        if self.training or torch.is_grad_enabled():
            maps = self.convolution(maps)
            return normalised_elu(maps, self.norm) if self.nonlinear else self.norm(maps)
        maps = self._normalised_convolution(maps)
        return elu_(maps) if self.nonlinear else maps

    def _normalised_convolution(self, maps: Tensor) -> Tensor:
        """Apply the convolution with the folded weights of the batch normalisation."""
        *before, last = self.convolutions()
        for part in before:
            maps = part(maps)
        weight, bias = self.folded_weights()
        return F.conv2d(maps, weight, bias, padding=last.padding, groups=last.groups)

    def convolutions(self) -> list[nn.Conv2d]:
        """Return the convolutions of the layer in order: one, or three if it is separable."""
        return [part for part in self.convolution.modules() if isinstance(part, nn.Conv2d)]

    def folded_weights(self) -> tuple[Tensor, Tensor]:
        """Return weight and bias of the last convolution with batch normalisation, in evaluation mode, folded in."""
        norm = self.norm
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = (norm.running_var + norm.eps).rsqrt()
        if not norm.affine:
            return self.convolutions()[-1].weight * scale[:, None, None, None], -norm.running_mean * scale
        scale = norm.weight * scale
        bias = norm.bias - norm.running_mean * scale
        return self.convolutions()[-1].weight * scale[:, None, None, None], bias


@cores.register("convolutional", settings=ConvolutionalSettings)
class ConvolutionalCore(Core):
    """Convolutional core: computes the feature maps that the readouts of all recordings share.

    Parameters
    ----------
    settings
        Settings of the core.
    inputs
        Shapes of the inputs.

    Raises
    ------
    InputError
        If the kernels of the first layer are larger than the images.

    Examples
    --------
    >>> core = ConvolutionalCore(ConvolutionalSettings(layers=2, channels=8), ModelInputs((1, 36, 64)))
    >>> core(torch.zeros(3, 1, 36, 64)).shape
    torch.Size([3, 8, 28, 56])
    """

    settings: ConvolutionalSettings

    def __init__(self, settings: ConvolutionalSettings, inputs: ModelInputs) -> None:
        super().__init__(settings, inputs)
        input_channels, height, width = inputs.image_shape
        settings.check_image_size(height, width)
        channels = settings.channels
        first = nn.Conv2d(input_channels, channels, settings.input_kernel_size, bias=False)
        convolutions = [first, *(self._hidden_convolution() for _ in range(settings.layers - 1))]
        self.layers = nn.ModuleList(Layer(each, settings) for each in convolutions[:-1])
        self.layers.append(Layer(convolutions[-1], settings, scale=settings.last_layer_scale))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_normal_(module.weight)
        # twice as fast on a CPU; results differ by rounding only
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _hidden_convolution(self) -> nn.Module:
        channels, kernel = self.settings.channels, self.settings.hidden_kernel_size
        if self.settings.depth_separable:
            return SeparableConvolution(channels, kernel)
        return nn.Conv2d(channels, channels, kernel, padding=kernel // 2, bias=False)

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
        """The maps of each layer."""
        geometries = self.settings.layer_geometries(MapGeometry.identity(*self.inputs.image_shape[1:]))
        return tuple(FeatureMaps(self.channels, each) for each in geometries)

    def forward(self, images: Tensor, behavior: Tensor | None = None, pupil_center: Tensor | None = None) -> Tensor:
        """Compute the feature maps of the last layer, (B, channels, H, W), from standardised inputs, (B, C, height, width)."""
        if (fused := self._fused_maps(images, every=False)) is not None:
            return fused[0]
        maps = images.contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            maps = layer(maps)
        return maps

    def depth_maps(
        self, images: Tensor, behavior: Tensor | None = None, pupil_center: Tensor | None = None
    ) -> list[Tensor]:
        """Compute the feature maps of each layer."""
        if (fused := self._fused_maps(images, every=True)) is not None:
            return fused
        found = [images.contiguous(memory_format=torch.channels_last)]
        for layer in self.layers:
            found.append(layer(found[-1]))
        return found[1:]

    def _fused_maps(self, images: Tensor, *, every: bool) -> list[Tensor] | None:
        """Compute the maps of the last or of every layer with a fused kernel; None if there is none, or hooks or gradients need intermediate maps."""
        has_hooks = any(module._forward_hooks or module._forward_pre_hooks for module in self.layers.modules())
        separable = self.settings.depth_separable or len(self.layers) == 1
        if self.training or torch.is_grad_enabled() or has_hooks or not separable:
            return None
        first, *hidden = (layer for layer in self.layers if isinstance(layer, Layer))
        parts = []
        for layer in hidden:
            before, spatial, _ = layer.convolutions()
            parts.append((before.weight, spatial.weight, *layer.folded_weights()))
        return separable_core(images, first.folded_weights(), parts, self.settings.nonlinear, every)

    def regulariser(self) -> Tensor:
        """Return the `laplace_penalty` of the first layer, a scalar; 0 for a frozen core."""
        weight = self.layers[0].get_parameter("convolution.weight")
        if self.frozen:
            return weight.new_zeros(())
        return laplace_penalty(weight, self.settings.laplace_weight)
