"""Modulators: behaviour changes the responses of neurons, beside what they see."""

from striate.models.modulators.base import Modulator, ModulatorSettings
from striate.models.modulators.behavior import GainModulator, OffsetModulator

__all__ = ["GainModulator", "Modulator", "ModulatorSettings", "OffsetModulator"]
