"""A core whose filters come in rotated copies: a rotation of the image rotates the maps and permutes their channels."""

import math
from typing import Annotated, ClassVar, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from striate.models.cores.base import Core, CoreSettings
from striate.models.cores.building_blocks import check_kernel, check_odd, stacked_geometries
from striate.models.geometry import FeatureMaps, MapGeometry
from striate.models.inputs import ModelInputs
from striate.models.penalties import laplace_penalty, no_penalty
from striate.registry import cores


class RotationEquivariantSettings(CoreSettings):
    """Settings of the core ``rotation_equivariant``.

    Attributes
    ----------
    layers
        Number of convolutional layers. The first has no padding; the others keep the size of the feature maps.
    channels
        Number of filters of every layer, each of which has `rotations` rotated copies.
    rotations
        Number of rotated copies of each filter.
    input_kernel_size
        Height and width of the filters of the first layer, in pixels of the rescaled image.
    hidden_kernel_size
        Height and width of the filters of all later layers, in pixels of the feature map; an odd number.
    oversampling
        Number of points along each axis at which the filters are evaluated within a pixel.
    init_std
        Standard deviation of the initial coefficients of the filters.
    batch_norm_momentum
        Weight of the current batch in the running mean and variance of batch normalisation.
    laplace_weight
        Weight of the Laplace penalty, which makes the filters of the first layer smooth.

    Examples
    --------
    >>> RotationEquivariantSettings(channels=16).rotations
    8
    """

    training_only: ClassVar[frozenset[str]] = frozenset({"laplace_weight", "batch_norm_momentum", "init_std"})

    layers: Annotated[int, Field(ge=1, le=32)] = 4
    channels: Annotated[int, Field(ge=1, le=4096)] = 8
    rotations: Annotated[int, Field(ge=1, le=64)] = 8
    input_kernel_size: Annotated[int, Field(ge=2)] = 13
    hidden_kernel_size: Annotated[int, Field(ge=3)] = 5
    oversampling: Annotated[int, Field(ge=1, le=8)] = 2
    init_std: Annotated[float, Field(gt=0, le=10)] = 0.1
    batch_norm_momentum: Annotated[float, Field(gt=0, le=1)] = 0.9
    laplace_weight: Annotated[float, Field(ge=0)] = 6.3831

    @model_validator(mode="after")
    def _odd_hidden_kernels(self) -> Self:
        check_odd("hidden_kernel_size", self.hidden_kernel_size)
        return self

    def check_image_size(self, height: int, width: int) -> None:
        """Raise `InputError` if the filters of the first layer are larger than the images."""
        check_kernel("input_kernel_size", self.input_kernel_size, height, width)


def hermite_basis(size: int, oversampling: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the two-dimensional Hermite functions of degree < `size`, in polar form.

    The functions of degree n are r^m L_p^m(r²) exp(−r²/2) cos(mθ) and the same with sin(mθ), for all m ≥ 0 and p with 2p + m = n.
    L are the associated Laguerre polynomials. They span the same space as the products of one-dimensional Hermite functions, and a
    rotation by α only mixes cosine and sine of the same m and p, by the angle mα.

    Parameters
    ----------
    size
        Height and width of the filters in pixels, k. There are k(k + 1)/2 functions, on a support of radius 2√k.
    oversampling
        Number of points along each axis within a pixel, over which functions are averaged.

    Returns
    -------
    basis : (k(k + 1)/2, k, k)
        The functions, of norm 1 before they are averaged over pixels, which weakens what pixels are too coarse for.
    frequency : (k(k + 1)/2,)
        m of each function.
    partner : (k(k + 1)/2,)
        Index of the function with the other of cosine and sine; its own where m is 0.

    Examples
    --------
    >>> basis, frequency, partner = hermite_basis(3, 2)
    >>> basis.shape, frequency.tolist(), partner.tolist()
    (torch.Size([6, 3, 3]), [0, 1, 1, 2, 2, 0], [0, 2, 1, 4, 3, 5])
    """
    points = size * oversampling
    axis = (torch.arange(points, dtype=torch.float64) + 0.5) / points * 2 - 1
    y, x = torch.meshgrid(-axis * 2 * math.sqrt(size), axis * 2 * math.sqrt(size), indexing="ij")
    radius, angle = torch.hypot(x, y), torch.atan2(y, x)
    functions: list[Tensor] = []
    frequency: list[int] = []
    partner: list[int] = []
    for degree in range(size):
        for m in range(degree, -1, -2):
            radial = radius**m * _laguerre((degree - m) // 2, m, radius.square()) * torch.exp(-radius.square() / 2)
            here = len(functions)
            functions.append(radial * torch.cos(m * angle))
            frequency.append(m)
            partner.append(here + (m > 0))
            if m > 0:
                functions.append(radial * torch.sin(m * angle))
                frequency.append(m)
                partner.append(here)
    fine, partners = torch.stack(functions), torch.tensor(partner)
    power = fine.square().sum(dim=(1, 2)) / oversampling**2
    norm = ((power + power[partners]) / 2).sqrt()  # the same for cosine and sine, which rotations mix
    basis = F.avg_pool2d(fine[:, None], oversampling)[:, 0] / norm[:, None, None]
    return basis.float(), torch.tensor(frequency), partners


def _laguerre(degree: int, order: int, x: Tensor) -> Tensor:
    """Return the associated Laguerre polynomial L_degree^order(x), by its recurrence."""
    before, value = torch.zeros_like(x), torch.ones_like(x)
    for n in range(degree):
        before, value = value, ((2 * n + 1 + order - x) * value - (n + order) * before) / (n + 1)
    return value


class RotatedConvolution(nn.Module):
    """A convolution with filters that are sums of Hermite functions, in rotated copies.

    Parameters
    ----------
    in_channels, in_rotations
        Filters and rotations of the maps before; 1 rotation for images.
    settings
        Settings of the core.
    size
        Height and width of the filters.
    padding
        Zeros around the maps.
    """

    basis: Tensor
    turn: Tensor
    partner: Tensor

    def __init__(
        self, in_channels: int, in_rotations: int, settings: RotationEquivariantSettings, size: int, padding: int
    ) -> None:
        super().__init__()
        self.padding, self.in_rotations, self.rotations = padding, in_rotations, settings.rotations
        basis, frequency, partner = hermite_basis(size, settings.oversampling)
        angles = 2 * math.pi * torch.arange(settings.rotations) / settings.rotations
        # cosine functions turn into their partners with −sin, sine functions with +sin; see `filters`
        cosine_first = torch.arange(len(partner)) <= partner
        sign = torch.where(cosine_first, -1.0, 1.0)
        sign = torch.where(partner == torch.arange(len(partner)), 0.0, sign)
        phases = angles[:, None] * frequency[None]
        self.register_buffer("basis", basis)
        self.register_buffer("turn", torch.stack([phases.cos(), sign * phases.sin()]).float())
        self.register_buffer("partner", partner)
        self.coefficients = nn.Parameter(
            settings.init_std * torch.randn(settings.channels, in_rotations, in_channels, len(partner))
        )

    def filters(self) -> Tensor:
        """Return all filters, (rotations · channels, in_rotations · in_channels, size, size)."""
        turned = []
        for number in range(self.rotations):
            cosine, sine = self.turn[:, number]
            rotated = self.coefficients * cosine + self.coefficients[..., self.partner] * sine
            # the maps before are rotated, too: copy r of them is what copy 0 was before the rotation
            turned.append(rotated.roll(number * self.in_rotations // self.rotations, dims=1))
        weights = torch.einsum("roicp,phw->roichw", torch.stack(turned), self.basis)
        return weights.flatten(2, 3).flatten(0, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Convolve maps, (B, in_rotations · in_channels, H, W)."""
        return F.conv2d(maps, self.filters(), padding=self.padding)


class RotatedLayer(nn.Module):
    """A rotated convolution, batch normalisation that all rotations share, and an ELU."""

    def __init__(self, convolution: RotatedConvolution, settings: RotationEquivariantSettings) -> None:
        super().__init__()
        self.convolution = convolution
        self.norm = nn.BatchNorm2d(settings.channels, momentum=settings.batch_norm_momentum)

    def forward(self, maps: Tensor) -> Tensor:
        """Compute the maps of the layer, (B, rotations · channels, H, W)."""
        maps = self.convolution(maps)
        batch, channels, height, width = maps.shape
        rotations = self.convolution.rotations
        shared = self.norm(maps.reshape(batch * rotations, channels // rotations, height, width))
        return F.elu(shared).reshape(batch, channels, height, width)


@cores.register("rotation_equivariant", settings=RotationEquivariantSettings)
class RotationEquivariantCore(Core):
    """Convolutional core with weights that are shared by all orientations [1]_.

    The maps of a rotation stand together: first all filters of rotation 0, then those of rotation 1, and so on. Turning the image
    counter-clockwise by 360° / rotations turns the maps in the same way, and moves each to the next rotation, up to what the grid
    of pixels allows.

    Parameters
    ----------
    settings
        Settings of the core.
    inputs
        Shapes of the inputs.

    Raises
    ------
    InputError
        If the filters of the first layer are larger than the images.

    References
    ----------
    .. [1] Ecker et al. (2019), A rotation-equivariant convolutional neural network model of primary visual cortex, ICLR.

    Examples
    --------
    >>> core = RotationEquivariantCore(RotationEquivariantSettings(layers=2, channels=2), ModelInputs((1, 36, 64)))
    >>> core(torch.zeros(3, 1, 36, 64)).shape
    torch.Size([3, 16, 24, 52])
    """

    settings: RotationEquivariantSettings

    def __init__(self, settings: RotationEquivariantSettings, inputs: ModelInputs) -> None:
        super().__init__(settings, inputs)
        channels, height, width = inputs.image_shape
        settings.check_image_size(height, width)
        first = RotatedConvolution(channels, 1, settings, settings.input_kernel_size, 0)
        self.layers = nn.ModuleList([RotatedLayer(first, settings)])
        size = settings.hidden_kernel_size
        for _ in range(settings.layers - 1):
            hidden = RotatedConvolution(settings.channels, settings.rotations, settings, size, size // 2)
            self.layers.append(RotatedLayer(hidden, settings))

    @property
    def channels(self) -> int:
        """Number of feature maps: filters times rotations."""
        return self.settings.channels * self.settings.rotations

    @property
    def geometry(self) -> MapGeometry:
        """Shape of the feature maps, and where each of their locations looks in the image."""
        return self.depths[-1].geometry

    @property
    def depths(self) -> tuple[FeatureMaps, ...]:
        """The maps of each layer."""
        settings, image = self.settings, MapGeometry.identity(*self.inputs.image_shape[1:])
        kernels = settings.input_kernel_size, settings.hidden_kernel_size
        return tuple(FeatureMaps(self.channels, each) for each in stacked_geometries(image, *kernels, settings.layers))

    def forward(self, images: Tensor, behavior: Tensor | None = None, pupil_center: Tensor | None = None) -> Tensor:
        """Compute the feature maps of the last layer, (B, channels, H, W), from standardised inputs, (B, C, height, width)."""
        maps = images
        for layer in self.layers:
            maps = layer(maps)
        return maps

    def depth_maps(
        self, images: Tensor, behavior: Tensor | None = None, pupil_center: Tensor | None = None
    ) -> list[Tensor]:
        """Compute the feature maps of each layer."""
        found = [images]
        for layer in self.layers:
            found.append(layer(found[-1]))
        return found[1:]

    def regulariser(self) -> Tensor:
        """Return the `laplace_penalty` of the filters of the first layer, a scalar; 0 for a frozen core."""
        if self.frozen:
            return no_penalty(self)
        first = self.layers[0].get_submodule("convolution")
        assert isinstance(first, RotatedConvolution)
        return laplace_penalty(first.filters(), self.settings.laplace_weight)
