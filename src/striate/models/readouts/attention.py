"""The attention readout: each neuron finds the place that it reads in every image anew."""

from typing import Annotated, Any

import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from striate.models.cores.building_blocks import position_encoding
from striate.models.geometry import FeatureMaps
from striate.models.readouts.adaptive_l1 import AdaptiveL1, feature_penalty
from striate.models.readouts.base import Readout
from striate.models.readouts.masks import shifted_maps
from striate.registry import Settings, readouts


class AttentionSettings(Settings):
    """Settings of the readout ``attention``.

    Attributes
    ----------
    position_encoding
        Whether sines and cosines of the position are added to the maps that masks are computed from, so that a neuron can prefer a
        place, and not only a feature.
    l1_weight
        Weight of the L1 penalty on the neurons' feature weights.
    adaptive_l1_width
        0 penalises all neurons equally. Otherwise each neuron learns the strength of its penalty, and this is the standard
        deviation of the prior of its logarithm (see `striate.models.readouts.adaptive_l1.AdaptiveL1`).

    Examples
    --------
    >>> AttentionSettings(l1_weight=0.02).position_encoding
    True
    """

    position_encoding: bool = True
    l1_weight: Annotated[float, Field(ge=0)] = 0.0076
    adaptive_l1_width: Annotated[float, Field(ge=0, le=10)] = 0.0


@readouts.register("attention", settings=AttentionSettings)
class AttentionReadout(Readout):
    """Weighted sum over space, by a mask that each neuron computes from the maps, and over feature maps.

    A 1×1 convolution gives each neuron a map, of which a softmax over space makes the mask m[n]; the drive of neuron n is
    Σ_c w[n, c] Σ_p m[n, p] · maps[c, p] + b[n]. This is attention to the locations of the map, with one query for each neuron. Neurons
    have no position of their own, so that recipes need ``initialisation.positions = "random"``.

    Parameters
    ----------
    settings
        Settings of the readout.
    coordinates : (N, 2 or 3)
        Cortical coordinates of the neurons, of which only the number is used.
    maps
        Feature maps of the core.

    Examples
    --------
    >>> import numpy as np
    >>> from striate.models.geometry import MapGeometry
    >>> maps = FeatureMaps(8, MapGeometry.identity(18, 32))
    >>> readout = AttentionReadout(AttentionSettings(), np.zeros((3, 2)), maps)
    >>> readout(torch.zeros(5, 8, 18, 32)).shape
    torch.Size([5, 3])
    """

    settings: AttentionSettings
    bias: nn.Parameter
    uses_shift = True

    def __init__(self, settings: AttentionSettings, coordinates: NDArray[Any], maps: FeatureMaps) -> None:
        super().__init__(settings, coordinates, maps)
        # the weights of the convolution; its bias would not change a softmax
        self.queries = nn.Parameter(torch.empty(self.neurons, maps.channels).normal_(0, maps.channels**-0.5))
        self.features = nn.Parameter(torch.full((self.neurons, maps.channels), 1 / maps.channels))
        self.bias = nn.Parameter(torch.zeros(self.neurons))
        self.sparsity = AdaptiveL1(self.neurons, settings.adaptive_l1_width) if settings.adaptive_l1_width else None

    def forward(self, maps: Tensor, shift: Tensor | None = None, neurons: Tensor | None = None) -> Tensor:
        """Compute each neuron's weighted sum of features, (B, M).

        Parameters
        ----------
        maps : (B, C, H, W)
            Feature maps of the core.
        shift : (B, 2), optional
            Shift of the maps of each image, from the shifter.
        neurons : (M,), optional
            Indices of the neurons; all by default.
        """
        queries = self.queries if neurons is None else self.queries[neurons]
        features = self.features if neurons is None else self.features[neurons]
        bias = self.bias if neurons is None else self.bias[neurons]
        maps = maps.to(queries.dtype)
        if shift is not None:
            maps = shifted_maps(maps, shift)
        seen = maps
        if self.settings.position_encoding:
            channels, height, width = maps.shape[1:]
            seen = maps + position_encoding(channels, height, width, maps.device).to(maps.dtype)
        keys, values = (each.permute(0, 2, 3, 1).flatten(1, 2)[:, None] for each in (seen, maps))
        located = F.scaled_dot_product_attention(queries.expand(len(maps), 1, -1, -1), keys, values, scale=1.0)
        return (located[:, 0] * features).sum(dim=2) + bias

    def regulariser(self) -> Tensor:
        """Return the L1 penalty of all feature weights, a scalar; see `feature_penalty`."""
        return feature_penalty(self.features, self.settings.l1_weight, self.sparsity)
