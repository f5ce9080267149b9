"""The description of a benchmark: what is shown, measured, withheld and ranked. Every other room reads it."""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from typing import Annotated, Self

import tomli_w
from pydantic import BeforeValidator, Field, field_validator, model_validator

from striate._internal.file_names import file_name_problem
from striate._internal.text_cleaning import Line, OptionalText
from striate.benchmarks.session_names import Sessions, valid_session
from striate.benchmarks.spec_tables import (
    STANDARD_PROTOCOLS,
    Behavior,
    Board,
    Metrics,
    Protocol,
    PupilCenter,
    Responses,
    Role,
    Standardisation,
    Stimulus,
    SubmissionFormats,
    Table,
    Tier,
    Track,
    _as_tuple,
    _component_name,
    is_track_name,
    smallest_protocol,
)
from striate.errors import InputError, describe_type, nearest, quoted, shortened

_STANDARD_TIERS = (
    Tier(name="train", role="train"),
    Tier(name="validation", role="validation"),
    Tier(name="test", role="test", board="live"),
)


class BenchmarkSpec(Table):
    """Description of a benchmark: one TOML file.

    Attributes
    ----------
    name
        Identifier: lower-case letters, digits, ``-`` and ``_``.
    title, description
        Title and description for people.
    licence
        Licence of the data.
    citation
        What to cite when the benchmark is used.
    train_on_test_images
        Whether models may be trained on the images of test tiers, with predictions of another model as targets
        (self-training). Measured responses to them are never used.
    stimulus
        Channels, size and range of the images.
    responses
        What is measured of the neurons.
    behavior
        Behaviour variables by name; none if left out.
    pupil_center
        Eye position; None if the benchmark has none.
    tiers
        Tiers with their roles, in the order in which they are shown. One trains, one validates, any number test.
    protocols
        What models may be allowed to know.
    tracks
        What is withheld, by track.
    standardisation
        How raw values become the values that models and metrics use.
    metrics
        Metrics by name, and which of them ranks.
    sessions
        Pattern of the names of sessions.
    submission
        Formats of submissions.

    Examples
    --------
    >>> spec = BenchmarkSpec(name="birds", stimulus={"channels": ["uv", "green"]}, behavior={"names": ["running speed"]})
    >>> spec.image_channels, spec.behavior_names, spec.test_tiers
    (2, ('running speed',), ('test',))
    """

    name: str
    title: Line = "Untitled benchmark"
    description: OptionalText = ""
    licence: OptionalText = ""
    citation: OptionalText = ""
    train_on_test_images: bool = False
    stimulus: Stimulus = Stimulus()
    responses: Responses = Responses()
    behavior: Behavior = Behavior()
    pupil_center: PupilCenter | None = None
    tiers: Annotated[tuple[Tier, ...], BeforeValidator(_as_tuple), Field(max_length=64)] = _STANDARD_TIERS
    protocols: Annotated[tuple[Protocol, ...], BeforeValidator(_as_tuple), Field(min_length=1, max_length=64)] = (
        STANDARD_PROTOCOLS
    )
    tracks: Annotated[tuple[Track, ...], BeforeValidator(_as_tuple), Field(max_length=64)] = ()
    standardisation: Standardisation = Standardisation()
    metrics: Metrics = Metrics()
    sessions: Sessions = Sessions()
    submission: SubmissionFormats = SubmissionFormats()

    @field_validator("name")
    @classmethod
    def _plain(cls, name: str) -> str:
        if file_name_problem(name):
            raise ValueError("should be a name that files can have")
        return _component_name(name)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        self._refuse_doubled_names()
        for role, purpose in (("train", "fits models"), ("validation", "stops training")):
            count = sum(tier.role == role for tier in self.tiers)
            if count != 1:
                raise ValueError(f"{count} tiers have role {role!r}: exactly one tier {purpose}")
        for board in ("live", "final"):
            deciding = [tier.name for tier in self.tiers if tier.board == board]
            if len(deciding) > 1:
                raise ValueError(f"tiers {deciding[0]!r} and {deciding[1]!r} both decide board {board!r}: choose one")
        if self.standardisation.image_statistics == "per_channel" and self.standardisation.images == "none":
            raise ValueError("images are not standardised: leave standardisation.image_statistics out")
        for tier in self.tiers:
            for name in {tier.name, *tier.aliases} - {*_distinctions(tier)}:
                if other := next((each for each in self.tiers if name in _distinctions(each)), None):
                    raise ValueError(
                        f"tier {tier.name!r} is called {name!r}, which means tier {other.name!r}: rename it"
                    )
        self._check_tracks()
        for rule in self.metrics.ranking:
            if rule.metric not in self.metrics.names:
                raise ValueError(
                    f"{rule.metric!r} ranks, but is no metric of the benchmark: {nearest(rule.metric, self.metrics.names)}"
                )
            for track in rule.tracks:
                if track not in self.track_names:
                    raise ValueError(f"metrics.ranking names track {track!r}: {nearest(track, self.track_names)}")
        return self

    def _refuse_doubled_names(self) -> None:
        names: dict[str, list[str]] = {
            "tiers": [name for tier in self.tiers for name in (tier.name, *tier.aliases)],
            "tracks": [plain_name(track.name) for track in self.tracks],
            "protocols": [plain_name(protocol.name) for protocol in self.protocols],
        }
        for what, given in names.items():
            if (doubled := next((name for name in given if given.count(name) > 1), None)) is not None:
                raise ValueError(f"two {what} are called {quoted(doubled)}: each name must be unique")

    def _check_tracks(self) -> None:
        names = [protocol.name for protocol in self.protocols]
        for track in self.tracks:
            for variable in track.withhold:
                if variable not in self.variables:
                    raise ValueError(f"track {track.name!r} withholds {variable}, which the benchmark does not have")
            for name in track.protocols:
                if name not in names:
                    raise ValueError(
                        f"track {track.name!r} allows protocol {quoted(name)}, which is not described: {nearest(name, names)}"
                    )
                needs = set(self.protocol(name).inputs)
                if needs and needs <= set(track.withhold):
                    raise ValueError(
                        f"track {track.name!r} allows protocol {name!r}, but withholds its inputs: withhold less, or leave it out"
                    )

    # Variables

    @property
    def image_channels(self) -> int:
        """Number of channels of the images."""
        return len(self.stimulus.channels)

    @property
    def behavior_names(self) -> tuple[str, ...]:
        """Names of the behaviour variables."""
        return self.behavior.names

    @property
    def pupil_center_names(self) -> tuple[str, ...]:
        """Names of the components of the eye position; empty if the benchmark has none."""
        return self.pupil_center.names if self.pupil_center else ()

    @cached_property
    def components(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the components of each variable whose length the benchmark fixes, by variable."""
        return {"behavior": self.behavior_names, "pupil_center": self.pupil_center_names}

    def component_aliases(self, variable: str) -> Mapping[str, tuple[str, ...]]:
        """Return the other names of each component of behaviour or eye position.

        Examples
        --------
        >>> from striate.benchmarks import load_benchmark
        >>> load_benchmark("sensorium2022").component_aliases("pupil_center")["vertical"]
        ('y', 'pupil_y')
        """
        table = self.behavior if variable == "behavior" else self.pupil_center
        return {name: table.aliases.get(name, ()) for name in table.names} if table else {}

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """Names of the variables that a recording has for each trial."""
        optional = [name for name, components in self.components.items() if components]
        return ("images", "responses", *optional)

    # Tiers

    @property
    def tier_order(self) -> tuple[str, ...]:
        """Names of all tiers."""
        return tuple(tier.name for tier in self.tiers)

    @property
    def training_tier(self) -> str:
        """Name of the tier that models are fitted to."""
        return self.tiers_with_role("train")[0]

    @property
    def validation_tier(self) -> str:
        """Name of the tier that training stops by."""
        return self.tiers_with_role("validation")[0]

    @property
    def training_tiers(self) -> tuple[str, ...]:
        """Names of the tiers that training uses: training and validation."""
        return tuple(tier.name for tier in self.tiers if tier.role != "test")

    @property
    def test_tiers(self) -> tuple[str, ...]:
        """Names of the test tiers."""
        return self.tiers_with_role("test")

    def tiers_with_role(self, role: Role) -> tuple[str, ...]:
        """Return the names of the tiers of a role."""
        return tuple(tier.name for tier in self.tiers if tier.role == role)

    def board_tier(self, board: Board) -> str | None:
        """Return the name of the tier that decides a board; None if there is none."""
        return next((tier.name for tier in self.tiers if tier.board == board), None)

    @property
    def board_tiers(self) -> tuple[str, ...]:
        """Names of the test tiers that decide a board of a competition, which withholds their responses; the live one first."""
        return tuple(name for name in (self.board_tier("live"), self.board_tier("final")) if name is not None)

    def tier_name(self, typed: object) -> str:
        """Turn what a user typed into the name of a tier.

        Aliases are accepted, and what tells a tier from all others: the roles ``"train"`` and ``"validation"``, and the boards
        ``"live"`` and ``"final"``.

        Raises
        ------
        InputError
            If there is no such tier.

        Examples
        --------
        >>> from striate.benchmarks import load_benchmark
        >>> load_benchmark("sensorium2022").tier_name("live")
        'test'
        """
        name = str(typed) if isinstance(typed, str) else ""
        called = [tier for tier in self.tiers if name == tier.name or name in tier.aliases]
        called += [tier for tier in self.tiers if name in _distinctions(tier)]
        if called:
            return called[0].name
        raise InputError(f"There is no tier {quoted(typed)}: {nearest(str(typed), self.tier_order)}.")

    def tier_title(self, typed: str) -> str:
        """Return the name of a tier for headings.

        Raises
        ------
        InputError
            If there is no such tier.

        Examples
        --------
        >>> from striate.benchmarks import load_benchmark
        >>> load_benchmark("sensorium2022").tier_title("final_test")
        'final test'
        """
        tier = self.tiers[self.tier_order.index(self.tier_name(typed))]
        return tier.title or tier.name.replace("_", " ")

    def tier_names(self, typed: object) -> tuple[str, ...]:
        """Turn the name of a tier, or several, into names of tiers, each once.

        Raises
        ------
        InputError
            If they are no names of tiers.

        Examples
        --------
        >>> from striate.benchmarks import load_benchmark
        >>> load_benchmark("sensorium2022").tier_names(["final", "test"])
        ('final_test', 'test')
        """
        several = [typed] if isinstance(typed, str) else typed
        if not isinstance(several, Iterable):
            raise InputError(
                f"tiers is {shortened(typed)}; expected names of tiers, such as ['{self.tier_order[-1]}']: "
                f"{', '.join(self.tier_order)}."
            )
        return tuple(dict.fromkeys(self.tier_name(each) for each in several))

    # Tracks, protocols and ranking

    @property
    def track_names(self) -> tuple[str, ...]:
        """Names of the tracks."""
        return tuple(track.name for track in self.tracks)

    def track(self, typed: str) -> Track:
        """Return a track by its name; upper case and spaces do not matter.

        Raises
        ------
        InputError
            If there is no such track.

        Examples
        --------
        >>> from striate.benchmarks import load_benchmark
        >>> load_benchmark("sensorium2022").track("Sensorium +").withhold
        ()
        """
        for track in self.tracks:
            if plain_name(typed) == plain_name(track.name):
                return track
        raise InputError(f"There is no track {quoted(typed)}: {nearest(str(typed), self.track_names)}.")

    def track_name(self, typed: str) -> str:
        """Turn what a user typed into the name of a track: one of the benchmark, or one that a competition adds.

        Raises
        ------
        InputError
            If no track can have this name.

        Examples
        --------
        >>> from striate.benchmarks import load_benchmark
        >>> spec = load_benchmark("sensorium2022")
        >>> spec.track_name("Sensorium +"), spec.track_name("two-photon")
        ('sensorium+', 'two-photon')
        """
        known = {plain_name(name): name for name in self.track_names}.get(plain_name(str(typed)), str(typed))
        if not is_track_name(known):
            example = f", such as {self.track_names[-1]!r}" if self.track_names else ""
            raise InputError(
                f"{quoted(typed, 80)} cannot name a track: it has lower-case letters, digits, and + . _ - within{example}."
            )
        return known

    @property
    def protocol_names(self) -> tuple[str, ...]:
        """Names of the protocols."""
        return tuple(protocol.name for protocol in self.protocols)

    def protocol(self, typed: str) -> Protocol:
        """Return a protocol by its name; upper case, spaces and American spelling do not matter.

        Raises
        ------
        InputError
            If there is no such protocol.

        Examples
        --------
        >>> from striate.benchmarks import load_benchmark
        >>> load_benchmark("sensorium2022").protocol("image+behavior").inputs
        ('behavior', 'pupil_center')
        """
        for protocol in self.protocols:
            if plain_name(typed) == plain_name(protocol.name):
                return protocol
        raise InputError(f"There is no protocol {quoted(typed)}: {nearest(str(typed), self.protocol_names)}.")

    def sees_image_alone(self, protocol: str | None) -> bool | None:
        """Whether models of a protocol see only the image, so that the noise ceilings bound them; None if it is not stated.

        Raises
        ------
        InputError
            If there is no such protocol.

        Examples
        --------
        >>> from striate.benchmarks import load_benchmark
        >>> spec = load_benchmark("sensorium2022")
        >>> spec.sees_image_alone("image"), spec.sees_image_alone("image + behaviour"), spec.sees_image_alone(None)
        (True, False, None)
        """
        return None if protocol is None else self.protocol(protocol).sees_image_alone

    def protocol_for(self, inputs: Collection[str]) -> Protocol:
        """Return the protocol with the fewest inputs that allows all of the given inputs.

        Parameters
        ----------
        inputs
            Inputs of a model beside the image.

        Raises
        ------
        InputError
            If no protocol allows them.

        Examples
        --------
        >>> from striate.benchmarks import load_benchmark
        >>> load_benchmark("sensorium2022").protocol_for({"behavior"}).name
        'image + behaviour'
        """
        protocol = smallest_protocol(self.protocols, inputs)
        if protocol is None:
            raise InputError(
                f"No protocol of benchmark {self.name} allows a model to know {', '.join(sorted(inputs))}."
            )
        return protocol

    def ranking_metric(self, *, board: Board | None = None, track: str | None = None) -> str:
        """Return the name of the metric that ranks a board of a track.

        Examples
        --------
        >>> from striate.benchmarks import load_benchmark
        >>> load_benchmark("sensorium2022").ranking_metric(board="live", track="sensorium")
        'correlation_to_average'
        """
        rules = self.metrics.ranking
        return next((rule.metric for rule in rules if rule.applies_to(board, track)), self.metrics.names[0])

    # Sessions

    def valid_session(self, session: str) -> str:
        """Return a name of a session if it matches the benchmark's pattern.

        Raises
        ------
        InputError
            If it does not.

        Examples
        --------
        >>> from striate.benchmarks import load_benchmark
        >>> load_benchmark("sensorium2022").valid_session("27204-5-13")
        '27204-5-13'
        """
        if not self.sessions.matches(valid_session(session)):
            raise InputError(
                f"Session {session!r} does not match the pattern of benchmark {self.name}, {self.sessions.pattern!r}: "
                f"give a name such as {self.sessions.example}."
            )
        return session

    # Files

    def to_toml(self) -> str:
        """Return the complete description as TOML; `parse_benchmark` reads it.

        Examples
        --------
        >>> BenchmarkSpec(name="birds").to_toml().splitlines()[0]
        'name = "birds"'
        """
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the complete description."""
        return hashlib.sha256(self.to_toml().encode()).hexdigest()

    def __repr__(self) -> str:
        return f"<BenchmarkSpec {self.name}: channels {', '.join(self.stimulus.channels)}; tiers {', '.join(self.tier_order)}>"

    __str__ = __repr__


def _distinctions(tier: Tier) -> tuple[str, ...]:
    """Return the role and the board of a tier, as far as no other tier of a benchmark can have them."""
    return (*(() if tier.role == "test" else (tier.role,)), *(() if tier.board is None else (tier.board,)))


def plain_name(name: object) -> str:
    """Return the name of a track or protocol without upper case, spaces and American spelling, to compare what users type.

    Examples
    --------
    >>> plain_name("Image + behavior")
    'image+behaviour'
    """
    return "".join(str(name).lower().split()).replace("behavior", "behaviour")


def check_spec(value: object) -> BenchmarkSpec:
    """Return `value` if it is a `BenchmarkSpec`.

    Raises
    ------
    InputError
        If it is something else.

    Examples
    --------
    >>> check_spec(BenchmarkSpec(name="birds")).name
    'birds'
    """
    if not isinstance(value, BenchmarkSpec):
        raise InputError(
            f"Expected a benchmark, got {describe_type(value)}: give its name, the path of its TOML file, or a BenchmarkSpec."
        )
    return value
