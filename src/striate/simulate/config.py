"""Settings of simulations, validated before a simulation starts."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from striate.benchmarks import BenchmarkSpec, is_default, load_benchmark
from striate.errors import InputError, nearest

_DEFAULT_SESSION = "90001-1-1"  # of SENSORIUM 2022
_DEFAULT_SHAPE = (144, 256)  # of benchmarks that do not fix the size of images


class Settings(BaseModel):
    """Base class of settings; an unknown or invalid setting raises `InputError`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise InputError(self._message(error)) from None

    @classmethod
    def _message(cls, error: ValidationError) -> str:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        if first["type"] == "extra_forbidden":
            return f"There is no setting {name!r}: {nearest(name, cls.model_fields)}."
        if first["type"] == "value_error":
            return str(first["ctx"]["error"])
        return f"Setting {name!r} is {first['input']!r}: {first['msg'][0].lower()}{first['msg'][1:]}."


class PopulationSettings(Settings):
    """Settings of the neurons of a simulated mouse.

    Attributes
    ----------
    neurons
        Number of neurons.
    complex_fraction
        Fraction of complex cells, whose responses do not depend on the phase of a grating; the others are simple cells.
    reliability, reliability_spread
        Mean and standard deviation over neurons of the fraction of explainable variance (FEV): the part of the variance
        of responses that remains when they are averaged over infinitely many repeats.
    normalization
        Strength of divisive normalisation by local contrast; 0 turns normalisation off.
    behavior_gain
        Typical standard deviation of a neuron's log gain over pupil dilation and running; 0 turns the gain off.
    eye_shift
        Shift of receptive fields for one standard deviation of the eye position, in pixels of a screen of 256 pixels
        width; 0 turns the shift off.
    position_scatter
        Standard deviation of receptive-field positions around the smooth retinotopic map, in degrees of visual angle.

    Raises
    ------
    InputError
        If a setting is unknown or invalid.

    Examples
    --------
    >>> from striate.simulate import PopulationSettings
    >>> PopulationSettings(neurons=50, reliability=0.5).complex_fraction
    0.35
    """

    neurons: int = Field(default=1000, ge=1, le=100_000)
    complex_fraction: float = Field(default=0.35, ge=0, le=1)
    reliability: float = Field(default=0.22, ge=0.01, le=0.95)
    reliability_spread: float = Field(default=0.16, gt=0, le=0.4)
    normalization: float = Field(default=1.0, ge=0, le=10)
    behavior_gain: float = Field(default=0.3, ge=0, le=1)
    eye_shift: float = Field(default=1.5, ge=0, le=20)
    position_scatter: float = Field(default=2.5, ge=0, le=20)

    @model_validator(mode="after")
    def _spread_fits(self) -> "PopulationSettings":
        largest = (self.reliability * (1 - self.reliability)) ** 0.5
        if self.reliability_spread >= largest:
            raise ValueError(
                f"A mean reliability of {self.reliability} cannot have a spread of {self.reliability_spread}: "
                f"give a reliability_spread below {largest:.2f}."
            )
        return self


class RecordingSettings(Settings):
    """Settings of a simulated recording: its size, and what it withholds.

    Attributes
    ----------
    benchmark
        Benchmark of the recording: name, path of a TOML file, or description (default: SENSORIUM 2022).
    session
        Name of the recording (default: a name that the benchmark allows). In SENSORIUM 2022 ``animal-session-scan`` with three
        integers.
    track
        Track of a competition recording, which has final test images; None for a pre-training recording.
    withhold
        Whether a competition recording withholds the responses of the test tiers that decide a board, the order of the
        trials, and the variables that the track withholds.
    train, validation
        Numbers of training and validation trials, each with a unique image.
    test_images
        Number of live test images, which are the same for all mice with the same seed, and of the images of test tiers that
        decide no board.
    final_images
        Number of final test images of a competition recording.
    repeats
        Number of trials of each test image. As in measured recordings, some trials are lost: about one image in ten has
        one repeat less.
    image_shape
        Height and width of the images in pixels (default: those of the benchmark, or 144 × 256).

    Raises
    ------
    InputError
        If a setting is unknown or invalid.

    Examples
    --------
    >>> from striate.simulate import RecordingSettings
    >>> RecordingSettings(train=100, track="sensorium+").withheld
    True
    """

    benchmark: BenchmarkSpec = Field(default_factory=load_benchmark)
    session: str = _DEFAULT_SESSION
    track: str | None = None
    withhold: bool = True
    train: int = Field(default=1400, ge=1, le=15_000)
    validation: int = Field(default=200, ge=0, le=15_000)
    test_images: int = Field(default=40, ge=0, le=10_000)
    final_images: int = Field(default=40, ge=0, le=10_000)
    repeats: int = Field(default=10, ge=1, le=100)
    image_shape: tuple[int, int] = _DEFAULT_SHAPE

    @model_validator(mode="before")
    @classmethod
    def _take_defaults_of_the_benchmark(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        spec = load_benchmark(values.get("benchmark"))
        size = (spec.stimulus.height, spec.stimulus.width)
        defaults = {
            "session": _DEFAULT_SESSION if is_default(spec) else spec.sessions.example,
            "image_shape": _DEFAULT_SHAPE if None in size else size,
        }
        return {**defaults, **values, "benchmark": spec}

    @model_validator(mode="after")
    def _fits_the_benchmark(self) -> "RecordingSettings":
        self.benchmark.valid_session(self.session)
        stimulus = self.benchmark.stimulus
        if stimulus.height is not None and self.image_shape != (stimulus.height, stimulus.width):
            raise ValueError(
                f"Images of {self.image_shape[0]}×{self.image_shape[1]} pixels: those of benchmark {self.benchmark.name} have "
                f"{stimulus.height}×{stimulus.width}; leave image_shape out."
            )
        if self.track is not None:
            self.benchmark.track(self.track)
        return self

    @field_validator("image_shape")
    @classmethod
    def _is_shape(cls, shape: tuple[int, int]) -> tuple[int, int]:
        if not all(8 <= side <= 2048 for side in shape):
            raise ValueError(f"Images of {shape[0]}×{shape[1]} pixels: height and width must be between 8 and 2048.")
        return shape

    @property
    def variables_withheld(self) -> tuple[str, ...]:
        """Variables that the recording withholds in all trials."""
        return self.benchmark.track(self.track).withhold if self.track is not None and self.withhold else ()

    @property
    def withheld(self) -> bool:
        """Whether the recording withholds anything; a pre-training recording never does."""
        return self.track is not None and self.withhold


def split_settings(values: dict[str, Any]) -> tuple[PopulationSettings, RecordingSettings]:
    """Split keyword settings into those of the population and those of the recording.

    Parameters
    ----------
    values
        Fields of `PopulationSettings` and `RecordingSettings` by name.

    Raises
    ------
    InputError
        If a setting is unknown or invalid.

    Examples
    --------
    >>> population, recording = split_settings({"neurons": 50, "train": 100})
    >>> population.neurons, recording.train
    (50, 100)
    """
    population, recording = PopulationSettings.model_fields, RecordingSettings.model_fields
    for name in values:
        if name not in population and name not in recording:
            raise InputError(f"There is no setting {name!r}: {nearest(name, [*population, *recording])}.")
    return (
        PopulationSettings(**{k: v for k, v in values.items() if k in population}),
        RecordingSettings(**{k: v for k, v in values.items() if k in recording}),
    )
