"""Settings of models: the ``[model]`` table of a recipe."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, PlainSerializer

from striate import registry
from striate.errors import InputError
from striate.models.cores.base import CoreSettings
from striate.models.modulators.base import ModulatorSettings
from striate.registry import Part, Settings

if TYPE_CHECKING:
    from striate.data import DataSettings


class ModelSettings(Settings):
    """Base class of the settings of a model."""

    def check_data(self, data: "DataSettings") -> None:
        """Raise `InputError` if the model cannot take the inputs that the ``[data]`` table gives; called for each recipe."""


def _table_or_none(value: Any) -> Any:
    """Convert ``false`` to None and ``true`` to the default settings, because TOML has no null."""
    if value is False:
        return None
    return {} if value is True else value


class EncoderSettings(ModelSettings):
    """Settings of an encoder: core → readout → modulators and output nonlinearity, and a shifter where eye position is used.

    Each table has the key ``type``, which chooses the component, and the settings of that component.

    Attributes
    ----------
    core
        Core that all recordings share; by default ``"convolutional"``.
    readout
        Readout of each recording; by default ``"gaussian"``.
    nonlinearity
        Function from the drive of a neuron to its rate; by default ``"elu"``.
    modulators
        Changes of the responses of each recording by behaviour or by the context of trials, in this order; by default none.
    shifter
        Shifter of each recording. In a recipe, ``false`` means no shifter and ``true`` the default one, ``"mlp"``
        (2022: ``shifter``).

    Examples
    --------
    >>> settings = EncoderSettings(core={"channels": 16}, shifter=True, modulators=[{"type": "gain"}])
    >>> settings.core.type, settings.core.channels, settings.modulators[0].type
    ('convolutional', 16, 'gain')
    >>> settings.shifter
    MLPShifterSettings(type='mlp', layers=3, hidden_units=5, zero_start=False)
    """

    core: Annotated[CoreSettings, Part(registry.cores)] = Field(default_factory=registry.cores.default_settings)
    readout: Annotated[Settings, Part(registry.readouts)] = Field(default_factory=registry.readouts.default_settings)
    nonlinearity: Annotated[Settings, Part(registry.nonlinearities)] = Field(
        default_factory=registry.nonlinearities.default_settings
    )
    modulators: tuple[Annotated[ModulatorSettings, Part(registry.modulators)], ...] = ()
    shifter: Annotated[
        Annotated[Settings, Part(registry.shifters)] | None,
        BeforeValidator(_table_or_none),
        PlainSerializer(lambda s: False if s is None else s.model_dump()),
    ] = None

    @property
    def uses_behavior(self) -> bool:
        """Whether the core or a modulator takes behaviour."""
        return self.core.uses_behavior or any(each.uses_behavior for each in self.modulators)

    @property
    def uses_pupil_center(self) -> bool:
        """Whether the core or a shifter takes the eye position."""
        return self.core.uses_pupil_center or self.shifter is not None

    @property
    def uses_context(self) -> bool:
        """Whether a modulator takes the context of trials."""
        return any(each.uses_context for each in self.modulators)

    def check_data(self, data: "DataSettings") -> None:
        """Check that the inputs that the encoder uses are loaded, and that no input is loaded in vain.

        Raises
        ------
        InputError
            If they are not, or if the images are too small for the core.
        """
        if self.shifter is not None and not data.pupil_center:
            raise InputError(
                "model.shifter moves receptive fields with the eye, but data.pupil_center is false: set "
                "data.pupil_center = true, or model.shifter = false."
            )
        if self.core.uses_pupil_center and not data.pupil_center:
            raise InputError(
                f"The core {self.core.type!r} uses the eye position, but data.pupil_center is false: set data.pupil_center = true."
            )
        if data.pupil_center and not self.uses_pupil_center:
            raise InputError(
                "data.pupil_center = true has no effect without a shifter: add the table [model.shifter], or set "
                "data.pupil_center = false."
            )
        if self.uses_behavior and not data.behavior:
            using = next((each for each in self.modulators if each.uses_behavior), None)
            user = f"The core {self.core.type!r}" if using is None else f"[[model.modulators]] {using.type!r}"
            raise InputError(f"{user} uses behaviour, but data.behavior is false: set data.behavior = true.")
        self._check_context(data)
        if any(getattr(each, "shift_readout", False) for each in data.augmentations):
            readout = registry.readouts[self.readout.type].value
            if not getattr(readout, "uses_shift", False):
                raise InputError(
                    f"data.augmentations has shift_readout = true, but the readout {self.readout.type!r} cannot be shifted: set "
                    "shift_readout = false, or use another readout."
                )
        if data.behavior and not data.behavior_planes and not self.uses_behavior and data.context is None:
            raise InputError(
                "data.behavior = true has no effect: nothing in [model] uses it, and data.behavior_planes is false. Add a table "
                "[[model.modulators]], or set data.behavior_planes = true."
            )
        if not isinstance(data.image_size, str):
            self.core.check_image_size(*data.image_size)

    def _check_context(self, data: "DataSettings") -> None:
        users = [each for each in self.modulators if each.uses_context]
        if data.context is None:
            if users:
                raise InputError(
                    f"[[model.modulators]] {users[0].type!r} uses the trials around each trial, but the recipe has no table [data.context]: "
                    "add it."
                )
            return
        if not users:
            raise InputError(
                "The table [data.context] has no effect: no modulator uses the context of trials. Add one, such as "
                "[[model.modulators]] type = 'slow_gain', or leave the table out."
            )
        for each in users:
            each.check_context(data.context)


class ImportedModelSettings(ModelSettings):
    """Settings of a model of one's own, ``type = "my_lab.models:Net"``: all other keys are passed to the class.

    Examples
    --------
    >>> ImportedModelSettings(type="my_lab.models:Net", width=64).arguments
    {'width': 64}
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    @property
    def arguments(self) -> dict[str, Any]:
        """Keyword arguments for the class."""
        return dict(self.model_extra or {})


class ModelPart(Part):
    """Makes a field hold the settings of a registered model, or of a class that is named ``module:Class``."""

    def __init__(self) -> None:
        super().__init__(registry.models)

    def validate(self, value: Any, *, strict_json: bool = False) -> Settings:
        """Validate the settings; see `striate.registry.Registry.settings`."""
        if isinstance(value, ImportedModelSettings):
            return value
        if _is_imported(value):
            return ImportedModelSettings.model_validate(value)
        return super().validate(value, strict_json=strict_json)

    def settings_class(self, value: object) -> type[Settings] | None:
        """Return the class of the settings that a table chooses; None if it chooses none that exists."""
        return ImportedModelSettings if _is_imported(value) else super().settings_class(value)


def _is_imported(value: object) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("type"), str) and ":" in value["type"]
