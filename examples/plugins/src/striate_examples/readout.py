"""A readout of a free spatial mask and feature weights of each neuron (Klindt et al. 2017)."""

import torch
from torch import nn

from striate.models import Readout
from striate.registry import Settings, readouts


class FreeMaskSettings(Settings):
    """Settings of the readout ``free_mask``.

    Attributes
    ----------
    l1_weight
        Weight of the L1 penalty on the masks and the feature weights.
    """

    l1_weight: float = 0.01


@readouts.register("free_mask", settings=FreeMaskSettings)
class FreeMaskReadout(Readout):
    """Weighted sum over space (one mask for each neuron) and over feature maps."""

    def __init__(self, settings, coordinates, maps):
        super().__init__(settings, coordinates, maps)
        locations = maps.geometry.shape[0] * maps.geometry.shape[1]
        self.masks = nn.Parameter(0.01 * torch.randn(self.neurons, locations))
        self.features = nn.Parameter(torch.full((self.neurons, maps.channels), 1 / maps.channels))
        self.bias = nn.Parameter(torch.zeros(self.neurons))

    def forward(self, maps, shift=None, neurons=None):
        chosen = slice(None) if neurons is None else neurons
        masks, features, bias = self.masks[chosen], self.features[chosen], self.bias[chosen]
        return torch.einsum("bcl,nl,nc->bn", maps.flatten(2), masks, features) + bias

    def regulariser(self):
        return self.settings.l1_weight * (self.masks.abs().sum() + self.features.abs().sum())
