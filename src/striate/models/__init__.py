"""Models: encoders of one shared core with a readout (and a shifter) for each recording, and their weights on disk."""

from striate.models import published
from striate.models.encoder import Encoder, build_encoder
from striate.models.settings import CoreSettings, ModelSettings, ReadoutSettings, ShifterSettings
from striate.models.weights import load, save

__all__ = [
    "CoreSettings",
    "Encoder",
    "ModelSettings",
    "ReadoutSettings",
    "ShifterSettings",
    "build_encoder",
    "load",
    "published",
    "save",
]
