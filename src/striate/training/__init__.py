"""Training: recipes, the loop, runs that survive being killed, and predictions of what they have learnt."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from striate.training.fit import train as train
    from striate.training.predictions import Predictions as Predictions
    from striate.training.predictions import predict as predict
    from striate.training.recipe import Recipe as Recipe
    from striate.training.recipe import load_recipe as load_recipe
    from striate.training.recipe import recipe_names as recipe_names
    from striate.training.recipe import recipe_text as recipe_text
    from striate.training.run import Run as Run

# Some of these import PyTorch, which reading a recipe need not wait for.
_NAMES = {
    "Predictions": "predictions",
    "Recipe": "recipe",
    "Run": "run",
    "load_recipe": "recipe",
    "predict": "predictions",
    "recipe_names": "recipe",
    "recipe_text": "recipe",
    "train": "fit",
}

__all__ = sorted(_NAMES)


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        value = getattr(import_module(f"striate.training.{_NAMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'striate.training' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
