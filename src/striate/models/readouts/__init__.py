"""Readouts: from the core's feature maps to the neurons of one recording."""

from striate.models.readouts.gaussian import GaussianReadout, cortical_positions

__all__ = ["GaussianReadout", "cortical_positions"]
