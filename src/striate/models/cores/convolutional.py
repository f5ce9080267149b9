"""The convolutional core of the 2022 baselines: depth-separable (CNN), or linear (LN)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from striate.errors import InputError
from striate.models.config import CoreSettings
from striate.models.kernels.batchnorm_elu import normalised_elu
from striate.models.kernels.depthwise_conv import depthwise
from striate.models.kernels.elu import elu_
from striate.models.kernels.separable_core import separable_core


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

    def __init__(self, convolution: nn.Module, settings: CoreSettings) -> None:
        super().__init__()
        self.convolution = convolution
        self.norm = nn.BatchNorm2d(settings.channels, eps=1e-5, momentum=settings.batch_norm_momentum)
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
        scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
        bias = norm.bias - norm.running_mean * scale
        return self.convolutions()[-1].weight * scale[:, None, None, None], bias


class ConvolutionalCore(nn.Module):
    """Convolutional core: computes the feature maps that the readouts of all recordings share.

    Parameters
    ----------
    settings
        Settings of the core.
    input_shape : (C, height, width)
        Shape of one input.

    Raises
    ------
    InputError
        If the kernels of the first layer are larger than the images.

    Examples
    --------
    >>> core = ConvolutionalCore(CoreSettings(layers=2, channels=8), (1, 36, 64))
    >>> core(torch.zeros(3, 1, 36, 64)).shape
    torch.Size([3, 8, 28, 56])
    """

    def __init__(self, settings: CoreSettings, input_shape: tuple[int, int, int]) -> None:
        super().__init__()
        input_channels, height, width = input_shape
        if settings.input_kernel_size > min(height, width):
            raise InputError(
                f"model.core.input_kernel_size = {settings.input_kernel_size} is larger than the images of {height}×{width} pixels: "
                f"use at most {min(height, width)}."
            )
        self.settings = settings
        self.input_shape = input_shape
        channels = settings.channels
        first = nn.Conv2d(input_channels, channels, settings.input_kernel_size, bias=False)
        self.layers = nn.ModuleList([Layer(first, settings)])
        for _ in range(settings.layers - 1):
            self.layers.append(Layer(self._hidden_convolution(), settings))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_normal_(module.weight)
        self.frozen = False
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
    def map_shape(self) -> tuple[int, int]:
        """Height and width of the feature maps."""
        margin = self.settings.input_kernel_size - 1
        return self.input_shape[1] - margin, self.input_shape[2] - margin

    def forward(self, images: Tensor) -> Tensor:
        """Compute the feature maps of the last layer, (B, channels, H, W), from standardised inputs, (B, C, height, width)."""
        fused = self._fused_forward(images)
        if fused is not None:
            return fused
        maps = images.contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            maps = layer(maps)
        return maps

    def _fused_forward(self, images: Tensor) -> Tensor | None:
        """Compute the maps with a fused kernel; None if there is none, or hooks or gradients need intermediate maps."""
        has_hooks = any(module._forward_hooks or module._forward_pre_hooks for module in self.layers.modules())
        separable = self.settings.depth_separable or len(self.layers) == 1
        if self.training or torch.is_grad_enabled() or has_hooks or not separable:
            return None
        first, *hidden = (layer for layer in self.layers if isinstance(layer, Layer))
        parts = []
        for layer in hidden:
            before, spatial, _ = layer.convolutions()
            parts.append((before.weight, spatial.weight, *layer.folded_weights()))
        return separable_core(images, first.folded_weights(), parts, self.settings.nonlinear)

    def regulariser(self) -> Tensor:
        """Return the Laplace penalty of the first layer, ``laplace_weight`` · Σ(L∗w)² / Σw², a scalar.

        L is the discrete Laplacian. Both sums run over all kernels and input channels; kernels are padded with zeros. The
        penalty makes filters smooth, as receptive fields of visual neurons are. It is 0 for a frozen core.
        """
        weight = self.layers[0].get_parameter("convolution.weight")
        if self.frozen:
            return weight.new_zeros(())
        kernel = weight.new_tensor([[0.0, -1.0, 0.0], [-1.0, 4.0, -1.0], [0.0, -1.0, 0.0]])
        roughness = F.conv2d(weight.flatten(0, 1)[:, None], kernel[None, None], padding=1)
        return self.settings.laplace_weight * roughness.square().sum() / weight.square().sum()

    def freeze(self) -> None:
        """Exclude the weights and the statistics of batch normalisation from training."""
        self.frozen = True
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "ConvolutionalCore":
        """Set the training mode; a frozen core stays in evaluation mode."""
        super().train(mode and not self.frozen)
        return self
