"""Readouts: from the core's feature maps to the neurons of one recording."""

from striate.models.readouts.base import Readout
from striate.models.readouts.gaussian import GaussianReadout, GaussianSettings, cortical_positions

__all__ = ["GaussianReadout", "GaussianSettings", "Readout", "cortical_positions"]
