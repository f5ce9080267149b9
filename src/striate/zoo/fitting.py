"""Which recipes fit recordings: their behaviour, their benchmark, the order of their trials, and the size of their images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from striate.data.context import check_trial_order
from striate.errors import InputError, StriateError
from striate.models import EncoderSettings
from striate.training import Recipe, load_recipe, recipe_names

if TYPE_CHECKING:
    from striate.recordings import Recording
    from striate.training.config_overrides import Overrides


def fitting_recipes(
    recordings: Sequence[Recording], names: Iterable[str] | None = None, overrides: Overrides | None = None
) -> tuple[dict[str, Recipe], dict[str, str]]:
    """Return the recipes that can be trained on recordings, and why others cannot.

    Parameters
    ----------
    recordings
        Recordings that share one core.
    names
        Names of recipes, or paths of TOML files; by default all that come with striate.
    overrides
        Settings to change in every recipe, as in `striate.train`.

    Returns
    -------
    recipes, left_out
        Recipes by name, and reasons by name.

    Raises
    ------
    InputError
        If a recipe that was named does not exist or does not fit, or two have the same name.

    Examples
    --------
    >>> import striate
    >>> size = {"train": 10, "validation": 5, "test_images": 2, "repeats": 2, "image_shape": (36, 64)}
    >>> mouse = striate.simulate(neurons=3, seed=1, **size).recording
    >>> recipes, left_out = fitting_recipes([mouse], ["cnn", "ln"])
    >>> list(recipes), left_out
    (['cnn', 'ln'], {})
    """
    given = None if names is None else list(names)
    recipes: dict[str, Recipe] = {}
    left_out: dict[str, str] = {}
    for name in recipe_names() if given is None else given:
        known = Path(name).stem if name.endswith(".toml") else name
        if known in recipes:
            raise InputError(f"Two recipes have the name {known!r}: give each once, and name files differently.")
        try:
            recipe = load_recipe(name, overrides)
            reason = _misfit(recipe, recordings)
        except StriateError as error:
            if given is not None:
                raise
            reason = str(error)
        if reason is None:
            recipes[known] = recipe
        elif given is None:
            left_out[known] = reason
        else:
            raise InputError(f"The recipe {known!r} does not fit: {reason}")
    return recipes, left_out


def _misfit(recipe: Recipe, recordings: Sequence[Recording]) -> str | None:
    """Return why a recipe cannot be trained on recordings; None if it can."""
    for recording in recordings:
        spec = recording.benchmark
        for variable, title in (("behavior", "behaviour"), ("pupil_center", "eye position")):
            if variable in recipe.data.extra_inputs and (
                getattr(recording, f"{variable}_withheld") or not getattr(recording, variable).shape[1]
            ):
                return f"It needs {title}, which {recording.session} does not have."
        try:
            spec.protocol_for(recipe.data.extra_inputs)
            if recipe.data.context is not None:
                check_trial_order(recording, recipe.data.context)
            if isinstance(recipe.model, EncoderSettings):
                recipe.model.core.check_image_size(*recipe.data.input_size(spec.stimulus, recording.image_shape))
        except InputError as error:
            return str(error)
    return None
