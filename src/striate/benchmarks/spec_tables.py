"""The tables of a benchmark's TOML file: stimulus, tiers, tracks, standardisation and so on, each validated by itself."""

import re
from collections.abc import Collection, Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from striate._internal.file_names import file_name_problem
from striate._internal.text_cleaning import Line, OptionalLine
from striate.benchmarks.image_sizes import distorts, same_proportions
from striate.errors import nearest, quoted

Role = Literal["train", "validation", "test"]
Board = Literal["live", "final"]
Method = Literal["zscore", "std", "none"]
ExtraInput = Literal["behavior", "pupil_center", "past_responses"]

_TIER = re.compile(r"[a-z][a-z0-9_]{0,39}")
_TRACK = re.compile(r"[a-z0-9][a-z0-9+._-]{0,59}")
_COMPONENT = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")


def _as_tuple(value: object) -> object:
    """Convert a list to a tuple, and refuse a single text, which would be taken for a list of letters."""
    if isinstance(value, str):
        raise ValueError(f'should be a list, such as ["{value}"]')
    return tuple(value) if isinstance(value, list) else value


def _listed_once(values: tuple[str, ...]) -> tuple[str, ...]:
    if (doubled := next((value for value in values if values.count(value) > 1), None)) is not None:
        raise ValueError(f"should list each name once, and {quoted(doubled)} is listed twice")
    return values


def _component_name(name: str) -> str:
    if not _COMPONENT.fullmatch(name):
        raise ValueError("should be lower-case letters, digits, '-' and '_'")
    return name


def _check_aliases(table: Any) -> Any:
    for name in table.aliases:
        if name not in table.names:
            raise ValueError(f"aliases are given for {quoted(name)}, which is no name: {nearest(name, table.names)}")
    names = [plain_name(name) for name in (*table.names, *(each for given in table.aliases.values() for each in given))]
    if (doubled := next((name for name in names if names.count(name) > 1), None)) is not None:
        raise ValueError(
            f"two names or aliases are {quoted(doubled)}: each must be unique, whatever its case and spaces"
        )
    return table


def plain_name(name: str) -> str:
    """Return a name without what does not matter when a column is looked up: case, spaces, ``_`` and ``-``.

    Examples
    --------
    >>> plain_name("Running_speed")
    'runningspeed'
    """
    return re.sub(r"[\s_-]+", "", name).lower()


Pixels = Annotated[int, Field(ge=1, le=2**14)]
Names = Annotated[tuple[Line, ...], BeforeValidator(_as_tuple), AfterValidator(_listed_once), Field(max_length=256)]
ComponentName = Annotated[str, AfterValidator(_component_name)]
ComponentNames = Annotated[
    tuple[ComponentName, ...], BeforeValidator(_as_tuple), AfterValidator(_listed_once), Field(max_length=64)
]


class Table(BaseModel):
    """Base class of the tables: unknown keys are refused, and values cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Stimulus(Table):
    """What is shown: images of one or more channels.

    Attributes
    ----------
    channels
        Name of each channel, in the order of the arrays: ``["grey"]``, ``["uv", "green"]``, ``["red", "green", "blue"]``.
    frames
        Number of frames of a stimulus. 1 is an image; nothing else is supported yet.
    height, width
        Size of the images in pixels; left out if recordings differ in it.
    range
        Smallest and largest pixel value.
    input_size
        Height and width, in pixels, that images are rescaled to for models, unless a recipe says otherwise; left out if models
        take images as they were recorded.

    Examples
    --------
    >>> Stimulus(channels=["uv", "green"]).channels
    ('uv', 'green')
    """

    channels: Annotated[Names, Field(min_length=1)] = ("grey",)
    frames: int = 1
    height: Pixels | None = None
    width: Pixels | None = None
    range: tuple[float, float] = (0.0, 255.0)
    input_size: Annotated[tuple[Pixels, Pixels], BeforeValidator(_as_tuple)] | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.frames != 1:
            raise ValueError(f"frames is {self.frames}, and only images are supported: set frames = 1")
        if (self.height is None) != (self.width is None):
            raise ValueError("height and width belong together: give both, or neither")
        if self.range[0] >= self.range[1]:
            raise ValueError(
                f"range is {list(self.range)}: give the smallest value, then the largest, such as [0, 255]"
            )
        if self.height is not None and self.width is not None and self.input_size is not None:
            fitting = self.input_size_of(self.height, self.width)
            if fitting != self.input_size:
                raise ValueError(
                    f"input_size is {list(self.input_size)}, which would distort images of {self.height}×{self.width} pixels: choose a "
                    f"size of the same proportions, such as {list(fitting)}"
                )
        return self

    def input_size_of(self, height: int, width: int) -> tuple[int, int]:
        """Return the size that models take images of a recorded size in, by default.

        This is `input_size`, or the recorded size if there is none. Images of other proportions get the same height, and the width
        that keeps their proportions.

        Examples
        --------
        >>> stimulus = Stimulus(input_size=(36, 64))
        >>> stimulus.input_size_of(144, 256), stimulus.input_size_of(100, 100)
        ((36, 64), (36, 36))
        >>> Stimulus().input_size_of(32, 48)
        (32, 48)
        """
        if self.input_size is None:
            return height, width
        return (
            self.input_size
            if not distorts(self.input_size, height, width)
            else same_proportions(self.input_size[0], height, width)
        )

    @property
    def value_name(self) -> str:
        """What the pixel values are called in messages."""
        return "grey values" if self.channels == ("grey",) else "pixel values"


class Responses(Table):
    """What is measured of the neurons.

    Attributes
    ----------
    title
        What the values are, for people.
    minimum
        Smallest possible value; left out if there is none.

    Examples
    --------
    >>> Responses(title="spike counts", minimum=0).minimum
    0.0
    """

    title: Line = "responses"
    minimum: float | None = None


class Behavior(Table):
    """Behaviour variables.

    Attributes
    ----------
    names
        Name of each variable, in the order of the columns of the arrays; empty if none is recorded.
    aliases
        Other names of variables, which the columns of a lab's tables may have. Case, spaces, ``_`` and ``-`` do not matter.

    Examples
    --------
    >>> Behavior(names=["running speed"], aliases={"running speed": ["treadmill"]}).names
    ('running speed',)
    """

    names: Names = ()
    aliases: dict[str, Names] = {}

    _named = model_validator(mode="after")(_check_aliases)


class PupilCenter(Table):
    """Eye position. Leave the table out if a benchmark has none.

    Attributes
    ----------
    names
        Names of its two components.
    aliases
        Other names of the components, as for behaviour.

    Examples
    --------
    >>> PupilCenter().names
    ('horizontal', 'vertical')
    """

    names: Annotated[Names, Field(min_length=2, max_length=2)] = ("horizontal", "vertical")
    aliases: dict[str, Names] = {}

    _named = model_validator(mode="after")(_check_aliases)


class Tier(Table):
    """A tier: a set of trials with one purpose.

    Attributes
    ----------
    name
        Its name in recordings: lower-case letters, digits and ``_``.
    role
        ``"train"``: models are fitted to it. ``"validation"``: training stops by it. ``"test"``: models are scored on it.
    title
        Name in headings; the name with spaces for ``_`` if empty.
    board
        Of a test tier: the board of a competition that it decides, ``"live"`` or ``"final"``; left out if none.
    aliases
        Other names that are accepted when typed, and never written.

    Examples
    --------
    >>> Tier(name="test", role="test", board="live").board
    'live'
    """

    name: str
    role: Role
    title: OptionalLine = ""
    board: Board | None = None
    aliases: Names = ()

    @field_validator("name")
    @classmethod
    def _plain(cls, name: str) -> str:
        if not _TIER.fullmatch(name) or file_name_problem(name):
            raise ValueError("should be lower-case letters, digits and '_', such as 'test_novel'")
        return name

    @model_validator(mode="after")
    def _boards_are_of_test_tiers(self) -> Self:
        if self.board is not None and self.role != "test":
            raise ValueError(
                f"tier {self.name!r} has role {self.role!r}, and only test tiers have a board: leave board out"
            )
        return self


class Protocol(Table):
    """A protocol: what a model is allowed to know beside the image. Boards never mix protocols.

    Attributes
    ----------
    name
        Such as ``"image + behaviour"``.
    inputs
        Inputs beside the image: ``"behavior"``, ``"pupil_center"``, ``"past_responses"``.

    Examples
    --------
    >>> Protocol(name="image").inputs
    ()
    """

    name: Line
    inputs: Annotated[tuple[ExtraInput, ...], BeforeValidator(_as_tuple), AfterValidator(_listed_once)] = ()

    @property
    def sees_image_alone(self) -> bool:
        """Whether models see only the image, so that the noise ceilings bound them.

        Examples
        --------
        >>> Protocol(name="eye tracking", inputs=["pupil_center"]).sees_image_alone
        False
        """
        return not self.inputs


def smallest_protocol(protocols: Iterable[Protocol], inputs: Collection[str]) -> Protocol | None:
    """Return the protocol with the fewest inputs that allows all of the given inputs; None if there is none.

    Examples
    --------
    >>> smallest_protocol(STANDARD_PROTOCOLS, {"pupil_center"}).name
    'image + behaviour'
    """
    allowed = [protocol for protocol in protocols if set(inputs) <= set(protocol.inputs)]
    return min(allowed, key=lambda protocol: len(protocol.inputs), default=None)


STANDARD_PROTOCOLS = (
    Protocol(name="image"),
    Protocol(name="image + behaviour", inputs=("behavior", "pupil_center")),
    Protocol(name="image + behaviour + past responses", inputs=("behavior", "pupil_center", "past_responses")),
)


def is_track_name(name: str) -> bool:
    """Return whether `name` can name a track.

    Examples
    --------
    >>> is_track_name("sensorium+"), is_track_name("a/b")
    (True, False)
    """
    return bool(_TRACK.fullmatch(name)) and file_name_problem(name) is None


class Track(Table):
    """A track: what is withheld in all trials of its recordings, beside the responses of the test tiers.

    Attributes
    ----------
    name
        Lower-case letters, digits, ``+``, ``.``, ``_`` and ``-``, such as ``"sensorium+"``.
    title
        Name for people; the name if empty.
    withhold
        Variables that are withheld in all trials: ``"behavior"``, ``"pupil_center"``.
    protocols
        Names of the protocols that it allows.

    Examples
    --------
    >>> Track(name="still", withhold=["behavior"], protocols=["image"]).withhold
    ('behavior',)
    """

    name: str
    title: OptionalLine = ""
    withhold: Annotated[
        tuple[Literal["behavior", "pupil_center"], ...], BeforeValidator(_as_tuple), AfterValidator(_listed_once)
    ] = ()
    protocols: Annotated[Names, Field(min_length=1)]

    @field_validator("name")
    @classmethod
    def _plain(cls, name: str) -> str:
        if not is_track_name(name):
            raise ValueError("should be lower-case letters, digits, and + . _ - within, such as 'sensorium+'")
        return name


class Standardisation(Table):
    """How raw values become the values that models and metrics use. Statistics are those of the training trials.

    ``"zscore"`` subtracts the mean and divides by the standard deviation, ``"std"`` only divides, ``"none"`` keeps raw values.

    Attributes
    ----------
    images
        Method for images.
    image_statistics
        ``"scalar"``: one mean and standard deviation of all pixels; ``"per_channel"``: one of each channel.
    responses
        Method for responses; the mean is never subtracted.
    response_floor
        Lower bound of a neuron's standard deviation, as a fraction of the mean standard deviation of all neurons.
    behavior
        Method for behaviour.
    pupil_center
        Method for the eye position.

    Examples
    --------
    >>> Standardisation(image_statistics="per_channel").images
    'zscore'
    """

    images: Method = "zscore"
    image_statistics: Literal["scalar", "per_channel"] = "scalar"
    responses: Literal["std", "none"] = "std"
    response_floor: float = Field(default=0.01, gt=0, le=1)
    behavior: Method = "std"
    pupil_center: Method = "zscore"


class RankingRule(Table):
    """Which metric ranks a board. The first rule that applies to a board and a track counts.

    Attributes
    ----------
    metric
        Name of the metric.
    boards
        Boards that the rule is for, ``"live"`` and ``"final"``; all if empty.
    tracks
        Names of the tracks that the rule is for; all if empty.

    Examples
    --------
    >>> RankingRule(metric="feve", boards=["final"]).applies_to("live", None)
    False
    """

    metric: ComponentName
    boards: Annotated[tuple[Board, ...], BeforeValidator(_as_tuple), AfterValidator(_listed_once)] = ()
    tracks: Names = ()

    def applies_to(self, board: str | None, track: str | None) -> bool:
        """Whether the rule is for a board and a track."""
        return (not self.boards or board in self.boards) and (not self.tracks or track in self.tracks)


class Metrics(Table):
    """Metrics of the benchmark.

    Attributes
    ----------
    names
        Names of the metrics, as they are registered.
    ranking
        Which of them ranks; the first of `names` where no rule applies.

    Examples
    --------
    >>> Metrics(names=["feve", "single_trial_correlation"]).ranking
    ()
    """

    names: Annotated[ComponentNames, Field(min_length=1)] = (
        "single_trial_correlation",
        "correlation_to_average",
        "feve",
    )
    ranking: Annotated[tuple[RankingRule, ...], BeforeValidator(_as_tuple), Field(max_length=64)] = ()

    @property
    def shown(self) -> tuple[str, ...]:
        """Metrics that tables show: those of the benchmark, and the normalised correlation beside the correlation to average."""
        normalised = "correlation_to_average" in self.names and "cc_norm" not in self.names
        return (*self.names, *(("cc_norm",) if normalised else ()))


class SubmissionFormats(Table):
    """Files that predictions are submitted in.

    Attributes
    ----------
    formats
        Names of the formats, as they are registered.

    Examples
    --------
    >>> SubmissionFormats().formats
    ('native',)
    """

    formats: Annotated[ComponentNames, Field(min_length=1)] = ("native",)
