"""A recipe that trains in a moment, for small recordings."""

from typing import Any

from striate.training import Recipe, load_recipe

TABLES: dict[str, Any] = {
    "data": {"image_size": [18, 32], "batch_size": 16},
    "model": {"core": {"layers": 2, "channels": 4, "input_kernel_size": 5, "hidden_kernel_size": 3}},
    "schedule": {"max_epochs": 3, "learning_rate": 0.02},
}


def small_recipe(**overrides: Any) -> Recipe:
    """Override settings with ``data__batch_size=8``."""
    return load_recipe(TABLES, {key.replace("__", "."): value for key, value in overrides.items()})
