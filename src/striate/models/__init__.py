"""Models: encoders of one shared core with a readout (and a shifter) for each recording, and their weights on disk."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from striate.models.settings import CoreSettings, ModelSettings, ReadoutSettings, ShifterSettings

if TYPE_CHECKING:
    from striate.models import published as published
    from striate.models.encoder import Encoder as Encoder
    from striate.models.encoder import build_encoder as build_encoder
    from striate.models.weights import load as load
    from striate.models.weights import save as save

# These import PyTorch, which reading settings need not wait for.
_WITH_TORCH = {"Encoder": "encoder", "build_encoder": "encoder", "load": "weights", "save": "weights"}

__all__ = ["CoreSettings", "ModelSettings", "ReadoutSettings", "ShifterSettings", "published", *sorted(_WITH_TORCH)]


def __getattr__(name: str) -> Any:
    if name == "published":
        return import_module("striate.models.published")
    if name in _WITH_TORCH:
        value = getattr(import_module(f"striate.models.{_WITH_TORCH[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'striate.models' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
