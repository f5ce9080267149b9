"""The spatially separable readout: a mask of each neuron that is the product of a vertical and a horizontal profile."""

from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from striate.models.geometry import FeatureMaps
from striate.models.readouts.adaptive_l1 import AdaptiveL1, feature_penalty
from striate.models.readouts.base import Readout
from striate.models.readouts.masks import shifted_maps
from striate.registry import Settings, readouts

_SMALLEST = 1e-8  # of the sum of a profile, whose centre is computed


class SpatialSeparableSettings(Settings):
    """Settings of the readout ``spatial_separable``.

    Attributes
    ----------
    init_width
        Standard deviation of the initial vertical and horizontal profile of each neuron, as a fraction of half the height and width
        of the map. The profiles are Gaussian, around the position from the initialisation or around the centre.
    l1_weight
        Weight of the L1 penalty on the neurons' feature weights.
    adaptive_l1_width
        0 penalises all neurons equally. Otherwise each neuron learns the strength of its penalty, and this is the standard
        deviation of the prior of its logarithm (see `striate.models.readouts.adaptive_l1.AdaptiveL1`).
    profile_weight
        Weight of the L2 penalty on the profiles, which keeps masks small and local.

    Examples
    --------
    >>> SpatialSeparableSettings(l1_weight=0.02).init_width
    0.2
    """

    init_width: Annotated[float, Field(gt=0, le=10)] = 0.2
    l1_weight: Annotated[float, Field(ge=0)] = 0.0076
    adaptive_l1_width: Annotated[float, Field(ge=0, le=10)] = 0.0
    profile_weight: Annotated[float, Field(ge=0)] = 0.1


@readouts.register("spatial_separable", settings=SpatialSeparableSettings)
class SpatialSeparableReadout(Readout):
    """Weighted sum over space and feature maps, where the spatial weights of a neuron are rows ⊗ columns, both ≥ 0.

    The drive of neuron n is Σ_c Σ_i Σ_j w[n, c] · v[n, i] · h[n, j] · maps[c, i, j] + b[n] [1]_. It has far fewer weights than a
    free mask. Negative entries of v and h count as 0, and training sets them to 0.

    Parameters
    ----------
    settings
        Settings of the readout.
    coordinates : (N, 2 or 3)
        Cortical coordinates of the neurons, of which only the number is used.
    maps
        Feature maps of the core.

    References
    ----------
    .. [1] Du et al. (2025), A simplified minimodel of visual cortical neurons, Nature Communications.

    Examples
    --------
    >>> from striate.models.geometry import MapGeometry
    >>> maps = FeatureMaps(8, MapGeometry.identity(18, 32))
    >>> readout = SpatialSeparableReadout(SpatialSeparableSettings(), np.zeros((3, 2)), maps)
    >>> readout(torch.zeros(5, 8, 18, 32)).shape
    torch.Size([5, 3])
    """

    settings: SpatialSeparableSettings
    bias: nn.Parameter
    uses_shift = True

    def __init__(self, settings: SpatialSeparableSettings, coordinates: NDArray[Any], maps: FeatureMaps) -> None:
        super().__init__(settings, coordinates, maps)
        height, width = maps.geometry.shape
        self.vertical = nn.Parameter(torch.empty(self.neurons, height))
        self.horizontal = nn.Parameter(torch.empty(self.neurons, width))
        self.features = nn.Parameter(torch.full((self.neurons, maps.channels), 1 / maps.channels))
        self.bias = nn.Parameter(torch.zeros(self.neurons))
        self.sparsity = AdaptiveL1(self.neurons, settings.adaptive_l1_width) if settings.adaptive_l1_width else None
        self._set_profiles(torch.zeros(self.neurons, 2))

    @torch.no_grad()
    def _set_profiles(self, positions: Tensor) -> None:
        """Make the profiles Gaussian around positions, (N, 2), with a sum of 1."""
        for profile, centre in ((self.vertical, positions[:, 1:]), (self.horizontal, positions[:, :1])):
            places = torch.linspace(-1, 1, profile.shape[1], device=profile.device)
            values = torch.exp(-((places - centre.to(profile.device)) ** 2) / (2 * self.settings.init_width**2))
            profile.copy_(values / values.sum(dim=1, keepdim=True))

    def set_positions(self, positions: NDArray[np.float64]) -> None:
        """Make the profiles Gaussian around the given positions in the feature maps, (N, 2)."""
        self._set_profiles(torch.as_tensor(positions, dtype=torch.float32))

    def mean_positions(self) -> Tensor:
        """Return the centre of mass of each neuron's mask, (N, 2): horizontal and vertical, within ±1."""
        centres = []
        for profile in (self.horizontal, self.vertical):
            weights = profile.clamp(min=0)
            places = torch.linspace(-1, 1, profile.shape[1], device=profile.device)
            centres.append((weights * places).sum(dim=1) / weights.sum(dim=1).clamp(min=_SMALLEST))
        return torch.stack(centres, dim=1)

    def forward(self, maps: Tensor, shift: Tensor | None = None, neurons: Tensor | None = None) -> Tensor:
        """Compute each neuron's weighted sum of features, (B, M).

        Parameters
        ----------
        maps : (B, C, H, W)
            Feature maps of the core.
        shift : (B, 2), optional
            Shift of all masks for each image, from the shifter: the maps are resampled.
        neurons : (M,), optional
            Indices of the neurons; all by default.
        """
        if self.training:  # the projection of projected gradient descent; `data`, because no graph needs the old values
            self.vertical.data.clamp_(min=0)
            self.horizontal.data.clamp_(min=0)
        chosen: Any = slice(None) if neurons is None else neurons
        vertical, horizontal = _positive(self.vertical[chosen]), _positive(self.horizontal[chosen])
        features, bias = self.features[chosen], self.bias[chosen]
        maps = maps.to(features.dtype)
        if shift is not None:
            maps = shifted_maps(maps, shift)
        columns = torch.einsum("bchw,nw->bchn", maps, horizontal)
        located = torch.einsum("bchn,nh->bcn", columns, vertical)
        return torch.einsum("bcn,nc->bn", located, features) + bias

    def regulariser(self) -> Tensor:
        """Return the `feature_penalty` and ``profile_weight`` · Σ(v² + h²), a scalar."""
        profiles = self.vertical.square().sum() + self.horizontal.square().sum()
        return (
            feature_penalty(self.features, self.settings.l1_weight, self.sparsity)
            + self.settings.profile_weight * profiles
        )


def _positive(profile: Tensor) -> Tensor:
    """Return max(profile, 0) with the gradient of the identity, so that an entry at 0 can grow again."""
    return profile + (profile.clamp(min=0) - profile).detach()
