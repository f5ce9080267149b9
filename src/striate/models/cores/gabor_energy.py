"""A core that begins with the energy model of V1: a bank of Gabor filters, squared and normalised, before learnt layers."""

import math
from typing import Annotated, ClassVar, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from striate.models.cores.base import Core, CoreSettings
from striate.models.cores.building_blocks import check_odd
from striate.models.geometry import FeatureMaps, MapGeometry
from striate.models.inputs import ModelInputs
from striate.registry import cores

_ENVELOPE = 0.45  # standard deviation of the Gaussian envelope, in periods: about one octave and a half of bandwidth
_REACH = 2.0  # half width of the filters, in standard deviations of the envelope
_LUMINANCE_SCALES = (1.5, 3.0)  # standard deviations of the blurred images, in pixels
_SMALLEST_ENERGY = 1e-6  # keeps the gradient of the square root finite

Period = Annotated[float, Field(ge=2, le=256)]


class GaborEnergySettings(CoreSettings):
    """Settings of the core ``gabor_energy``.

    Attributes
    ----------
    periods
        Spatial periods of the Gabor filters, in pixels of the rescaled image, which must be at least 2.
    orientations
        Number of orientations of the filters, evenly spaced over 180°.
    normalisation_scale
        Standard deviation, in pixels, of the Gaussian over which energy is pooled for divisive normalisation; 0 for no normalisation.
    semi_saturation
        Constant that is added to the pooled energy, in standard deviations of the images. Larger values normalise less.
    layers
        Number of learnt layers after the bank; 0 for the bank alone.
    channels
        Number of feature maps of each learnt layer.
    hidden_kernel_size
        Height and width of the depth-wise filters of the learnt layers, in pooled pixels; an odd number.
    pool
        Height and width of the windows of average pooling before the learnt layers; 1 for no pooling.
    dropout
        Probability that a map of the bank is left out, for each image, before the learnt layers.
    batch_norm_momentum
        Weight of the current batch in the running mean and variance of batch normalisation.

    Examples
    --------
    >>> GaborEnergySettings(periods=(4.0, 8.0)).orientations
    8
    """

    training_only: ClassVar[frozenset[str]] = frozenset({"dropout", "batch_norm_momentum"})

    periods: Annotated[tuple[Period, ...], Field(min_length=1, max_length=16)] = (3.5, 5.0, 7.0, 10.0, 14.0)
    orientations: Annotated[int, Field(ge=1, le=64)] = 8
    normalisation_scale: Annotated[float, Field(ge=0, le=64)] = 4.0
    semi_saturation: Annotated[float, Field(gt=0)] = 1.5
    layers: Annotated[int, Field(ge=0, le=16)] = 2
    channels: Annotated[int, Field(ge=1, le=4096)] = 64
    hidden_kernel_size: Annotated[int, Field(ge=1, le=63)] = 7
    pool: Annotated[int, Field(ge=1, le=16)] = 2
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    batch_norm_momentum: Annotated[float, Field(gt=0, le=1)] = 0.1

    @model_validator(mode="after")
    def _odd_kernel(self) -> Self:
        check_odd("hidden_kernel_size", self.hidden_kernel_size)
        return self


@cores.register("gabor_energy", settings=GaborEnergySettings)
class GaborEnergyCore(Core):
    """A fixed bank of Gabor filters with the responses of simple and complex cells, then learnt layers.

    For each period and orientation, the image is filtered by an even and an odd Gabor filter of norm 1, with responses e and o. The
    bank has the energy √(e² + o²) of a complex cell [1]_ and the four half-wave rectified responses of simple cells, all divided by
    ``semi_saturation`` plus the local mean of the energies over periods, orientations and a Gaussian (divisive normalisation [2]_), and
    the blurred image with its increments and decrements at two scales. The learnt layers are depth-separable convolutions with batch
    normalisation and ELU on the pooled maps.

    Because the bank is not learnt, few images suffice to train the rest. Its maps and those of the last layer are two `depths`: with the
    readout ``multi_depth``, a neuron that is a simple or complex cell can read the bank directly. The maps of `forward` are those of
    the last depth.

    Parameters
    ----------
    settings
        Settings of the core.
    inputs
        Shapes of the inputs. The filters see each channel of the image; constant planes of behaviour join the input of the learnt layers.

    References
    ----------
    .. [1] Adelson and Bergen (1985), Spatiotemporal energy models for the perception of motion, J Opt Soc Am A.
    .. [2] Heeger (1992), Normalization of cell responses in cat striate cortex, Visual Neuroscience.

    Examples
    --------
    >>> core = GaborEnergyCore(GaborEnergySettings(periods=(4.0, 8.0), channels=16), ModelInputs((1, 36, 64)))
    >>> [maps.shape for maps in core.depth_maps(torch.zeros(3, 1, 36, 64))]
    [torch.Size([3, 86, 36, 64]), torch.Size([3, 16, 18, 32])]
    """

    settings: GaborEnergySettings

    def __init__(self, settings: GaborEnergySettings, inputs: ModelInputs) -> None:
        super().__init__(settings, inputs)
        self.bank_norm = nn.BatchNorm2d(self._bank_channels, momentum=settings.batch_norm_momentum, affine=False)
        self.dropout = nn.Dropout2d(settings.dropout)
        self.layers = nn.ModuleList()
        width = self._bank_channels + inputs.behavior_planes
        for _ in range(settings.layers):
            kernel, channels = settings.hidden_kernel_size, settings.channels
            convolutions = (
                nn.Conv2d(width, channels, 1, bias=False),
                nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels, bias=False),
                nn.Conv2d(channels, channels, 1, bias=False),
            )
            for convolution in convolutions:
                nn.init.xavier_normal_(convolution.weight)
            norm = nn.BatchNorm2d(channels, momentum=settings.batch_norm_momentum)
            layer = nn.Sequential(*convolutions, norm, nn.ELU())
            self.layers.append(layer)
            width = channels
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def _bank_channels(self) -> int:
        pairs = len(self.settings.periods) * self.settings.orientations
        return self.inputs.channels * (5 * pairs + 3 * len(_LUMINANCE_SCALES))

    @property
    def channels(self) -> int:
        """Number of feature maps of the last depth."""
        return self.depths[-1].channels

    @property
    def geometry(self) -> MapGeometry:
        """Shape of the feature maps of the last depth, and where each of their locations looks in the image."""
        return self.depths[-1].geometry

    @property
    def depths(self) -> tuple[FeatureMaps, ...]:
        """The bank, and the last learnt layer, if there are any."""
        settings = self.settings
        image = MapGeometry.identity(*self.inputs.image_shape[1:])
        pooled = _blur_reach(settings.normalisation_scale)
        reach = max(
            *(_half_width(period) + pooled for period in settings.periods), _blur_reach(2 * max(_LUMINANCE_SCALES))
        )
        bank = image.convolved(2 * reach + 1, padding=reach)
        depths = (FeatureMaps(self._bank_channels, bank),)
        if not settings.layers:
            return depths
        geometry = bank.convolved(settings.pool, stride=settings.pool)
        for _ in range(settings.layers):
            geometry = geometry.convolved(settings.hidden_kernel_size, padding=settings.hidden_kernel_size // 2)
        return (*depths, FeatureMaps(settings.channels, geometry))

    def forward(self, images: Tensor, behavior: Tensor | None = None, pupil_center: Tensor | None = None) -> Tensor:
        """Compute the feature maps of the last depth, (B, channels, height / pool, width / pool)."""
        return self.depth_maps(images)[-1]

    def depth_maps(
        self, images: Tensor, behavior: Tensor | None = None, pupil_center: Tensor | None = None
    ) -> list[Tensor]:
        """Compute the maps of the bank, and those of the last learnt layer."""
        channels = self.inputs.channels
        bank = self.bank_norm(self._bank(images[:, :channels]))
        if not len(self.layers):
            return [bank]
        maps = self.dropout(bank)
        if planes := images.shape[1] - channels:
            maps = torch.cat([maps, images[:, -planes:]], dim=1)
        maps = F.avg_pool2d(maps, self.settings.pool) if self.settings.pool > 1 else maps
        for layer in self.layers:
            maps = layer(maps)
        return [bank, maps]

    def _bank(self, images: Tensor) -> Tensor:
        """Return the responses of simple and complex cells, and luminance, from images, (B, C, height, width)."""
        count, channels, height, width = images.shape
        each = images.reshape(count * channels, 1, height, width)
        even, odd = self._filtered(each)
        energy = (even.square() + odd.square() + _SMALLEST_ENERGY).sqrt()
        cells = torch.cat([energy, F.relu(even), F.relu(-even), F.relu(odd), F.relu(-odd)], dim=1)
        if scale := self.settings.normalisation_scale:
            pooled = _blurred(energy.mean(dim=1, keepdim=True), scale)
            cells = cells / (self.settings.semi_saturation + pooled)
        scales = {*_LUMINANCE_SCALES, *(2 * scale for scale in _LUMINANCE_SCALES)}
        blurred = {scale: _blurred(each, scale) for scale in scales}
        luminance = []
        for scale in _LUMINANCE_SCALES:
            change = blurred[scale] - blurred[2 * scale]
            luminance += [blurred[scale], F.relu(change), F.relu(-change)]
        maps = torch.cat([cells, *luminance], dim=1)
        return maps.reshape(count, -1, height, width).contiguous(memory_format=torch.channels_last)

    def _filtered(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the responses of the even and of the odd filters, each (B, periods · orientations, height, width)."""
        even, odd = [], []
        for period in self.settings.periods:
            filters = gabor_pairs(period, self.settings.orientations).to(images)
            reach = filters.shape[-1] // 2
            responses = F.conv2d(F.pad(images, (reach,) * 4, mode="replicate"), filters)
            first, second = responses.chunk(2, dim=1)
            even.append(first)
            odd.append(second)
        return torch.cat(even, dim=1), torch.cat(odd, dim=1)


def _half_width(period: float) -> int:
    return math.ceil(_REACH * _ENVELOPE * period)


def gabor_pairs(period: float, orientations: int) -> Tensor:
    """Return even and odd Gabor filters of one period, each of norm 1 and the even ones of mean 0.

    Parameters
    ----------
    period
        Spatial period in pixels.
    orientations
        Number of orientations, evenly spaced over 180°, from a vertical grating on.

    Returns
    -------
    Tensor, (2 · orientations, 1, K, K)
        The even filters, then the odd ones.

    Examples
    --------
    >>> filters = gabor_pairs(5.0, 4)
    >>> filters.shape, filters.square().sum((1, 2, 3)).round(decimals=3).tolist()
    (torch.Size([8, 1, 11, 11]), [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    """
    reach = _half_width(period)
    places = torch.arange(-reach, reach + 1, dtype=torch.float32)
    rows, columns = torch.meshgrid(places, places, indexing="ij")
    angles = math.pi * torch.arange(orientations, dtype=torch.float32)[:, None, None] / orientations
    phase = 2 * math.pi / period * (columns * angles.cos() + rows * angles.sin())
    envelope = torch.exp(-(rows.square() + columns.square()) / (2 * (_ENVELOPE * period) ** 2))
    even = envelope * phase.cos()
    even = even - envelope * even.sum((1, 2), keepdim=True) / envelope.sum()
    filters = torch.cat([even, envelope * phase.sin()])[:, None]
    return filters / filters.square().sum((1, 2, 3), keepdim=True).sqrt()


def _blur_reach(scale: float) -> int:
    return math.ceil(3 * scale)


def _blurred(images: Tensor, scale: float) -> Tensor:
    """Blur images, (B, 1, height, width), by a Gaussian of standard deviation `scale` pixels; the border repeats."""
    reach = _blur_reach(scale)
    places = torch.arange(-reach, reach + 1, dtype=images.dtype, device=images.device)
    kernel = torch.exp(-places.square() / (2 * scale**2))
    kernel = kernel / kernel.sum()
    padded = F.pad(images, (reach,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))
