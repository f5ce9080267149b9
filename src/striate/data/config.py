"""Settings of the data that a model is trained on: the ``[data]`` table of a recipe.

Descriptions of keys end in the name that the SENSORIUM 2022 tools (the packages sensorium and neuralpredictors) give them.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, ValidationError, model_validator
from pydantic.functional_validators import BeforeValidator

from striate._internal.renamed_settings import renamed_setting_hint
from striate.benchmarks.spec_tables import Stimulus
from striate.data.context_settings import ContextSettings
from striate.errors import InputError, describe_type, listed, nearest
from striate.registry import Part, Settings, augmentations

ORIGINAL: Literal["original"] = "original"
OF_BENCHMARK: Literal["benchmark"] = "benchmark"


def _image_size(given: object) -> object:
    """Convert None to ``"original"``, its equivalent in TOML, and a list of two sizes to a tuple."""
    if given is None or given == ORIGINAL:
        return ORIGINAL
    if given == OF_BENCHMARK:
        return OF_BENCHMARK
    if isinstance(given, tuple | list) and len(given) == 2 and all(type(n) is int and n > 0 for n in given):
        return tuple(given)
    raise InputError('give height and width in pixels, such as [36, 64], "benchmark", or "original".')


def _ids(given: object) -> object:
    """Convert an array or a list of ids to a tuple."""
    plain = given.tolist() if hasattr(given, "tolist") else given
    return tuple(plain) if isinstance(plain, list) else plain


def _names(given: object) -> object:
    if isinstance(given, str):
        raise InputError(f'give a list, such as ["{given}"].')
    return tuple(given) if isinstance(given, list) else given


_ImageSize = Annotated[tuple[PositiveInt, PositiveInt] | Literal["benchmark", "original"], BeforeValidator(_image_size)]
_Names = Annotated[tuple[str, ...], BeforeValidator(_names), Field(min_length=1)]
_Ids = Annotated[
    tuple[int, ...],
    BeforeValidator(_ids),
    Field(min_length=1),
]


def _table_or_none(given: object) -> object:
    """Convert ``false`` to None and ``true`` to the default settings, because TOML has no null."""
    return None if given is False else {} if given is True else given


_Augmentations = tuple[Annotated[Settings, Part(augmentations)], ...]


class DataSettings(BaseModel):
    """Inputs, neurons and images that a model is trained on, and the batch size.

    Attributes
    ----------
    behavior
        Whether to include the standardised behaviour variables in each batch (2022: ``include_behavior``).
    behavior_planes
        Whether to append these variables to the image as constant channels. With ``false``, only models whose core or
        modulators take behaviour use them.
    pupil_center
        Whether to include the standardised eye position in each batch (2022: ``include_eye_position``).
    context
        What batches say of the trials before and after each trial: the table ``[data.context]``; see `ContextSettings`. ``false``,
        the default, means nothing.
    image_size
        Height and width, in pixels, that images are rescaled to, by bilinear interpolation with half-pixel centres and
        without anti-aliasing. ``"benchmark"`` is the size that the benchmark of the recordings names (``stimulus.input_size``, in
        SENSORIUM 2022 ``[36, 64]``), or the recorded size if it names none. ``"original"`` (or None) keeps the recorded size
        (2022: ``scale``, a factor).
    areas
        Keep only the neurons of these visual areas (2022: ``areas``).
    layers
        Keep only the neurons of these cortical layers (2022: ``layers``).
    unit_ids
        Keep exactly the neurons with these ids, in this order (2022: ``neuron_ids``).
    neurons
        Number of neurons to keep, drawn at random from those that `areas` and `layers` select. With the same
        `neuron_seed`, a smaller number draws a subset of a larger number's neurons (2022: ``neuron_n``).
    neuron_seed
        Seed of the random choice of neurons; each recording draws independently (2022: ``neuron_base_seed``).
    image_ids
        Train on the images with these ids only. Validation and test tiers stay complete (2022: ``image_ids``).
    training_images
        Number of training images to keep, drawn at random; with the same `image_seed`, a smaller number draws a subset
        of a larger number's images. Validation and test tiers stay complete (2022: ``image_n``).
    image_seed
        Seed of the random choice of training images (2022: ``image_base_seed``).
    folds
        Split the images of training and validation trials anew, into this many parts of equal size, of which one is used for
        validation and the others for training. By default the tiers of the recording are used. Test trials are never part of it.
        Such a model has seen validation trials of the recording, so its scores on these do not count.
    fold
        Part that is used for validation, from 0 to `folds` − 1. Models of different parts make good ensembles.
    fold_seed
        Seed of the random choice of the parts.
    augmentations
        Random changes of training batches, one after the other; a table ``[[data.augmentations]]`` for each.
    batch_size
        Number of trials in a batch; the last batch of a tier may be smaller (2022: ``batch_size``).
    cache_gib
        Memory, in GiB, for preprocessed inputs and responses of all recordings together; data that do not fit are read
        again in each epoch. Default: a quarter of the machine's memory (or of the GPU's free memory). 0 caches nothing.

    Examples
    --------
    >>> DataSettings(areas=["V1"], neurons=100).image_size
    'benchmark'
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    behavior: bool = False
    behavior_planes: bool = True
    pupil_center: bool = False
    context: Annotated[ContextSettings | None, BeforeValidator(_table_or_none)] = None
    image_size: _ImageSize = OF_BENCHMARK
    areas: _Names | None = None
    layers: _Names | None = None
    unit_ids: _Ids | None = None
    neurons: PositiveInt | None = None
    neuron_seed: NonNegativeInt = 0
    image_ids: _Ids | None = None
    training_images: PositiveInt | None = None
    image_seed: NonNegativeInt = 0
    folds: Annotated[int, Field(ge=2, le=1000)] | None = None
    fold: NonNegativeInt = 0
    fold_seed: NonNegativeInt = 0
    augmentations: _Augmentations = ()
    batch_size: PositiveInt = 128
    cache_gib: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None

    @property
    def extra_inputs(self) -> tuple[str, ...]:
        """Inputs beside the image, which decide the protocol of a model; see `striate.BenchmarkSpec.protocol_for`.

        Examples
        --------
        >>> DataSettings(behavior=True, context={"past_responses": [1, 10]}).extra_inputs
        ('behavior', 'past_responses')
        """
        given = tuple(name for name in ("behavior", "pupil_center") if getattr(self, name))
        history = self.context is not None and self.context.past_responses
        return (*given, "past_responses") if history else given

    def for_prediction(self) -> Self:
        """Return the settings by which trials are predicted: all images of each tier, as the recording has them, unchanged.

        Examples
        --------
        >>> DataSettings(folds=5, fold=2, training_images=100).for_prediction() == DataSettings()
        True
        """
        of_training = ("image_ids", "training_images", "image_seed", "folds", "fold", "fold_seed", "augmentations")
        return self.model_copy(update={key: type(self).model_fields[key].default for key in of_training})

    def input_size(self, stimulus: Stimulus, recorded: tuple[int, int]) -> tuple[int, int]:
        """Return the height and width that the images of a recording are rescaled to.

        Parameters
        ----------
        stimulus
            Stimulus of the benchmark of the recording.
        recorded
            Height and width of the recorded images.

        Examples
        --------
        >>> DataSettings().input_size(Stimulus(input_size=(36, 64)), (144, 256))
        (36, 64)
        """
        if isinstance(self.image_size, tuple):
            return self.image_size
        return recorded if self.image_size == ORIGINAL else stimulus.input_size_of(*recorded)

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Self:
        for exact, others in (("unit_ids", ("areas", "layers", "neurons")), ("image_ids", ("training_images",))):
            given = [key for key in others if getattr(self, key) is not None]
            if getattr(self, exact) is not None and given:
                raise InputError(f"{exact} already says exactly which ones to keep: drop it, or drop {given[0]}.")
        if not self.behavior_planes and not self.behavior:
            raise InputError("behavior_planes = false has an effect only with behavior = true: set that too.")
        if self.context is not None and not self.behavior:
            raise InputError(
                "The context of trials is the behaviour around them, but data.behavior is false: set data.behavior = true, or leave the "
                "table [data.context] out."
            )
        for seed, count in (("neuron_seed", "neurons"), ("image_seed", "training_images")):
            if getattr(self, seed) != 0 and getattr(self, count) is None:
                raise InputError(f"{seed} has an effect only where {count} says how many to draw: give {count} too.")
        for key in ("fold", "fold_seed"):
            if getattr(self, key) != 0 and self.folds is None:
                raise InputError(
                    f"{key} has an effect only where folds says into how many parts to split: give folds too."
                )
        if self.folds is not None and self.fold >= self.folds:
            raise InputError(
                f"fold is {self.fold}, but {self.folds} folds are counted from 0 to {self.folds - 1}: choose one of these."
            )
        for key in ("areas", "layers", "unit_ids", "image_ids"):
            doubled = [value for value, count in Counter(getattr(self, key) or ()).items() if count > 1]
            if doubled:
                raise InputError(f"{key} names {listed(doubled)} more than once: name each only once.")
        return self


def data_settings(settings: DataSettings | Mapping[str, Any] | None, overrides: Mapping[str, Any]) -> DataSettings:
    """Merge settings and overrides, and validate them.

    Parameters
    ----------
    settings
        Settings, or a mapping of their keys; None for the defaults.
    overrides
        Keys that replace those of `settings`.

    Returns
    -------
    DataSettings
        The validated settings.

    Raises
    ------
    InputError
        If a key is unknown, a value is not allowed, or keys contradict each other.

    Examples
    --------
    >>> data_settings({"batch_size": 64}, {"behavior": True}).batch_size
    64
    """
    if not isinstance(settings, DataSettings | Mapping | None):
        raise InputError(
            f"The data settings are {describe_type(settings)}; expected DataSettings, or a mapping of their keys."
        )
    base = settings.model_dump() if isinstance(settings, DataSettings) else dict(settings or {})
    try:
        return DataSettings.model_validate({**base, **overrides})
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0]) if first["loc"] else ""
        if first["type"] == "extra_forbidden" and key == "context":
            unknown = str(first["loc"][-1])
            raise InputError(
                f"Data settings: the table context has no key {unknown!r}: {nearest(unknown, ContextSettings.model_fields)}."
            ) from error
        if first["type"] == "extra_forbidden" and len(first["loc"]) > 1:  # a key of an augmentation
            table = {**base, **overrides}[key][first["loc"][1]]
            valid = augmentations[table["type"]].settings.model_fields
            unknown = str(first["loc"][-1])
            raise InputError(
                f"Data settings: {key} {table['type']!r} has no key {unknown!r}: {nearest(unknown, valid)}."
            ) from error
        if first["type"] == "extra_forbidden":
            hint = renamed_setting_hint(key, "data") or nearest(key, DataSettings.model_fields)
            raise InputError(f"The data settings have no key {key!r}: {hint}.") from error
        what = first["msg"].removeprefix("Value error, ").removeprefix("Input ")
        got = f"{key} = {first['input']!r}: " if key else ""
        raise InputError(f"Data settings: {got}{what}") from error
