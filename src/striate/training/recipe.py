"""Recipes: everything that decides how an encoder is trained, in one TOML file that is checked whole before any work."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import resources
from typing import Annotated, Any, Literal, Self

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, model_validator

from striate._internal import notebook_html
from striate._internal.config_validation import validated
from striate._internal.paths import expanded
from striate._internal.safe_parsing import parse_toml, read_limited
from striate.data.config import DataSettings
from striate.errors import InputError, kind_of, nearest
from striate.models.config import ModelSettings
from striate.training.config_overrides import Overrides, apply, parsed

IMAGE = "image"
IMAGE_BEHAVIOR = "image + behaviour"


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class LossSettings(_Settings):
    """What training minimises, besides the penalties of the model.

    Attributes
    ----------
    type
        ``"poisson"``: Σ (p − r log p); ``"squared_error"``: Σ (p − r)².
    """

    type: Literal["poisson", "squared_error"] = "poisson"


class InitialisationSettings(_Settings):
    """Where training starts from, as far as the recordings decide it.

    Attributes
    ----------
    positions
        ``"random"``: the network of receptive-field positions starts from chance. ``"retinotopy"``: from the retinotopy
        that the training responses show, an affine map from cortex to screen.
    biases
        Of the neurons: ``"zero"``, or ``"mean"``: what gives each neuron's mean response to the training images.
    """

    positions: Literal["random", "retinotopy"] = "random"
    biases: Literal["zero", "mean"] = "zero"


class ScheduleSettings(_Settings):
    """How long to train, and at what learning rate.

    Attributes
    ----------
    learning_rate
        Of Adam, in the beginning.
    patience
        Epochs in a row without improvement that make a plateau: the best weights are restored.
    max_plateaus
        The last of so many plateaus ends the training.
    lr_patience
        Epochs in a row without improvement after which the rate is reduced. If it is that of a plateau, every plateau
        reduces it; if it is one more, as in the tools of 2022, the best weights get one more epoch at the old rate first.
    lr_decay_factor
        What the rate is multiplied by.
    min_delta
        An epoch improves if the validation correlation exceeds the best so far by more than this.
    max_epochs
        Most epochs in all.
    ema_decay
        0: the weights after each epoch are validated. Otherwise a running average of the weights is validated and kept
        as the result: after each step it keeps this share of itself, and takes the rest from the new weights. It
        evens out the noise of single steps.
    """

    learning_rate: Annotated[float, Field(gt=0, le=10)] = 0.009
    patience: Annotated[int, Field(ge=1)] = 5
    max_plateaus: Annotated[int, Field(ge=1, le=1000)] = 4
    lr_patience: Annotated[int, Field(ge=1)] = 6
    lr_decay_factor: Annotated[float, Field(gt=0, lt=1)] = 0.3
    min_delta: Annotated[float, Field(ge=0, lt=1)] = 1e-6
    max_epochs: Annotated[int, Field(ge=1)] = 200
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0


class ComputeSettings(_Settings):
    """How the computer does it.

    Attributes
    ----------
    precision
        Of the forward pass: ``"float32"``, or ``"bfloat16"`` (faster on GPUs; weights stay float32).
    checkpoint_minutes
        Longest time between two checkpoints within an epoch; there is one after each epoch in any case.
    """

    precision: Literal["float32", "bfloat16"] = "float32"
    checkpoint_minutes: Annotated[float, Field(gt=0)] = 5.0


class Recipe(_Settings):
    """How an encoder is trained.

    Attributes
    ----------
    description
        One sentence that `striate recipes` shows.
    data
        What the model sees of the recordings.
    model
        What the encoder looks like.
    loss
        What training minimises.
    initialisation
        Where training starts from.
    schedule
        How long, and at what rate.
    compute
        Precision, checkpoints.
    """

    description: str = ""
    data: DataSettings = DataSettings()
    model: ModelSettings = ModelSettings()
    loss: LossSettings = LossSettings()
    initialisation: InitialisationSettings = InitialisationSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    compute: ComputeSettings = ComputeSettings()

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Self:
        if self.model.shifter is not None and not self.data.pupil_center:
            raise InputError(
                "model.shifter moves receptive fields with the eye, but data.pupil_center is false: set "
                "data.pupil_center = true, or model.shifter = false."
            )
        if self.model.shifter is None and self.data.pupil_center:
            raise InputError(
                "data.pupil_center = true has no effect without a shifter: add the table [model.shifter], or set "
                "data.pupil_center = false."
            )
        kernel, size = self.model.core.input_kernel_size, self.data.image_size
        if not isinstance(size, str) and kernel > min(size):
            raise InputError(
                f"model.core.input_kernel_size = {kernel} is larger than the images, data.image_size = {list(size)}: use at "
                f"most {min(size)}."
            )
        return self

    @property
    def protocol(self) -> str:
        """What the model knows: ``"image"`` or ``"image + behaviour"``."""
        return IMAGE_BEHAVIOR if self.data.behavior or self.data.pupil_center else IMAGE

    def __repr__(self) -> str:
        return f"<Recipe {self.description or 'without description'} ({self.protocol})>"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return notebook_html.shown(repr(self)[1:-1], notebook_html.text(self.to_toml()))

    def to_toml(self) -> str:
        """Write the recipe out in full, defaults and all."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))


def recipe_names() -> tuple[str, ...]:
    """Names of the recipes that come with striate."""
    folder = resources.files("striate.training") / "recipes"
    return tuple(sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")))


def recipe_text(name: str) -> str:
    """Text of a recipe that comes with striate, comments and all.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in recipe_names():
        raise InputError(
            f"There is no recipe {name!r}: {nearest(name, recipe_names())}; or give the path of a .toml file."
        )
    return (resources.files("striate.training") / "recipes" / f"{name}.toml").read_text(encoding="utf-8")


def load_recipe(
    recipe: str | os.PathLike[str] | Mapping[str, Any] | Recipe, overrides: Overrides | None = None
) -> Recipe:
    """Read and check a recipe.

    Parameters
    ----------
    recipe
        The name of a recipe that comes with striate, the path of a TOML file, or a recipe already.
    overrides
        Settings to change: ``{"data.batch_size": 64}``, or texts such as ``"data.batch_size=64"`` whose values are
        written as in TOML.

    Returns
    -------
    Recipe

    Raises
    ------
    InputError
        If there is no such recipe, it is no TOML, or a key is unknown, of the wrong type or not allowed; the
        sentence names the file and the key.
    """
    changes = parsed(overrides)
    if isinstance(recipe, Recipe):
        tables, source = recipe.model_dump(mode="json", exclude_none=True), "recipe"
    elif isinstance(recipe, Mapping):
        tables, source = dict(recipe), "recipe"
    elif isinstance(recipe, str | os.PathLike):
        tables, source = _read(recipe)
    else:
        raise InputError(
            f"recipe is {kind_of(recipe)}; expected the name of a recipe, the path of a .toml file, a Recipe, or its tables."
        )
    return validated(Recipe, apply(tables, changes, source), source, frozenset(changes))


def _read(recipe: str | os.PathLike[str]) -> tuple[dict[str, Any], str]:
    path = expanded(recipe)
    if isinstance(recipe, str) and recipe in recipe_names():
        source, content = f"recipe {recipe}", recipe_text(recipe).encode()
    elif path.suffix.lower() != ".toml" and not path.exists():
        return {}, recipe_text(str(recipe))  # raises: neither a name nor a file
    elif path.is_dir() or path.suffix.lower() == ".zip":
        raise InputError(
            f"{path} looks like a recording where a recipe is expected: the recipe comes first, and then the recordings."
        )
    else:
        source = str(recipe)
        try:
            content = read_limited(path)
        except OSError as error:
            raise InputError(
                f"{path} cannot be read ({error.strerror}): give the path of a .toml file, or a name."
            ) from error
    return parse_toml(content, source), source
