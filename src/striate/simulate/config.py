"""What can be chosen about a simulation, checked as a whole before any work."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from striate.errors import InputError, nearest
from striate.recordings import layout

Track = Literal["sensorium", "sensorium+"]
TRACKS: tuple[Track, ...] = ("sensorium", "sensorium+")


class Settings(BaseModel):
    """Base of the settings below; an unknown or impossible one is one `InputError`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise InputError(self._sentence(error)) from None

    @classmethod
    def _sentence(cls, error: ValidationError) -> str:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        if first["type"] == "extra_forbidden":
            return f"There is no setting {name!r}: {nearest(name, cls.model_fields)}."
        if first["type"] == "value_error":
            return str(first["ctx"]["error"])
        return f"Setting {name!r} is {first['input']!r}: {first['msg'][0].lower()}{first['msg'][1:]}."


class PopulationSettings(Settings):
    """What the neurons of a simulated mouse are like.

    Attributes
    ----------
    neurons
        How many there are.
    complex_fraction
        Fraction of complex cells, which answer alike to every phase of a grating; the others are simple.
    reliability, reliability_spread
        Mean and standard deviation over neurons of the fraction of explainable variance (FEV): of the variance
        that is left of a neuron's responses when they are averaged over endless repeats.
    normalization
        Strength of divisive normalisation by local contrast; 0 turns it off.
    behavior_gain
        Typical standard deviation of a neuron's log gain over pupil dilation and running; 0 turns it off.
    eye_shift
        Pixels of a 256 pixel wide screen by which receptive fields move for one standard deviation of the eye
        position; 0 turns it off.
    position_scatter
        Standard deviation, in degrees of visual angle, of receptive fields around the smooth retinotopic map.
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
                f"A reliability of {self.reliability} on average cannot spread by {self.reliability_spread}: "
                f"give a reliability_spread below {largest:.2f}."
            )
        return self


class RecordingSettings(Settings):
    """How long a simulated recording is, and what it shows and withholds.

    Attributes
    ----------
    session
        Its name, ``animal-session-scan`` in whole numbers.
    track
        ``"sensorium"`` or ``"sensorium+"`` for a competition scan, which has final test images; None for a
        pre-training scan.
    withhold
        Whether a competition scan withholds what competitors must not see: test responses, the order of the
        trials and, for track sensorium, behaviour and eye position. If false it is written in full.
    train, validation
        Numbers of training and validation trials, each with an image of its own.
    test_images, final_images
        Numbers of live test images (shared by all mice of a seed) and of final test images (competition scans).
    repeats
        How often each test image is shown. As in real recordings a trial is lost here and there, so that about
        one image in ten has one repeat less.
    image_shape
        Height and width of the images in pixels.
    """

    session: str = "90001-1-1"
    track: Track | None = None
    withhold: bool = True
    train: int = Field(default=1400, ge=1, le=15_000)
    validation: int = Field(default=200, ge=0, le=15_000)
    test_images: int = Field(default=40, ge=0, le=10_000)
    final_images: int = Field(default=40, ge=0, le=10_000)
    repeats: int = Field(default=10, ge=1, le=100)
    image_shape: tuple[int, int] = (144, 256)

    @field_validator("session")
    @classmethod
    def _is_session(cls, session: str) -> str:
        parts = layout.valid_session(session).split("-")
        if len(parts) != 3 or not all(p.isascii() and p.isdigit() for p in parts):
            raise ValueError(f"Session {session!r} must be three whole numbers, animal-session-scan, like 90001-1-1.")
        return session

    @field_validator("image_shape")
    @classmethod
    def _is_shape(cls, shape: tuple[int, int]) -> tuple[int, int]:
        if not all(8 <= side <= 2048 for side in shape):
            raise ValueError(f"Images of {shape[0]}×{shape[1]} pixels: height and width must be between 8 and 2048.")
        return shape

    @property
    def withheld(self) -> bool:
        """Whether anything is withheld: only competition scans withhold."""
        return self.track is not None and self.withhold


def split_settings(values: dict[str, Any]) -> tuple[PopulationSettings, RecordingSettings]:
    """Sort settings given side by side into those of the population and those of the recording.

    Raises
    ------
    InputError
        If one is unknown or impossible.
    """
    population, recording = PopulationSettings.model_fields, RecordingSettings.model_fields
    for name in values:
        if name not in population and name not in recording:
            raise InputError(f"There is no setting {name!r}: {nearest(name, [*population, *recording])}.")
    return (
        PopulationSettings(**{k: v for k, v in values.items() if k in population}),
        RecordingSettings(**{k: v for k, v in values.items() if k in recording}),
    )
