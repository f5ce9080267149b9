"""The tables of a ``competition.toml``: tracks, tiers, phases, limits, ranking …, each checked by itself."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from striate._internal.file_names import file_name_problem
from striate._internal.text_cleaning import Line, OptionalLine, Text, validate_line
from striate.benchmarks.spec_tables import STANDARD_PROTOCOLS
from striate.competition.leaks import DECLARABLE
from striate.competition.moments import Moment
from striate.errors import nearest

_NAME = re.compile(r"^[a-z0-9][a-z0-9+._-]*$")
_MOST = 10**6  # of anything that rules count; programs in other languages and databases have an end


class Table(BaseModel):
    """A table of the file: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def plain_name(name: str) -> str:
    """Return a name that files and addresses can have."""
    if not _NAME.fullmatch(name) or file_name_problem(name):
        raise ValueError("a name has lower-case letters, digits, and + . _ - within, such as 'sensorium+'")
    return name


def file_slug(text: str) -> str:
    """Return a track or protocol as part of a file's name: lower-case letters and digits, and ``-`` for anything else."""
    return re.sub(r"[^a-z0-9]+", "-", text.replace("+", "plus").lower()).strip("-")


def _listed_once(values: tuple[str, ...]) -> tuple[str, ...]:
    if doubled := next((v for v in values if values.count(v) > 1), None):
        raise ValueError(f"{doubled!r} stands twice")
    return values


class TierRules(Table):
    """What a recording must offer for a tier, or it is refused.

    Attributes
    ----------
    least_images
        Fewest images.
    least_repeats
        Fewest repeats of each image. FEVE and the correlation to average need two.
    """

    least_images: int = Field(default=10, ge=3, le=_MOST)
    least_repeats: int = Field(default=2, ge=1, le=_MOST)


class Tiers(Table):
    """The two tiers whose responses are withheld.

    Attributes
    ----------
    split
        ``"given"``: the recordings say themselves which images are live and which are final, by the tiers that decide these
        boards in the benchmark (of SENSORIUM 2022, ``test`` and ``final_test``). ``"stratified"``: the final images are drawn from
        the live ones, such that both are alike.
    final_share
        Of a stratified split: the share of the test images that become final.
    live, final
        What is asked of each.
    """

    split: Literal["given", "stratified"] = "given"
    final_share: float = Field(default=0.5, gt=0, lt=1)
    live: TierRules = TierRules()
    final: TierRules = TierRules()


class Track(Table):
    """One track: one recording, what of it is withheld, and how it is ranked.

    Attributes
    ----------
    name
        Such as ``sensorium+``.
    title
        For people; the name if empty.
    session
        The recording.
    withhold
        Variables that are withheld in all trials, beside the test responses and the order of the trials, which always are:
        ``"behavior"``, ``"pupil_center"``.
    protocols
        What models may know, by the names of the benchmark's protocols; each has a board of its own. By default ``"image"``.
    metric
        Name of the metric that ranks, one of those of the benchmark; of SENSORIUM 2022 ``"single_trial_correlation"``,
        ``"correlation_to_average"`` or ``"feve"``. The mean over neurons counts. FEVE needs enough images: a competition whose
        images cannot tell it is not built.
    """

    name: str
    title: OptionalLine = ""
    session: str
    withhold: tuple[Literal["behavior", "pupil_center"], ...] = ()
    protocols: tuple[str, ...] = Field(default=(STANDARD_PROTOCOLS[0].name,), min_length=1)
    metric: str

    _name = field_validator("name")(plain_name)
    _once = field_validator("protocols", "withhold")(_listed_once)


class Phase(Table):
    """A stretch of time.

    Attributes
    ----------
    name
        For people.
    starts, ends
        Date and time with its zone, such as ``2022-06-20T00:00:00Z``; the end is no longer part of it.
    submissions
        Whether submissions are taken, and scored on the live tier.
    """

    name: Line
    starts: Moment
    ends: Moment
    submissions: bool = True

    @field_validator("starts", "ends", mode="before")
    @classmethod
    def _is_a_moment(cls, value: Any) -> Any:
        try:
            moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        except ValueError:
            moment = None
        if not isinstance(moment, datetime) or moment.tzinfo is None:
            raise ValueError("a moment has a date, a time and a zone, such as 2022-06-20T00:00:00Z")
        return moment

    @model_validator(mode="after")
    def _ends_later(self) -> Self:
        if self.ends <= self.starts:
            raise ValueError(
                f"phase {self.name!r} ends at {self.ends.isoformat()}, but starts at {self.starts.isoformat()}: "
                "put the dates in order"
            )
        return self


class Limits(Table):
    """How much each team may submit to each board.

    Attributes
    ----------
    per_day
        Most submissions within 24 hours.
    in_total
        Most submissions altogether.
    megabytes
        Largest file.
    """

    per_day: int = Field(default=5, ge=1, le=_MOST)
    in_total: int = Field(default=200, ge=1, le=_MOST)
    megabytes: int = Field(default=500, ge=1, le=_MOST)


class Ranking(Table):
    """How the competition is decided.

    Attributes
    ----------
    choice
        Which submission of a team counts in the end: the ``"chosen"`` one (its last, if it chose none), its ``"last"``, or
        its ``"best_live"``.
    equal
        Rows with the same score share a rank. The first place among them: ``"share"`` it, or whoever submitted
        ``"earlier"`` has it.
    winner
        ``"best"``: the first row wins. ``"band"``: all rows win that cannot be told apart from it.
    level
        Of the intervals that tell rows apart.
    resamples, seed
        Of the paired bootstrap over images.
    """

    choice: Literal["chosen", "last", "best_live"] = "chosen"
    equal: Literal["share", "earlier"] = "share"
    winner: Literal["best", "band"] = "best"
    level: float = Field(default=0.95, gt=0.5, lt=1)
    resamples: int = Field(default=1000, ge=100, le=100_000)
    seed: int = Field(default=0, ge=0, lt=2**53)


class Pretraining(Table):
    """Recordings that come along in full.

    Attributes
    ----------
    sessions
        Their sessions.
    order
        Whether the order of their trials is ``"public"`` (``trial_idx`` counts presentations) or ``"withheld"``.
    """

    sessions: tuple[str, ...] = ()
    order: Literal["public", "withheld"] = "public"

    _once = field_validator("sessions")(_listed_once)


class Baseline(Table):
    """A row of the organiser's own: shown on the boards, never ranked.

    Attributes
    ----------
    name
        What the row is called; no team can have the name.
    recipe
        The recipe that it is trained by; empty if it is no run of striate.
    tracks
        The tracks that it stands in; all if empty.
    """

    name: Annotated[str, Field(min_length=1, max_length=100), AfterValidator(validate_line)]
    recipe: str = ""
    tracks: tuple[str, ...] = ()

    @field_validator("recipe")
    @classmethod
    def _known_recipe(cls, recipe: str) -> str:
        from striate.training.bundled_recipes import recipe_names

        if recipe and recipe not in recipe_names():
            raise ValueError(f"there is no such recipe: {nearest(recipe, recipe_names())}")
        return recipe


class Declared(Table):
    """Something that tells participants more than it seems to, and is so by design; the audit reports it as a note.

    Attributes
    ----------
    leak
        Name of the audit's rule.
    why
        Why it is so.
    """

    leak: str
    why: Text

    @field_validator("leak")
    @classmethod
    def _may_be_declared(cls, leak: str) -> str:
        if leak not in DECLARABLE:
            raise ValueError(f"this cannot be declared: {nearest(leak, DECLARABLE)}")
        return leak
