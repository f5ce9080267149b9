"""The shifter: shifts all receptive fields of a recording with the eye position."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from striate.models.config import ShifterSettings


class Shifter(nn.Module):
    """A multilayer perceptron from the pupil centre to a shift of the readout positions.

    A hyperbolic tangent follows every layer, so that shifts are between −1 and 1 (half the width of the feature maps).

    Parameters
    ----------
    settings
        Settings of the shifter.

    Examples
    --------
    >>> Shifter(ShifterSettings())(torch.zeros(4, 2)).shape
    torch.Size([4, 2])
    """

    def __init__(self, settings: ShifterSettings) -> None:
        super().__init__()
        widths = [2] + [settings.hidden_units] * (settings.layers - 1) + [2]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))

    def forward(self, pupil_center: Tensor) -> Tensor:
        """Compute the shift of each image, (B, 2), from the standardised pupil centre, (B, 2)."""
        shift = pupil_center
        for layer in self.layers:
            shift = torch.tanh(layer(shift))
        return shift
