"""Recipes: all settings of a training in one TOML file, which is validated before any work.

Descriptions of keys end in the name that the SENSORIUM 2022 tools (the packages sensorium and neuralpredictors) give them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, model_validator

from striate._internal import notebook_html
from striate._internal.config_validation import table_model, validate_settings
from striate._internal.paths import expand_path
from striate._internal.renamed_settings import renamed_setting_hint
from striate._internal.safe_parsing import parse_toml, read_limited
from striate.benchmarks.spec_tables import STANDARD_PROTOCOLS, smallest_protocol
from striate.data.config import DataSettings
from striate.errors import InputError, describe_type
from striate.models.config import ModelPart, ModelSettings
from striate.registry import Part, Settings, load_plugin, losses, models, optimisers, schedules
from striate.training.bundled_recipes import recipe_names, recipe_text
from striate.training.config_overrides import Overrides, apply, parsed


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class LossSettings(Settings):
    """The loss that training minimises, in addition to the penalties of the model.

    The settings of a loss of one's own derive from this class.

    Attributes
    ----------
    type
        Loss function. With predictions p and responses r: ``"poisson"`` is Σ (p − r log p), the negative Poisson
        log-likelihood up to a constant; ``"squared_error"`` is Σ (p − r)² (2022: ``loss_function``).
    neuron_weights
        Path of a table (``.csv`` or ``.parquet``) with the columns ``session``, ``unit_id`` and ``weight``: the loss of each
        neuron is multiplied by its weight. A relative path in a recipe is relative to the file of the recipe. By default all neurons
        have weight 1.

    Examples
    --------
    >>> load_recipe({"loss": {"type": "squared_error"}}).loss.type
    'squared_error'
    """

    neuron_weights: Annotated[str, Field(min_length=1)] | None = None


class InitialisationSettings(_Settings):
    """How parameters that can be estimated from the recordings are initialised.

    Attributes
    ----------
    positions
        ``"random"`` initialises the network that predicts receptive-field positions with random weights.
        ``"retinotopy"`` fits it to the retinotopic map that is estimated from the training responses: an affine map
        from cortex to screen.
    biases
        Biases of the readouts. ``"zero"`` initialises them with 0; ``"mean"`` initialises each neuron's bias with the
        value that, without the features' contribution, predicts its mean response to the training images.

    Examples
    --------
    >>> InitialisationSettings(biases="mean").positions
    'random'
    """

    positions: Literal["random", "retinotopy"] = "random"
    biases: Literal["zero", "mean"] = "zero"


class ParameterGroupSettings(_Settings):
    """How the optimiser treats one part of an encoder.

    Attributes
    ----------
    learning_rate_factor
        Factor by which the learning rate of the part differs from that of the schedule.
    weight_decay
        Weight decay of the part; by default that of the optimiser. Only optimisers with weight decay allow it.

    Examples
    --------
    >>> ParameterGroupSettings(weight_decay=0.1).learning_rate_factor
    1.0
    """

    learning_rate_factor: Annotated[float, Field(gt=0, le=1000)] = 1.0
    weight_decay: Annotated[float, Field(ge=0)] | None = None


class NamedParametersSettings(ParameterGroupSettings):
    """How the optimiser treats parameters that are chosen by their names, beside or within a part of an encoder.

    Attributes
    ----------
    parameters
        Patterns of names of parameters, such as ``"readouts.*.features"``; ``*`` stands for any text. In an encoder, names begin with
        ``core.``, or with ``readouts.session_`` and the name of a session, and so on.

    Examples
    --------
    >>> NamedParametersSettings(parameters=["*.bias"], weight_decay=0.0).weight_decay
    0.0
    """

    parameters: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]


class OptimiserSettings(Settings):
    """The optimiser, which updates the weights with the gradients of the loss.

    The settings of an optimiser of one's own derive from this class.

    Attributes
    ----------
    type
        Optimiser: ``"adam"``; ``"adamw"``, Adam with decoupled weight decay; or ``"schedule_free_adamw"``, AdamW that averages the
        weights instead of reducing the learning rate.
    clip_norm
        Largest norm of the gradient of all weights together. Larger gradients are scaled to this norm. 0 does not limit it.
    accumulate_steps
        Number of batches of each recording whose gradients are summed for one update. The update is that of one batch that is
        this many times larger, but for batch normalisation, whose statistics are those of each batch.
    core, readout, shifter, modulators
        Settings of the parts of the encoder: tables such as ``[optimiser.core]``. In a module of one's own, these are the
        parameters whose names begin with ``core.``, ``readout.`` or ``readouts.``, and so on.
    groups
        Settings of parameters by name: tables ``[[optimiser.groups]]``. What one sets replaces what the part sets; if several name a parameter,
        the last one counts.

    Examples
    --------
    >>> settings = load_recipe({"optimiser": {"core": {"learning_rate_factor": 0.1}}}).optimiser
    >>> settings.type, settings.core.learning_rate_factor
    ('adam', 0.1)
    """

    clip_norm: Annotated[float, Field(ge=0)] = 0.0
    accumulate_steps: Annotated[int, Field(ge=1, le=10_000)] = 1
    core: ParameterGroupSettings = ParameterGroupSettings()
    readout: ParameterGroupSettings = ParameterGroupSettings()
    shifter: ParameterGroupSettings = ParameterGroupSettings()
    modulators: ParameterGroupSettings = ParameterGroupSettings()
    groups: tuple[NamedParametersSettings, ...] = ()

    @model_validator(mode="after")
    def _refuse_weight_decay_without_effect(self) -> Self:
        tables = {name: getattr(self, name) for name in ("core", "readout", "shifter", "modulators")}
        tables |= {f"groups[{number}]": group for number, group in enumerate(self.groups)}
        for name, table in tables.items():
            if table.weight_decay is not None and "weight_decay" not in type(self).model_fields:
                raise ValueError(
                    f"the optimiser {self.type!r} has no weight decay, so {name}.weight_decay has no effect; use 'adamw'"
                )
        return self


class ScheduleSettings(Settings):
    """The learning-rate schedule, the number of epochs, and early stopping.

    Early stopping counts epochs without improvement of the validation correlation. The best weights are the result of
    training. The settings of a schedule of one's own derive from this class.

    Attributes
    ----------
    type
        Learning rate: ``"plateau"`` reduces it when the validation correlation does not improve; ``"cosine"`` lets it rise and
        fall; ``"step"`` reduces it after fixed periods; ``"constant"`` keeps it.
    learning_rate
        Initial or highest learning rate (2022: ``lr_init``).
    patience
        Number of consecutive epochs without improvement that count as a plateau (2022: ``patience``).
    max_plateaus
        Training ends with this plateau (2022: ``lr_decay_steps``).
    min_delta
        Smallest increase of the validation correlation that counts as an improvement (2022: ``tolerance``).
    max_epochs
        Maximum number of epochs (2022: ``max_iter``).
    ema_decay
        Decay of the exponential moving average of the weights, which is updated after each step, validated after each
        epoch, and kept as the result. It evens out the noise of single steps. 0 validates and keeps the weights
        themselves.
    swa_start
        First epoch of stochastic weight averaging: from this one on, the mean of the weights at the ends of all epochs is validated, too,
        and is kept if it is better than the weights themselves. It suits a learning rate that stays high at the end. 0 averages no
        epochs.

    Examples
    --------
    >>> load_recipe({"schedule": {"max_epochs": 10}}).schedule.learning_rate
    0.009
    """

    learning_rate: Annotated[float, Field(gt=0, le=10)] = 0.009
    patience: Annotated[int, Field(ge=1)] = 5
    max_plateaus: Annotated[int, Field(ge=1, le=1000)] = 4
    min_delta: Annotated[float, Field(ge=0, lt=1)] = 1e-6
    max_epochs: Annotated[int, Field(ge=1)] = 200
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    swa_start: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _refuse_useless_averages(self) -> Self:
        if self.ema_decay and self.swa_start:
            raise ValueError("ema_decay and swa_start both average the weights; set one of them to 0")
        if self.swa_start and self.swa_start >= self.max_epochs:
            raise ValueError(
                f"swa_start = {self.swa_start} leaves fewer than two of max_epochs = {self.max_epochs} epochs to average; lower it"
            )
        return self


class ComputeSettings(_Settings):
    """Numerical precision, frequency of checkpoints, and limits of memory.

    Attributes
    ----------
    precision
        Data type of the forward pass: ``"float32"``, or ``"bfloat16"``, which is faster on GPUs. Weights are always
        float32.
    checkpoint_minutes
        Longest time, in minutes, between two checkpoints within an epoch. A checkpoint is always written at the end of
        an epoch.
    neurons_per_step
        Number of neurons, drawn at random for each batch, that the loss is computed for; 0 means all. It limits time and
        memory for recordings with very many neurons.

    Examples
    --------
    >>> ComputeSettings().precision
    'float32'
    """

    precision: Literal["float32", "bfloat16"] = "float32"
    checkpoint_minutes: Annotated[float, Field(gt=0)] = 5.0
    neurons_per_step: Annotated[int, Field(ge=0)] = 0


class DistillationSettings(_Settings):
    """Training a model, the student, on what another one predicts, its teacher: a run or an ensemble.

    Attributes
    ----------
    teacher
        Folder of the run or ensemble that is the teacher. It must predict all neurons that the student learns.
    weight
        Share w of the teacher in the targets of training trials: (1 − w) · measured response + w · prediction of the teacher. For the
        built-in losses, that is the same as the mean of two losses.
    images
        Images without measured responses, for which the predictions of the teacher are the targets. The name of a stimulus of
        `striate.stimuli` (``"natural_like"``, ``"dead_leaves"``, ``"pink_noise"`` or ``"white_noise"``), the path of an image file, a
        ``.npy`` file or a folder of these, or the path or name of a recording, whose training images are taken. By default none. Behaviour
        and eye position of each are those of a random training trial.
    per_epoch
        Number of these images in an epoch, for each recording.
    pool
        Largest number of different images. Of more, this many are drawn at random; of a stimulus, this many are generated.
    images_weight
        Weight of each of these images in the loss, relative to a training trial.
    withheld_images
        Self-training: also take the images of the recordings' test tiers, whose responses are withheld from the student. It is refused
        unless the benchmark allows it (``train_on_test_images``).

    Examples
    --------
    >>> DistillationSettings(images="natural_like").per_epoch
    1000
    """

    teacher: Annotated[str, Field(min_length=1)] | None = None
    weight: Annotated[float, Field(ge=0, le=1)] = 0.5
    images: Annotated[str, Field(min_length=1)] | None = None
    per_epoch: Annotated[int, Field(ge=1)] = 1000
    pool: Annotated[int, Field(ge=1, le=1_000_000)] = 2000
    images_weight: Annotated[float, Field(gt=0, le=1000)] = 1.0
    withheld_images: bool = False

    @model_validator(mode="after")
    def _refuse_what_has_no_effect(self) -> Self:
        if self.weight == 0 and self.images is None and not self.withheld_images:
            raise ValueError("weight is 0 and there are no images, so that the teacher has no effect; give one of them")
        return self


class Recipe(_Settings):
    """All settings that decide how an encoder is trained.

    Attributes
    ----------
    description
        One sentence that describes the recipe in the output of `striate recipes`.
    plugins
        Modules, such as ``"my_lab.losses"``, or ``.py`` files that register components of the recipe. Paths are relative to
        the file of the recipe. **Their code is executed** when the recipe is loaded.
    data
        Inputs, neurons and images that the model is trained on.
    model
        Architecture of the encoder.
    loss
        Loss function.
    initialisation
        Initial values of parameters that can be estimated from the recordings.
    optimiser
        Optimiser of the weights.
    schedule
        Learning rate, number of epochs and early stopping.
    compute
        Numerical precision, checkpoints, and limits of memory.
    distillation
        What is learnt from another model, the teacher; by default nothing.

    Examples
    --------
    >>> recipe = Recipe(schedule={"max_epochs": 10})
    >>> recipe.schedule.max_epochs, recipe.protocol
    (10, 'image')
    """

    description: str = ""
    plugins: tuple[str, ...] = ()
    data: DataSettings = DataSettings()
    model: Annotated[Settings, ModelPart()] = Field(default_factory=models.default_settings)
    loss: Annotated[LossSettings, Part(losses)] = Field(default_factory=losses.default_settings)
    initialisation: InitialisationSettings = InitialisationSettings()
    optimiser: Annotated[OptimiserSettings, Part(optimisers)] = Field(default_factory=optimisers.default_settings)
    schedule: Annotated[ScheduleSettings, Part(schedules)] = Field(default_factory=schedules.default_settings)
    compute: ComputeSettings = ComputeSettings()
    distillation: DistillationSettings | None = None

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Self:
        if isinstance(self.model, ModelSettings):
            self.model.check_data(self.data)
        return self

    @property
    def protocol(self) -> str:
        """Standard protocol that the inputs of the model need, such as ``"image + behaviour"``.

        A benchmark may have protocols of its own: a run has that of the benchmark of its recordings
        (`striate.BenchmarkSpec.protocol_for`).
        """
        protocol = smallest_protocol(STANDARD_PROTOCOLS, self.data.extra_inputs)
        assert protocol is not None  # the last standard protocol allows every input
        return protocol.name

    def __repr__(self) -> str:
        return f"<Recipe {self.description or 'without description'} ({self.protocol})>"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return notebook_html.section(repr(self)[1:-1], notebook_html.text(self.to_toml()))

    def to_toml(self) -> str:
        """Return the recipe as TOML, with every key, defaults included.

        Examples
        --------
        >>> "batch_size = 16" in load_recipe("cnn").to_toml()
        True
        """
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))


def load_recipe(
    recipe: str | os.PathLike[str] | Mapping[str, Any] | Recipe, overrides: Overrides | None = None
) -> Recipe:
    """Read and validate a recipe.

    Parameters
    ----------
    recipe
        The name of a recipe that comes with striate, the path of a TOML file, a mapping of its tables, or a `Recipe`.
    overrides
        Settings to change: a mapping such as ``{"data.batch_size": 64}``, or strings such as ``"data.batch_size=64"``
        with values in TOML syntax. One that chooses another ``type`` resets the keys of its table that the new component does
        not have, or has another default for.

    Returns
    -------
    Recipe
        The validated recipe.

    Raises
    ------
    InputError
        If the recipe does not exist or is not valid TOML, if a key is unknown, or if a value has the wrong type or is
        not allowed. The message names the file and the key.

    Examples
    --------
    >>> load_recipe("cnn", ["data.batch_size=64"]).data.batch_size
    64
    """
    changes = parsed(overrides)
    folder = None
    if isinstance(recipe, Recipe):
        tables, source = recipe.model_dump(mode="json", exclude_none=True), "recipe"
    elif isinstance(recipe, Mapping):
        tables, source = dict(recipe), "recipe"
    elif isinstance(recipe, str | os.PathLike):
        tables, source = _read(recipe)
        folder = expand_path(recipe).parent
    else:
        raise InputError(
            f"recipe is {describe_type(recipe)}; expected the name of a recipe, the path of a .toml file, a Recipe, or its tables."
        )
    changed = _with_plugins(apply(_with_absolute_paths(tables, folder), changes, source), folder)
    for path in changes:
        if path[-1] == "type":
            _forget_former_type(path[:-1], tables, changed, changes)
    return _validated(changed, source, frozenset(changes))


def _forget_former_type(
    path: tuple[str, ...], before: Any, after: dict[str, Any], changes: Mapping[tuple[str, ...], Any]
) -> None:
    """Remove the keys of a table that belong to a component which overrides have replaced by another.

    These are the keys that the new component does not have, and those for which it has another default.
    """
    former, chosen = table_model(Recipe, path, before), table_model(Recipe, path, after)
    if former is None or chosen is None or former is chosen:
        return
    table = after
    for name in path:
        table = table[name]
    for key in set(table) - {"type"}:
        old, new = former.model_fields.get(key), chosen.model_fields.get(key)
        kept = old is not None and new is not None and old.default == new.default
        if not kept and not any(change[: len(path) + 1] == (*path, key) for change in changes):
            del table[key]


def load_recipe_of_run(path: Path) -> Recipe:
    """Read and validate the recipe in the folder of a run, without executing its plugins.

    Classes that the recipe names by their module are imported only if they belong to an installed package.

    Raises
    ------
    InputError
        As `load_recipe`; also if the recipe chooses a component of a plugin that is not loaded.
    """
    tables, source = _read(path)
    return _validated(tables, source, frozenset())


def _validated(tables: Mapping[str, Any], source: str, overridden: frozenset[tuple[str, ...]]) -> Recipe:
    return validate_settings(Recipe, tables, source, overridden, renamed_hint=renamed_setting_hint)


_PATHS = (("loss", "neuron_weights"), ("distillation", "teacher"), ("distillation", "images"))


def _with_absolute_paths(tables: dict[str, Any], folder: Path | None) -> dict[str, Any]:
    """Make paths in a recipe file absolute; those that overrides set are relative to the current folder.

    Images may also be the name of a stimulus or of a recording, which stays as it is.
    """
    if folder is None:
        return tables
    changed = dict(tables)
    for name, key in _PATHS:
        table = changed.get(name)
        if not isinstance(table, Mapping) or not isinstance(path := table.get(key), str) or not path:
            continue
        absolute = folder.absolute() / expand_path(path)
        if key != "images" or absolute.exists():
            changed[name] = {**table, key: str(absolute)}
    model = tables.get("model")
    core = model.get("core") if isinstance(model, Mapping) else None
    if isinstance(core, Mapping) and core.get("type") == "pretrained" and isinstance(path := core.get("weights"), str):
        core = {**core, "weights": str(folder.absolute() / expand_path(path)) if path else path}
        changed["model"] = {**(model or {}), "core": core}
    return changed


def _with_plugins(tables: dict[str, Any], folder: Path | None) -> dict[str, Any]:
    """Load the plugins of a recipe; relative paths are those below `folder`, and become absolute."""
    plugins = tables.get("plugins")
    if not isinstance(plugins, list | tuple) or not all(isinstance(plugin, str) for plugin in plugins):
        return tables  # none, or what validation refuses
    names = []
    for plugin in plugins:
        is_file = plugin.endswith(".py") or "/" in plugin
        names.append(str((folder or Path.cwd()) / expand_path(plugin)) if is_file else plugin)
        load_plugin(names[-1])
    return {**tables, "plugins": names}


def _read(recipe: str | os.PathLike[str]) -> tuple[dict[str, Any], str]:
    path = expand_path(recipe)
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
