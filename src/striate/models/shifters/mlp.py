"""The shifter of the 2022 baselines: a multilayer perceptron from the eye position to a shift of all receptive fields.

Descriptions of settings end in the name that the SENSORIUM 2022 tools (the packages sensorium and neuralpredictors) give them.
"""

from itertools import pairwise
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from striate.models.shifters.base import Shifter
from striate.registry import Settings, shifters


class MLPShifterSettings(Settings):
    """Settings of the shifter ``mlp``.

    Attributes
    ----------
    layers
        Number of linear layers; a hyperbolic tangent follows each (2022: ``shift_layers``).
    hidden_units
        Number of units of each hidden layer (2022: ``hidden_channels_shifter``).
    zero_start
        Whether all shifts are 0 before training, so that they do not move positions that were initialised from the recordings.
        Otherwise, the shifts are random at first, as in 2022.

    Examples
    --------
    >>> MLPShifterSettings(hidden_units=10).layers
    3
    """

    layers: Annotated[int, Field(ge=1, le=16)] = 3
    hidden_units: Annotated[int, Field(ge=1, le=1024)] = 5
    zero_start: bool = False


@shifters.register("mlp", settings=MLPShifterSettings)
class MLPShifter(Shifter):
    """A multilayer perceptron from the pupil centre to a shift of the readout positions.

    A hyperbolic tangent follows every layer, so that shifts are between −1 and 1 (half the width of the feature maps).

    Parameters
    ----------
    settings
        Settings of the shifter.

    Examples
    --------
    >>> MLPShifter(MLPShifterSettings())(torch.zeros(4, 2)).shape
    torch.Size([4, 2])
    """

    def __init__(self, settings: MLPShifterSettings) -> None:
        super().__init__(settings)
        widths = [2] + [settings.hidden_units] * (settings.layers - 1) + [2]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        if settings.zero_start:
            for parameter in self.layers[-1].parameters():
                nn.init.zeros_(parameter)

    def forward(self, pupil_center: Tensor) -> Tensor:
        """Compute the shift of each image, (B, 2), from the standardised pupil centre, (B, 2)."""
        shift = pupil_center
        for layer in self.layers:
            shift = torch.tanh(layer(shift))
        return shift
