"""The shifter: where the animal looks moves all receptive fields of a recording together."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from striate.models.config import ShifterSettings


class Shifter(nn.Module):
    """A small network from the pupil's centre to a shift of the readout positions.

    Every layer ends in a hyperbolic tangent, so a shift stays within ±1 (from the centre of the core's map to
    its border).

    Parameters
    ----------
    settings
        Number and width of the layers.
    """

    def __init__(self, settings: ShifterSettings) -> None:
        super().__init__()
        widths = [2] + [settings.hidden_units] * (settings.layers - 1) + [2]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))

    def forward(self, pupil_center: Tensor) -> Tensor:
        """Shift of each image, (B, 2), from the standardised pupil centre, (B, 2)."""
        shift = pupil_center
        for layer in self.layers:
            shift = torch.tanh(layer(shift))
        return shift
