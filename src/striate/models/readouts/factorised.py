"""The factorised readout: a spatial mask of each neuron, which is positive and sums to 1, times feature weights."""

from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from striate.models.geometry import FeatureMaps
from striate.models.readouts.adaptive_l1 import AdaptiveL1, feature_penalty
from striate.models.readouts.base import Readout
from striate.models.readouts.masks import gaussian_logits, locations, shifted_maps
from striate.registry import Settings, readouts


class FactorisedSettings(Settings):
    """Settings of the readout ``factorised``.

    Attributes
    ----------
    init_width
        Standard deviation of the initial mask of each neuron, a Gaussian around the position from the initialisation or around the
        centre, as a fraction of half the width and height of the map.
    temperature
        T in mask = softmax(z / T), where z are the weights that are learnt. Masks change faster with a small T.
    l1_weight
        Weight of the L1 penalty on the neurons' feature weights.
    adaptive_l1_width
        0 penalises all neurons equally. Otherwise each neuron learns the strength of its penalty, and this is the standard
        deviation of the prior of its logarithm (see `striate.models.readouts.adaptive_l1.AdaptiveL1`).

    Examples
    --------
    >>> FactorisedSettings(temperature=0.5).init_width
    0.2
    """

    init_width: Annotated[float, Field(gt=0, le=10)] = 0.2
    temperature: Annotated[float, Field(gt=0, le=1000)] = 1.0
    l1_weight: Annotated[float, Field(ge=0)] = 0.0076
    adaptive_l1_width: Annotated[float, Field(ge=0, le=10)] = 0.0


@readouts.register("factorised", settings=FactorisedSettings)
class FactorisedReadout(Readout):
    """Weighted sum over space, by a mask of each neuron, and over feature maps.

    The drive of neuron n is Σ_c w[n, c] Σ_p m[n, p] · maps[c, p] + b[n], where p are the locations of the map. What and where are
    factorised, as in [1]_; the mask m[n] = softmax(z[n] / T) is positive and sums to 1, so that only the features have a scale. When
    the eye moves, the maps are resampled, which moves all masks.

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
    .. [1] Klindt et al. (2017), Neural system identification for large populations separating "what" and "where", NeurIPS.

    Examples
    --------
    >>> from striate.models.geometry import MapGeometry
    >>> maps = FeatureMaps(8, MapGeometry.identity(18, 32))
    >>> readout = FactorisedReadout(FactorisedSettings(), np.zeros((3, 2)), maps)
    >>> readout(torch.zeros(5, 8, 18, 32)).shape
    torch.Size([5, 3])
    """

    settings: FactorisedSettings
    bias: nn.Parameter
    uses_shift = True

    def __init__(self, settings: FactorisedSettings, coordinates: NDArray[Any], maps: FeatureMaps) -> None:
        super().__init__(settings, coordinates, maps)
        height, width = maps.geometry.shape
        self.mask_logits = nn.Parameter(torch.empty(self.neurons, height * width))
        self.features = nn.Parameter(torch.full((self.neurons, maps.channels), 1 / maps.channels))
        self.bias = nn.Parameter(torch.zeros(self.neurons))
        self.sparsity = AdaptiveL1(self.neurons, settings.adaptive_l1_width) if settings.adaptive_l1_width else None
        self.set_positions(np.zeros((self.neurons, 2)))

    @torch.no_grad()
    def set_positions(self, positions: NDArray[np.float64]) -> None:
        """Make the masks Gaussian around the given positions in the feature maps, (N, 2)."""
        centres = torch.as_tensor(positions, dtype=torch.float32, device=self.mask_logits.device)
        logits = gaussian_logits(self.maps.geometry, centres, self.settings.init_width)
        self.mask_logits.copy_(logits * self.settings.temperature)

    def masks(self, neurons: Tensor | None = None) -> Tensor:
        """Return the mask of each neuron, or of some, (M, H · W), row by row: positive, with a sum of 1."""
        logits = self.mask_logits if neurons is None else self.mask_logits[neurons]
        return torch.softmax(logits / self.settings.temperature, dim=1)

    def mean_positions(self) -> Tensor:
        """Return the centre of mass of each neuron's mask, (N, 2): horizontal and vertical, within ±1."""
        masks = self.masks()
        return masks @ locations(self.maps.geometry, masks.device).to(masks.dtype)

    def forward(self, maps: Tensor, shift: Tensor | None = None, neurons: Tensor | None = None) -> Tensor:
        """Compute each neuron's weighted sum of features, (B, M).

        Parameters
        ----------
        maps : (B, C, H, W)
            Feature maps of the core.
        shift : (B, 2), optional
            Shift of all masks for each image, from the shifter.
        neurons : (M,), optional
            Indices of the neurons; all by default.
        """
        masks = self.masks(neurons)
        features = self.features if neurons is None else self.features[neurons]
        bias = self.bias if neurons is None else self.bias[neurons]
        maps = maps.to(masks.dtype)
        if shift is not None:
            maps = shifted_maps(maps, shift)
        located = masks @ maps.permute(0, 2, 3, 1).flatten(1, 2)  # (B, M, C)
        return (located * features).sum(dim=2) + bias

    def regulariser(self) -> Tensor:
        """Return the L1 penalty of all feature weights, a scalar; see `feature_penalty`."""
        return feature_penalty(self.features, self.settings.l1_weight, self.sparsity)
