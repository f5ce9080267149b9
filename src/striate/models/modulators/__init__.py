"""Modulators: behaviour changes the responses of neurons, beside what they see."""

from striate.models.modulators.base import Modulator
from striate.models.modulators.behavior import GainModulator, OffsetModulator

__all__ = ["GainModulator", "Modulator", "OffsetModulator"]
