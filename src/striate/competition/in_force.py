"""What is in force: the rules that were committed to, with what the notices of a chain have changed since.

An amendment can move only what lies ahead, and only to where it still lies ahead. So no amendment ever changes which phase a
moment of the past lies in: a receipt is judged alike by the rules of its moment and by those of the end.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from striate.competition.moments import Moment, require_zone
from striate.competition.name_key import name_key
from striate.competition.notices import Amendment, Disqualification, Notice, Timing
from striate.competition.receipts import Entry, Receipt
from striate.competition.rules import Rules, in_order
from striate.competition.tables import Phase
from striate.errors import InputError, nearest


class _Public(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Move(_Public):
    """That the begin or the end of a phase was moved.

    Attributes
    ----------
    notice
        Number of the amendment in the chain.
    at, why
        When that was decided, and its reason.
    phase, boundary
        What was moved.
    before, after
        From when to when.
    """

    notice: int
    at: Moment
    why: str
    phase: str
    boundary: Literal["starts", "ends"]
    before: Moment
    after: Moment

    def __str__(self) -> str:
        did, does = ("began", "begins") if self.boundary == "starts" else ("ended", "ends")
        now, formerly = (moment.isoformat(timespec="minutes") for moment in (self.after, self.before))
        return f"phase {self.phase!r} {does} on {now}, and before it {did} on {formerly}"


class Disqualified(_Public):
    """A team that is left out of the ranking.

    Attributes
    ----------
    notice
        Number in the chain of the notice that says so last.
    team
        Which.
    at, why
        Since when, and the reason.
    """

    notice: int
    team: str
    at: Moment
    why: str


@dataclass(frozen=True)
class InForce:
    """What holds at some point of a chain.

    Attributes
    ----------
    rules
        With the phases as they are now.
    moves
        What was moved, in the order of the chain.
    disqualified
        In the order of the chain.
    """

    rules: Rules
    moves: tuple[Move, ...] = ()
    disqualified: tuple[Disqualified, ...] = ()

    @classmethod
    def of(cls, committed: Rules, entries: Iterable[Entry]) -> Self:
        """What holds after some links of a chain, beginning with its first.

        Raises
        ------
        InputError
            If a notice is none that an organiser could give.
        """
        standing = cls(committed)
        for entry in entries:
            if not isinstance(entry, Receipt):
                standing = standing.after(entry)
        return standing

    @property
    def teams(self) -> frozenset[str]:
        """Names of the teams that are disqualified."""
        return frozenset(each.team for each in self.disqualified)

    def moves_of(self, phase: str) -> tuple[Move, ...]:
        """What was moved of one phase."""
        return tuple(move for move in self.moves if move.phase == phase)

    def require_team(self, team: str) -> None:
        """Raise `InputError` if a team is disqualified, or has a name that would be taken for that of one."""
        for each in self.disqualified:
            if name_key(each.team) == name_key(team):
                raise InputError(
                    f"Team {team!r} is disqualified since {each.at.isoformat(timespec='minutes')} ({each.why}): it cannot submit."
                )

    def after(self, notice: Notice) -> Self:
        """What holds after one more notice.

        Raises
        ------
        InputError
            If it is none that an organiser could give.
        """
        try:
            if isinstance(notice, Amendment):
                moved = tuple(_moves(self.rules, notice))
                return replace(self, rules=_amended(self.rules, notice), moves=(*self.moves, *moved))
            return replace(self, disqualified=self._disqualified_after(notice))
        except InputError as error:
            raise InputError(f"{notice.kind.capitalize()} {notice.number} is not allowed: {error}") from None

    def _disqualified_after(self, notice: Disqualification) -> tuple[Disqualified, ...]:
        if self.rules.names_baseline(notice.team):
            raise InputError(f"{notice.team!r} is a row of the organiser's own, and no team.")
        out = {each.team: each for each in self.disqualified}
        if notice.kind == "reinstatement":
            if out.pop(notice.team, None) is None:
                raise InputError(f"Team {notice.team!r} is not disqualified: there is nothing to take back.")
        else:  # a second one mends the reason; the team is out since the first
            since = out[notice.team].at if notice.team in out else notice.at
            out[notice.team] = Disqualified(notice=notice.number, team=notice.team, at=since, why=notice.why)
        return tuple(out.values())


def timings(rules: Rules, phase: str, *, starts: datetime | None = None, ends: datetime | None = None) -> list[Timing]:
    """Phases that change if one begins or ends at another moment.

    Where the phase before ends just then, or the next one begins just then, the two keep their common boundary.

    Parameters
    ----------
    rules
        In force.
    phase
        Which.
    starts, ends
        Its new begin and end; None where they stay.

    Raises
    ------
    InputError
        If there is no such phase, or a moment has no zone or is of no sensible year.
    """
    number = _number(rules, phase)
    for moment in (starts, ends):
        if moment is not None:
            require_zone(moment)
    found = {n: [p.starts, p.ends] for n, p in enumerate(rules.phases)}
    for neighbour, here, there, moment in ((number - 1, 0, 1, starts), (number + 1, 1, 0, ends)):
        if moment is None:
            continue
        if neighbour in found and found[neighbour][there] == found[number][here]:
            found[neighbour][there] = moment
        found[number][here] = moment
    return [
        Timing(phase=p.name, starts=found[n][0], ends=found[n][1])
        for n, p in enumerate(rules.phases)
        if found[n] != [p.starts, p.ends]
    ]


def _number(rules: Rules, phase: str) -> int:
    names = [each.name for each in rules.phases]
    if phase not in names:
        raise InputError(f"There is no phase {phase!r}: {nearest(phase, names)}.")
    return names.index(phase)


def _moves(rules: Rules, amendment: Amendment) -> Iterable[Move]:
    for timing in amendment.phases:
        phase = rules.phases[_number(rules, timing.phase)]
        for boundary, before, after in (
            ("starts", phase.starts, timing.starts),
            ("ends", phase.ends, timing.ends),
        ):
            if before != after:
                about = {"notice": amendment.number, "at": amendment.at, "why": amendment.why, "phase": phase.name}
                yield Move.model_validate({**about, "boundary": boundary, "before": before, "after": after})


def _amended(rules: Rules, amendment: Amendment) -> Rules:
    """The rules with other phases, if that may be decided at the amendment's moment."""
    at = amendment.at
    if at >= rules.closes:
        raise InputError(f"Submissions were taken until {_said(rules.closes)}: since then no phase can be moved.")
    names = [timing.phase for timing in amendment.phases]
    if len(set(names)) < len(names):
        raise InputError("It names a phase twice.")
    moves = list(_moves(rules, amendment))
    if not moves:
        raise InputError("It moves nothing: give another begin or end than the phase has.")
    for move in moves:
        what = f"the {'begin' if move.boundary == 'starts' else 'end'} of phase {move.phase!r}"
        if move.before <= at:
            raise InputError(
                f"It is {_said(at)}, and {what} was on {_said(move.before)}: only what lies ahead can be moved."
            )
        if move.after <= at:
            raise InputError(
                f"It is {_said(at)}, and {what} cannot be on {_said(move.after)}: choose a moment that lies ahead."
            )
    new = {timing.phase: timing for timing in amendment.phases}
    try:
        phases = tuple(
            Phase.model_validate({**dict(phase), **_times(new[phase.name])}) if phase.name in new else phase
            for phase in rules.phases
        )
        in_order(phases)
    except ValidationError as error:
        raise InputError(_sentence(error.errors()[0]["msg"].removeprefix("Value error, "))) from None
    except ValueError as error:
        raise InputError(_sentence(f"{error} (move the other phase first)")) from None
    return rules.model_copy(update={"phases": phases})


def _times(timing: Timing) -> dict[str, datetime]:
    return {"starts": timing.starts, "ends": timing.ends}


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _said(moment: datetime) -> str:
    return moment.isoformat(timespec="minutes")
