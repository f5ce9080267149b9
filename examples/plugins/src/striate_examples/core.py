"""A core with pooling, whose maps are coarser than the image."""

from torch import nn

from striate.models import Core, CoreSettings, MapGeometry
from striate.registry import cores


class PooledSettings(CoreSettings):
    """Settings of the core ``pooled``.

    Attributes
    ----------
    channels
        Number of feature maps.
    kernel_size
        Height and width of the kernels of the first layer.
    """

    channels: int = 16
    kernel_size: int = 9


@cores.register("pooled", settings=PooledSettings)
class PooledCore(Core):
    """Convolution, batch normalisation, ELU and average pooling over 2×2 locations."""

    def __init__(self, settings, inputs):
        super().__init__(settings, inputs)
        convolution = nn.Conv2d(inputs.image_shape[0], settings.channels, settings.kernel_size, bias=False)
        self.layers = nn.Sequential(convolution, nn.BatchNorm2d(settings.channels), nn.ELU(), nn.AvgPool2d(2))

    @property
    def channels(self):
        return self.settings.channels

    @property
    def geometry(self):
        image = MapGeometry.identity(*self.inputs.image_shape[1:])
        return image.convolved(self.settings.kernel_size).convolved(2, stride=2)

    def forward(self, images, behavior=None):
        return self.layers(images)
