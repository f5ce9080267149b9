"""Notices: what an organiser decides while a competition runs, as links of the same chain as the receipts.

The commitment holds the rules as they were when the competition began. Whoever verifies reads in the chain what was decided
since, when and why; so nothing can be decided in secret, or dated back to before a receipt that was given.
"""

from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_serializer, model_validator

from striate.competition.links import Link
from striate.competition.manifest import Digest
from striate.competition.moments import Moment

LONGEST_REASON = 1000  # characters
Reason = Annotated[str, Field(min_length=1, max_length=LONGEST_REASON, pattern=r"\S")]


class Timing(BaseModel):
    """When a phase begins and ends from now on.

    Attributes
    ----------
    phase
        Its name.
    starts, ends
        The end is no longer part of it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    phase: str
    starts: Moment
    ends: Moment

    @field_serializer("starts", "ends")
    def _in_utc(self, moment: datetime) -> str:
        return moment.astimezone(UTC).isoformat()


class Amendment(Link):
    """Phases that begin or end at other moments from now on.

    Attributes
    ----------
    phases
        Those that change.
    why
        For everybody to read.
    previous, digest
        As those of a receipt.
    """

    kind: Literal["amendment"] = "amendment"
    phases: Annotated[tuple[Timing, ...], Field(min_length=1)]
    why: Reason
    previous: Digest
    digest: str = ""


class Disqualification(Link):
    """A team that is left out of the ranking from now on; or is let back in.

    Attributes
    ----------
    kind
        ``"disqualification"``, or the ``"reinstatement"`` that takes it back.
    team
        Which. Its receipts stay in the chain.
    why
        For everybody to read; may be empty where it is taken back.
    previous, digest
        As those of a receipt.
    """

    kind: Literal["disqualification", "reinstatement"]
    team: str = Field(min_length=1)
    why: str = Field(max_length=LONGEST_REASON)
    previous: Digest
    digest: str = ""

    @model_validator(mode="after")
    def _has_a_reason(self) -> Self:
        if self.kind == "disqualification" and not self.why.strip():
            raise ValueError("a team is disqualified for a reason")
        return self


Notice = Amendment | Disqualification
