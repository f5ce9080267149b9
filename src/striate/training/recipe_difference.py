"""Whether two recipes give the same weights."""

from collections.abc import Mapping
from typing import Any

from striate._internal.safe_parsing import parse_toml
from striate.training.recipe import Recipe

# Settings that do not change the trained weights.
_IGNORED_SETTINGS = {"description", "plugins", "data.cache_gib", "compute.checkpoint_minutes"}


def recipe_difference(existing: Recipe, requested: Recipe) -> str | None:
    """Describe the first setting in which two recipes differ; None if both give the same weights."""
    old, new = (_flatten(parse_toml(recipe.to_toml())) for recipe in (existing, requested))
    for key in sorted({*old, *new} - _IGNORED_SETTINGS):
        if old.get(key) != new.get(key):
            return f"{key} is {old.get(key, 'not set')} there and {new.get(key, 'not set')} now"
    return None


def _flatten(tables: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tables.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{above}{key}.")
        else:
            flat[f"{above}{key}"] = value
    return flat
