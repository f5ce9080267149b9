"""A network that was trained for something else, such as naming objects, as a core: an honest baseline."""

import hashlib
from typing import Annotated, Any, ClassVar, Self

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from striate._internal.paths import expand_path
from striate.errors import InputError
from striate.models.cores.backbones import CutBackbone, build_backbone, load_weights
from striate.models.cores.base import Core, CoreSettings
from striate.models.cores.traced_geometry import traced_geometry
from striate.models.geometry import MapGeometry
from striate.models.inputs import ModelInputs
from striate.registry import cores

_MEANS, _STDS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of the red, green and blue values of ImageNet
_GREY_MEAN, _GREY_STD = sum(_MEANS) / 3, sum(_STDS) / 3


class PretrainedSettings(CoreSettings):
    """Settings of the core ``pretrained``.

    Attributes
    ----------
    backbone
        The network: ``"timm:NAME"`` or ``"torchvision:NAME"``, such as ``"timm:convnext_atto"``, or the reference ``"module:callable"`` of a
        function or class that returns a module. Its class is imported, and nothing is downloaded.
    layer
        Name of the layer whose output are the feature maps, such as ``"layer1"``. What comes after it is left out. By default, the maps are
        the output of the network itself.
    weights
        Path of the file with the weights of the network, ``.safetensors`` or a state dict of PyTorch (``.pth``). A relative path in a recipe
        is relative to the file of the recipe. It is read before a training; a trained model has its weights itself. By default, the
        network starts from random weights.
    frozen
        Whether the weights of the network stay as they are. ``false`` trains them, at the rate that ``optimiser.core.learning_rate_factor``
        gives.
    upsampling
        Factor by which the images are enlarged before they enter the network, which makes its receptive fields smaller.
    patch_size
        Height and width of the patches of a transformer, whose last tokens are the locations of the maps; 0 for layers that return maps.
    normalise
        Whether batch normalisation without scale and bias follows, so that the maps of any network vary equally.
    arguments
        Keyword arguments of the network.

    Examples
    --------
    >>> PretrainedSettings(backbone="timm:resnet18", layer="layer1", upsampling=2.0).frozen
    True
    """

    training_only: ClassVar[frozenset[str]] = frozenset({"frozen", "weights"})

    backbone: Annotated[str, Field(pattern=r"^[^:\s]+:[^:\s]+$")]
    layer: str = ""
    weights: str = ""
    frozen: bool = True
    upsampling: Annotated[float, Field(ge=0.25, le=16)] = 1.0
    patch_size: Annotated[int, Field(ge=0, le=256)] = 0
    normalise: bool = True
    arguments: dict[str, bool | int | float | str | list[int]] = Field(default_factory=dict)


@cores.register("pretrained", settings=PretrainedSettings)
class PretrainedCore(Core):
    """Feature maps of a layer of a network of timm, torchvision or another package.

    Grey images become three equal channels, as ImageNet's: a standardised image is taken as one with the mean and standard deviation of the
    pictures of ImageNet. Images of three channels are taken as red, green and blue, and the mean of those of any other number as grey.

    On recordings of mouse V1, such cores have been worse than small networks that were trained on the responses [1]_.

    Parameters
    ----------
    settings
        Settings of the core.
    inputs
        Shapes of the inputs.

    Raises
    ------
    InputError
        If the network cannot be made, has no such layer, or does not take the images.

    References
    ----------
    .. [1] Cadena et al. (2019), How well do deep neural networks trained on object recognition characterize the mouse visual system?, NeurIPS workshop.

    Examples
    --------
    >>> settings = PretrainedSettings(
    ...     backbone="torch.nn:Conv2d", arguments={"in_channels": 3, "out_channels": 8, "kernel_size": 5, "stride": 2}
    ... )
    >>> core = PretrainedCore(settings, ModelInputs((1, 36, 64)))
    >>> core(torch.zeros(2, 1, 36, 64)).shape, core.geometry.stride, core.geometry.offset
    (torch.Size([2, 8, 16, 30]), (2.0, 2.0), (2.0, 2.0))
    """

    settings: PretrainedSettings

    def __init__(self, settings: PretrainedSettings, inputs: ModelInputs) -> None:
        super().__init__(settings, inputs)
        if inputs.behavior_planes:
            raise InputError(
                "The core 'pretrained' takes images alone: set data.behavior_planes = false, and use [[model.modulators]] for behaviour."
            )
        height, width = inputs.image_shape[1:]
        self._size = (max(1, round(height * settings.upsampling)), max(1, round(width * settings.upsampling)))
        network = build_backbone(settings.backbone, settings.arguments)
        self.backbone = CutBackbone(network, settings.layer, torch.zeros(1, 3, *self._size, device="meta"))
        self._channels, self._geometry = self._traced()
        self.norm = nn.BatchNorm2d(self._channels, affine=False) if settings.normalise else nn.Identity()
        if settings.frozen:
            self.backbone.requires_grad_(False)

    def _traced(self) -> tuple[int, MapGeometry]:
        """Return number and geometry of the maps."""
        channels: list[int] = []

        def compute(images: Tensor) -> Tensor:
            maps = self._as_maps(self.backbone.on_meta(images))
            channels.append(maps.shape[1])
            return maps

        geometry = traced_geometry(compute, *self._size, 3)
        height, width = self.inputs.image_shape[1:]
        if self.settings.patch_size:  # a transformer
            geometry = MapGeometry.identity(*self._size).convolved(
                self.settings.patch_size, stride=self.settings.patch_size
            )
            geometry = geometry.of_whole_image(*self._size)
        factors = (self._size[0] / height, self._size[1] / width)
        return channels[0], _of_smaller_image(geometry, factors)

    @property
    def channels(self) -> int:
        """Number of feature maps."""
        return self._channels

    @property
    def geometry(self) -> MapGeometry:
        """Shape of the feature maps, and where each of their locations looks in the image."""
        return self._geometry

    def initialise(self) -> dict[str, Any]:
        """Load the weights of the network, and return their fingerprint."""
        if not self.settings.weights:
            return {}
        load_weights(self.backbone, self.settings.weights)
        digest = hashlib.sha256(expand_path(self.settings.weights).read_bytes()).hexdigest()
        return {"weights": expand_path(self.settings.weights).name, "sha256": digest}

    def forward(self, images: Tensor, behavior: Tensor | None = None, pupil_center: Tensor | None = None) -> Tensor:
        """Compute the feature maps, (B, channels, H, W), from standardised images, (B, C, height, width)."""
        if tuple(images.shape[2:]) != self._size:
            images = F.interpolate(images, self._size, mode="bilinear", align_corners=False)
        maps: Tensor = self.norm(self._as_maps(self.backbone(_as_imagenet(images))))
        return maps

    def _as_maps(self, output: Tensor) -> Tensor:
        """Return the output of the layer as maps."""
        if patch := self.settings.patch_size:
            rows, columns = self._size[0] // patch, self._size[1] // patch
            if output.ndim != 3 or output.shape[1] < rows * columns:
                raise InputError(
                    f"The layer {self.settings.layer!r} returns an array of shape {tuple(output.shape)}, which are not the tokens of "
                    f"{rows}×{columns} patches: correct model.core.patch_size or layer."
                )
            tokens = output[:, -rows * columns :].transpose(1, 2)
            return tokens.reshape(len(output), -1, rows, columns)
        if output.ndim != 4:
            raise InputError(
                f"The layer {self.settings.layer!r} returns an array of shape {tuple(output.shape)}; maps have four axes: choose a layer "
                "before the spatial mean, or set model.core.patch_size for a transformer."
            )
        return output

    def unfreeze(self) -> None:
        """Include the weights in training again, but for a network that the settings freeze."""
        super().unfreeze()
        if self.settings.frozen:
            self.backbone.requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """Set the training mode; a frozen network stays in evaluation mode."""
        super().train(mode)
        if self.settings.frozen:
            self.backbone.eval()
        return self


def _as_imagenet(images: Tensor) -> Tensor:
    """Convert standardised images of any number of channels to three channels, normalised as those of ImageNet."""
    if images.shape[1] != 3:
        images = images.mean(dim=1, keepdim=True)
    channels = [
        (images[:, min(number, images.shape[1] - 1)] * _GREY_STD + _GREY_MEAN - mean) / std
        for number, (mean, std) in enumerate(zip(_MEANS, _STDS, strict=True))
    ]
    return torch.stack(channels, dim=1)


def _of_smaller_image(geometry: MapGeometry, factors: tuple[float, float]) -> MapGeometry:
    """Return the geometry in pixels of an image that was enlarged by factors before."""
    if factors == (1.0, 1.0):
        return geometry
    vertical, horizontal = (
        (
            geometry.stride[axis] / factors[axis],
            (geometry.offset[axis] + 0.5) / factors[axis] - 0.5,
            geometry.size[axis] / factors[axis] + 2,  # the interpolation reaches one pixel further
        )
        for axis in (0, 1)
    )
    strides, offsets, sizes = zip(vertical, horizontal, strict=True)
    return MapGeometry(geometry.shape, strides, offsets, sizes)
