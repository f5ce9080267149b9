"""Shifters: from the position of the eye to a shift of all receptive fields."""

from striate.models.shifters.mlp import Shifter

__all__ = ["Shifter"]
