"""What a model is given of a recording: the [data] table of a recipe."""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, ValidationError, model_validator
from pydantic.functional_validators import BeforeValidator

from striate.errors import InputError, kind_of, listed, nearest

ORIGINAL: Literal["original"] = "original"


def _image_size(given: object) -> object:
    """None is welcome in Python; TOML, which has no such value, says "original"."""
    if given is None or given == ORIGINAL:
        return ORIGINAL
    if isinstance(given, tuple | list) and len(given) == 2 and all(type(n) is int and n > 0 for n in given):
        return tuple(given)
    raise InputError('give height and width in pixels, such as [36, 64], or "original".')


def _ids(given: object) -> object:
    """Take an array, as recordings hold ids, or a list."""
    plain = given.tolist() if hasattr(given, "tolist") else given
    return tuple(plain) if isinstance(plain, list) else plain


def _names(given: object) -> object:
    if isinstance(given, str):
        raise InputError(f'give a list, such as ["{given}"].')
    return tuple(given) if isinstance(given, list) else given


_ImageSize = Annotated[tuple[PositiveInt, PositiveInt] | Literal["original"], BeforeValidator(_image_size)]
_Names = Annotated[tuple[str, ...], BeforeValidator(_names), Field(min_length=1)]
_Ids = Annotated[
    tuple[int, ...],
    BeforeValidator(_ids),
    Field(min_length=1),
]


class DataSettings(BaseModel):
    """Which inputs, neurons and training images a model sees, and in batches of what size.

    Attributes
    ----------
    behavior
        Give the three behaviours (standardised) with each batch and append them to the image as constant
        planes, so that the input has 4 channels.
    pupil_center
        Give the eye position (standardised) with each batch.
    image_size
        Height and width in pixels that images are rescaled to, bilinear, without anti-aliasing, with
        half-pixel centres; ``"original"`` (or None) to leave them as recorded.
    areas
        Keep the neurons of these areas only.
    layers
        Keep the neurons of these layers only.
    unit_ids
        Keep exactly these neurons, in this order.
    neurons
        Keep this many neurons, drawn at random from those that the other keys leave. With one
        `neuron_seed`, a smaller number draws a subset of a larger one's.
    neuron_seed
        Seed of that draw; each recording draws for itself.
    image_ids
        Train on these images only.
    training_images
        Train on this many images, drawn at random (subsets of one another, as for `neurons`). Validation
        and test tiers stay whole, here and with `image_ids`.
    image_seed
        Seed of that draw.
    batch_size
        Trials in a batch; the last batch of a tier may be shorter.
    cache_gib
        Memory, in GiB, that prepared inputs and responses of all recordings together may take; what does
        not fit is read anew in each epoch. Where not set: a quarter of the machine's (or of the GPU's free)
        memory. 0: keep nothing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    behavior: bool = False
    pupil_center: bool = False
    image_size: _ImageSize = (36, 64)
    areas: _Names | None = None
    layers: _Names | None = None
    unit_ids: _Ids | None = None
    neurons: PositiveInt | None = None
    neuron_seed: NonNegativeInt = 0
    image_ids: _Ids | None = None
    training_images: PositiveInt | None = None
    image_seed: NonNegativeInt = 0
    batch_size: PositiveInt = 128
    cache_gib: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Self:
        for exact, others in (("unit_ids", ("areas", "layers", "neurons")), ("image_ids", ("training_images",))):
            given = [key for key in others if getattr(self, key) is not None]
            if getattr(self, exact) is not None and given:
                raise InputError(f"{exact} already says exactly which ones to keep: drop it, or drop {given[0]}.")
        for seed, count in (("neuron_seed", "neurons"), ("image_seed", "training_images")):
            if getattr(self, seed) != 0 and getattr(self, count) is None:
                raise InputError(f"{seed} has an effect only where {count} says how many to draw: give {count} too.")
        for key in ("areas", "layers", "unit_ids", "image_ids"):
            doubled = [value for value, count in Counter(getattr(self, key) or ()).items() if count > 1]
            if doubled:
                raise InputError(f"{key} names {listed(doubled)} more than once: name each only once.")
        return self


def data_settings(settings: DataSettings | Mapping[str, Any] | None, overrides: Mapping[str, Any]) -> DataSettings:
    """Put settings together and say in one sentence what is wrong with them.

    Parameters
    ----------
    settings
        Settings, or a mapping of their keys; None for the defaults.
    overrides
        Keys that replace those of `settings`.

    Raises
    ------
    InputError
        If a key is unknown, a value is not allowed, or keys contradict each other.
    """
    if not isinstance(settings, DataSettings | Mapping | None):
        raise InputError(
            f"The data settings are {kind_of(settings)}; expected DataSettings, or a mapping of their keys."
        )
    base = settings.model_dump() if isinstance(settings, DataSettings) else dict(settings or {})
    try:
        return DataSettings.model_validate({**base, **overrides})
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0]) if first["loc"] else ""
        if first["type"] == "extra_forbidden":
            raise InputError(
                f"The data settings have no key {key!r}: {nearest(key, DataSettings.model_fields)}."
            ) from error
        what = first["msg"].removeprefix("Value error, ").removeprefix("Input ")
        got = f"{key} = {first['input']!r}: " if key else ""
        raise InputError(f"Data settings: {got}{what}") from error
