"""``competition.toml``: everything about a competition that its participants may know, in one file that is checked whole."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import tomli_w
from pydantic import BeforeValidator, Field, field_serializer, field_validator, model_validator

from striate._internal.config_validation import validate_settings
from striate._internal.file_names import find_name_clash
from striate._internal.paths import expand_path
from striate._internal.safe_parsing import parse_toml, read_limited
from striate._internal.text_cleaning import Line, OptionalText
from striate.benchmarks import BenchmarkSpec, is_default, load_benchmark
from striate.benchmarks.loading import read_benchmark
from striate.catalog import Licence
from striate.competition.benchmark_rules import check_boards, check_sessions, check_track, parse_benchmark_key
from striate.competition.name_key import name_key
from striate.competition.tables import (
    Baseline,
    Declared,
    Limits,
    Phase,
    Pretraining,
    Ranking,
    Table,
    Tiers,
    Track,
    file_slug,
    plain_name,
)
from striate.errors import InputError, nearest, quoted

FILE = "competition.toml"

_NEEDS_REPEATS = ("correlation_to_average", "feve", "cc_norm")
_LARGEST_FILE = 2**20  # bytes


class Rules(Table):
    """The rules of a competition.

    Attributes
    ----------
    name
        Short, for files and addresses.
    title, description
        For people.
    licence
        Of the public recordings.
    benchmark
        Benchmark of the recordings: its tiers, protocols and metrics. In the file, the name of a registered benchmark, the path
        of a TOML file (before the build, which writes the table), or the table itself; by default SENSORIUM 2022.
    image_ids
        ``"renumbered"``: images get new numbers in random order, the same image the same number in all recordings.
        ``"kept"``: they keep theirs, which must then tell nothing of the order of the trials.
    tiers
        What is live and what is final.
    tracks
        One or more.
    pretraining
        Recordings that come along.
    phases
        In the order of time.
    limits
        Of submissions.
    ranking
        How it is decided.
    baselines
        Rows of the organiser's own.
    declared
        What is so by design.
    """

    name: str
    title: Line
    description: OptionalText = ""
    image_ids: Literal["renumbered", "kept"] = "renumbered"
    licence: Licence
    benchmark: Annotated[BenchmarkSpec, BeforeValidator(parse_benchmark_key)] = Field(default_factory=load_benchmark)
    tiers: Tiers = Tiers()
    tracks: Annotated[tuple[Track, ...], Field(min_length=1)]
    pretraining: Pretraining = Pretraining()
    phases: Annotated[tuple[Phase, ...], Field(min_length=1)]
    limits: Limits = Limits()
    ranking: Ranking = Ranking()
    baselines: tuple[Baseline, ...] = ()
    declared: tuple[Declared, ...] = ()

    _name = field_validator("name")(plain_name)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        _refuse_doubled("tracks", [t.name for t in self.tracks])
        _refuse_shared_files([t.name for t in self.tracks])
        _refuse_doubled("phases", [p.name for p in self.phases])
        _refuse_doubled("baselines", [b.name for b in self.baselines])
        check_boards(self.benchmark)
        check_sessions(self.benchmark, self.sessions)
        for track in self.tracks:
            check_track(self.benchmark, track)
        self._refuse_shared_recordings()
        in_order(self.phases)
        if not any(phase.submissions for phase in self.phases):
            raise ValueError("no phase takes submissions: set submissions = true in one")
        for track in self.tracks:
            for tier in ("live", "final"):
                if track.metric in _NEEDS_REPEATS and getattr(self.tiers, tier).least_repeats < 2:
                    raise ValueError(
                        f"track {track.name!r} is ranked by {track.metric}, which needs repeats, but tiers.{tier} asks for "
                        "least_repeats = 1: ask for 2 or more, or rank by a metric of single trials"
                    )
        for baseline in self.baselines:
            for name in baseline.tracks:
                self.track(name)
        return self

    def names_baseline(self, name: str) -> bool:
        """Whether a name is that of a baseline, or would be taken for it."""
        return name_key(name) in {name_key(each.name) for each in self.baselines}

    def _refuse_shared_recordings(self) -> None:
        owner: dict[str, str] = {}
        for track in self.tracks:
            if track.session in owner:
                raise ValueError(
                    f"tracks {owner[track.session]!r} and {track.name!r} share the recording {track.session}, so that what "
                    "one withholds can be read in the other: give each track a recording of its own"
                )
            owner[track.session] = track.name
        for session in self.pretraining.sessions:
            if session in owner:
                raise ValueError(
                    f"recording {session} is that of track {owner[session]!r} and comes along for pre-training in full, "
                    "which gives away what the track withholds: take it out of pretraining.sessions"
                )

    @field_serializer("benchmark")
    def _named_or_described(self, benchmark: BenchmarkSpec) -> Any:
        """The default by its name; others as a table, so that the published rules need no other file."""
        return benchmark.name if is_default(benchmark) else benchmark.model_dump(mode="json", exclude_none=True)

    @property
    def live_tier(self) -> str:
        """Name of the tier of the live images."""
        return self._board_tier("live")

    @property
    def final_tier(self) -> str:
        """Name of the tier of the final images."""
        return self._board_tier("final")

    def _board_tier(self, board: Literal["live", "final"]) -> str:
        tier = self.benchmark.board_tier(board)
        assert tier is not None  # the rules were checked
        return tier

    @property
    def sessions(self) -> tuple[str, ...]:
        """All recordings: those of the tracks, then those for pre-training."""
        return (*(track.session for track in self.tracks), *self.pretraining.sessions)

    @property
    def boards(self) -> tuple[tuple[Track, str], ...]:
        """Every track with each protocol that it allows: what is ranked together."""
        return tuple((track, protocol) for track in self.tracks for protocol in track.protocols)

    @property
    def starts(self) -> datetime:
        """When the first phase begins: all must be committed to before."""
        return self.phases[0].starts

    @property
    def closes(self) -> datetime:
        """When submissions are taken no longer."""
        return max(phase.ends for phase in self.phases if phase.submissions)

    def track(self, name: str) -> Track:
        """Find a track by its name.

        Raises
        ------
        InputError
            If there is none.
        """
        for track in self.tracks:
            if track.name == name:
                return track
        raise InputError(f"There is no track {name!r}: {nearest(name, [t.name for t in self.tracks])}.")

    def track_of(self, session: str) -> Track | None:
        """Find the track of a recording; None if it is not that of a track."""
        return next((track for track in self.tracks if track.session == session), None)

    def phase_at(self, moment: datetime) -> Phase | None:
        """Find the phase of a moment; None between and outside of phases."""
        return next((phase for phase in self.phases if phase.starts <= moment < phase.ends), None)

    def declaration(self, leak: str) -> str | None:
        """Why a leak is so by design; None where it was not declared."""
        return next((each.why for each in self.declared if each.leak == leak), None)

    def to_toml(self) -> str:
        """Render as TOML, without comments."""
        return tomli_w.dumps(_without_none(self.model_dump(mode="json")))


def in_order(phases: Sequence[Phase]) -> None:
    """Raise `ValueError` unless each phase begins when the one before has ended, or later."""
    for before, after in pairwise(phases):
        if after.starts < before.ends:
            raise ValueError(
                f"phase {after.name!r} starts at {after.starts.isoformat()}, before phase {before.name!r} ends at "
                f"{before.ends.isoformat()}: put the phases in order, one after another"
            )


def _refuse_shared_files(tracks: list[str]) -> None:
    """Refuse tracks whose results would be written to the same file."""
    if clash := find_name_clash(map(file_slug, tracks)):
        first, second = (tracks[index] for index in clash)
        raise ValueError(
            f"tracks {first!r} and {second!r} differ in special characters only, so their files would have the same name: "
            "give one another name"
        )


def _refuse_doubled(what: str, names: list[str]) -> None:
    known: dict[str, str] = {}
    for name in names:
        other = known.setdefault(name_key(name), name)
        if other == name and names.count(name) > 1:
            raise ValueError(f"two {what} are called {name!r}: give each its own name")
        if other != name:
            raise ValueError(f"the {what} {other!r} and {name!r} look alike: give one another name")


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(each) for key, each in value.items() if each is not None}
    return [_without_none(each) for each in value] if isinstance(value, list) else value


def parse_rules(text: str, source: str = FILE) -> Rules:
    """Check rules that are given as the text of a TOML file.

    Raises
    ------
    InputError
        If it is no TOML, a key is unknown or of the wrong type, or the rules contradict themselves.
    """
    return _validated(parse_toml(text, source), source)


def _validated(tables: Mapping[str, Any], source: str) -> Rules:
    return validate_settings(Rules, tables, source, kind="competition")


def read_rules(path: Path | str, *, open_benchmark: bool = False) -> tuple[Rules, str]:
    """Read and check a ``competition.toml``; or that of a competition's folder.

    Parameters
    ----------
    path
        The file, or the folder.
    open_benchmark
        Whether ``benchmark`` may be the path of a TOML file, which is then opened, beside the rules unless the path is absolute.
        Only for rules of one's own: what others have published may not choose which files of this machine are read.

    Returns
    -------
    Rules
        The rules.
    str
        The text to be published: that of the file, or, if the file names a benchmark other than SENSORIUM 2022 or the path of
        one, the same rules with the benchmark's table, so that they need no other file.

    Raises
    ------
    InputError
        As `parse_rules`, if a file cannot be read, or if the rules name the path of one that may not be opened.
    """
    file = expand_path(path)
    file = file / FILE if file.is_dir() else file
    try:
        text = read_limited(file, _LARGEST_FILE).decode("utf-8")
    except OSError as error:
        raise InputError(
            f"{file} cannot be read ({error.strerror}): write one with `striate competition new {file}`."
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not text in UTF-8 (byte {error.start}): it must be a TOML file.") from error
    tables = parse_toml(text, str(file))
    named = tables.get("benchmark")
    if isinstance(named, str) and named.endswith(".toml"):
        if not open_benchmark:
            raise InputError(
                f"{file} names the file {quoted(named)} as its benchmark, and only the build of a competition opens it: what is "
                "published has the table [benchmark] instead."
            )
        tables = {
            **tables,
            "benchmark": read_benchmark(file.parent / named).model_dump(mode="json", exclude_none=True),
        }
    rules = _validated(tables, str(file))
    return rules, text if not isinstance(named, str) or is_default(rules.benchmark) else rules.to_toml()
