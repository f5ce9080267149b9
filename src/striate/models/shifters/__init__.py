"""Shifters: from the position of the eye to a shift of all receptive fields."""

from striate.models.shifters.base import Shifter
from striate.models.shifters.mlp import MLPShifter, MLPShifterSettings

__all__ = ["MLPShifter", "MLPShifterSettings", "Shifter"]
