"""What an organiser decides while a competition runs: to move phases, to disqualify a team, to let it back in.

Each is a notice in the chain of receipts, which binds the close and is seen by whoever verifies.
"""

import unicodedata
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from striate._internal.paths import expand_path
from striate._internal.text_cleaning import clean_line
from striate.competition.in_force import InForce, timings
from striate.competition.moments import require_zone
from striate.competition.notices import LONGEST_REASON, Amendment, Disqualification
from striate.competition.receipts import Receipts, require_whole
from striate.competition.rules import read_rules
from striate.competition.submit import locked
from striate.errors import InputError, nearest

Fields = dict[str, Any]  # of a notice


def amend(
    folder: Path | str,
    phase: str,
    *,
    starts: datetime | None = None,
    ends: datetime | None = None,
    why: str,
    at: datetime,
) -> Amendment:
    """Move the begin or the end of a phase; a neighbour that adjoins it keeps its boundary with it.

    Parameters
    ----------
    folder
        The competition's, where the chain of receipts is published.
    phase
        Which.
    starts, ends
        Its new begin and end; None where they stay.
    why
        For everybody to read.
    at
        Now.

    Raises
    ------
    InputError
        If there is no such phase, submissions are over, something would be moved that has passed or to where time has passed, or
        the phases would overlap.
    """

    def decide(_chain: Receipts, standing: InForce) -> Fields:
        moved = timings(standing.rules, phase, starts=starts, ends=ends)
        if not moved:
            raise InputError(f"Phase {phase!r} is so already: give another begin (--starts) or end (--ends).")
        return {"kind": "amendment", "phases": moved}

    made = _decide(folder, decide, why, at)
    assert isinstance(made, Amendment)
    return made


def disqualify(folder: Path | str, team: str, *, why: str, at: datetime) -> Disqualification:
    """Leave a team out of the ranking; its receipts stay in the chain.

    Parameters
    ----------
    folder
        The competition's.
    team
        Which; it must have submitted.
    why
        For everybody to read.
    at
        Now.

    Raises
    ------
    InputError
        If no team of this name has submitted, or there is no reason.
    """
    team = unicodedata.normalize("NFC", team)

    def decide(chain: Receipts, _standing: InForce) -> Fields:
        teams = sorted({receipt.team for receipt in chain.receipts if not receipt.baseline})
        if team not in teams:
            raise InputError(
                f"No team {team!r} has submitted: {nearest(team, teams)}." if teams else "No team has submitted yet."
            )
        return {"kind": "disqualification", "team": team}

    made = _decide(folder, decide, why, at)
    assert isinstance(made, Disqualification)
    return made


def reinstate(folder: Path | str, team: str, *, why: str, at: datetime) -> Disqualification:
    """Take back that a team was disqualified.

    Parameters
    ----------
    folder
        The competition's.
    team
        Which.
    why
        For everybody to read.
    at
        Now.

    Raises
    ------
    InputError
        If it is not disqualified, or there is no reason.
    """
    team = unicodedata.normalize("NFC", team)
    made = _decide(folder, lambda _chain, _standing: {"kind": "reinstatement", "team": team}, why, at)
    assert isinstance(made, Disqualification)
    return made


def reason(why: str) -> str:
    """Return a reason that everybody can read.

    Raises
    ------
    InputError
        If there is none, or it is too long.
    """
    told = clean_line(why)
    if not 0 < len(told) <= LONGEST_REASON:
        raise InputError(
            f"Say why, in 1 to {LONGEST_REASON} characters (it has {len(told)}): everybody reads it in the chain of receipts."
        )
    return told


def _decide(
    path: Path | str, decide: Callable[[Receipts, InForce], Fields], why: str, at: datetime
) -> Amendment | Disqualification:
    """Add the notice whose fields `decide` gives to the chain, if it may be given now."""
    require_zone(at)
    folder = expand_path(path)
    committed, _ = read_rules(folder)
    with locked(folder):
        chain = Receipts.read(folder)
        require_whole(chain)
        standing = InForce.of(committed, chain.entries)
        fields = decide(chain, standing)
        longer = chain.added(at=at, why=reason(why), **fields)
        made = longer.notices[-1]
        standing.after(made)  # refuses what may not be decided now
        longer.write(folder)
    return made
