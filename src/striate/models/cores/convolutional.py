"""The convolutional core of the 2022 baselines: depth-separable (CNN), or the same without nonlinearity (LN)."""

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
    """A convolution of each feature map by itself, which keeps their size."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__(channels, channels, kernel, padding=kernel // 2, groups=channels, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        """Feature maps, (B, C, H, W)."""
        return depthwise(maps, self.weight)


class SeparableConvolution(nn.Sequential):
    """Point-wise, depth-wise and point-wise convolution; far fewer weights than a full one."""

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
        """Feature maps, (B, C, H, W), of the layer."""
        if self.training or torch.is_grad_enabled():
            maps = self.convolution(maps)
            return normalised_elu(maps, self.norm) if self.nonlinear else self.norm(maps)
        maps = self._normalised_convolution(maps)
        return elu_(maps) if self.nonlinear else maps

    def _normalised_convolution(self, maps: Tensor) -> Tensor:
        """Both in one pass."""
        *before, last = self.convolutions()
        for part in before:
            maps = part(maps)
        weight, bias = self.normalised()
        return F.conv2d(maps, weight, bias, padding=last.padding, groups=last.groups)

    def convolutions(self) -> list[nn.Conv2d]:
        """The one or three convolutions, in order."""
        return [part for part in self.convolution.modules() if isinstance(part, nn.Conv2d)]

    def normalised(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of the last convolution and the normalisation: with fixed statistics, that is a scale and a bias."""
        norm = self.norm
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
        bias = norm.bias - norm.running_mean * scale
        return self.convolutions()[-1].weight * scale[:, None, None, None], bias


class ConvolutionalCore(nn.Module):
    """Images → feature maps that the neurons of all recordings share.

    Parameters
    ----------
    settings
        Layers, channels, kernels, nonlinearity.
    input_shape : (C, height, width)
        Shape of one image with its planes.

    Raises
    ------
    InputError
        If the first kernel is larger than the image.
    """

    def __init__(self, settings: CoreSettings, input_shape: tuple[int, int, int]) -> None:
        super().__init__()
        planes, height, width = input_shape
        if settings.input_kernel_size > min(height, width):
            raise InputError(
                f"model.core.input_kernel_size = {settings.input_kernel_size} is larger than the images of {height}×{width} pixels: "
                f"use at most {min(height, width)}."
            )
        self.settings = settings
        self.input_shape = input_shape
        channels = settings.channels
        first = nn.Conv2d(planes, channels, settings.input_kernel_size, bias=False)
        self.layers = nn.ModuleList([Layer(first, settings)])
        for _ in range(settings.layers - 1):
            self.layers.append(Layer(self._hidden(), settings))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_normal_(module.weight)
        self.frozen = False
        # The measured time of a step halves on a CPU; the results are the same but for rounding.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _hidden(self) -> nn.Module:
        channels, kernel = self.settings.channels, self.settings.hidden_kernel_size
        if self.settings.depth_separable:
            return SeparableConvolution(channels, kernel)
        return nn.Conv2d(channels, channels, kernel, padding=kernel // 2, bias=False)

    @property
    def channels(self) -> int:
        """Feature maps of the last layer."""
        return self.settings.channels

    @property
    def map_shape(self) -> tuple[int, int]:
        """Height and width of the feature maps."""
        lost = self.settings.input_kernel_size - 1
        return self.input_shape[1] - lost, self.input_shape[2] - lost

    def forward(self, images: Tensor) -> Tensor:
        """Feature maps of the last layer, (B, channels, H, W), of standardised images, (B, C, height, width)."""
        fused = self._all_layers_at_once(images)
        if fused is not None:
            return fused
        maps = images.contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            maps = layer(maps)
        return maps

    def _all_layers_at_once(self, images: Tensor) -> Tensor | None:
        """The maps by a fused kernel, where there is one and nobody looks at what is between."""
        watched = any(module._forward_hooks or module._forward_pre_hooks for module in self.layers.modules())
        separable = self.settings.depth_separable or len(self.layers) == 1
        if self.training or torch.is_grad_enabled() or watched or not separable:
            return None
        first, *hidden = (layer for layer in self.layers if isinstance(layer, Layer))
        parts = []
        for layer in hidden:
            before, spatial, _ = layer.convolutions()
            parts.append((before.weight, spatial.weight, *layer.normalised()))
        return separable_core(images, first.normalised(), parts, self.settings.nonlinear)

    def regulariser(self) -> Tensor:
        """Roughness of the first layer: Σ(L∗w)² / Σw², L the discrete Laplacian, times its weight; a scalar.

        Both sums run over all kernels and planes; outside the kernels is zero. Rough filters overfit: those of
        visual neurons are smooth. A frozen core, which nothing can smooth, has none.
        """
        weight = self.layers[0].get_parameter("convolution.weight")
        if self.frozen:
            return weight.new_zeros(())
        kernel = weight.new_tensor([[0.0, -1.0, 0.0], [-1.0, 4.0, -1.0], [0.0, -1.0, 0.0]])
        roughness = F.conv2d(weight.flatten(0, 1)[:, None], kernel[None, None], padding=1)
        return self.settings.laplace_weight * roughness.square().sum() / weight.square().sum()

    def freeze(self) -> None:
        """Fix the weights and the statistics of batch normalisation, for new readouts on a trained core."""
        self.frozen = True
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "ConvolutionalCore":
        """Set the training mode; a frozen core stays in evaluation mode."""
        super().train(mode and not self.frozen)
        return self
