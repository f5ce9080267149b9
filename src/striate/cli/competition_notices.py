"""The commands ``competition amend``, ``disqualify`` and ``in-force``: decisions of organisers during a competition."""

import json
from datetime import datetime
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from striate.cli.competition import AsJson, At, Folder, _moment, _say, competition, console

Why = Annotated[str, typer.Option(help="Reason, which is published.", show_default=False)]


@competition.command("amend")
def amend(
    folder: Folder,
    phase: Annotated[str, typer.Option(help="Name of the phase to change.", show_default=False)],
    why: Why,
    starts: Annotated[
        str | None,
        typer.Option(help="New start of the phase, such as 2026-05-01 or 2026-05-01T12:00:00Z.", show_default=False),
    ] = None,
    ends: Annotated[str | None, typer.Option(help="New end of the phase (exclusive).", show_default=False)] = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Move the start or the end of a phase, by a notice in the public chain of receipts.

    Times in the past cannot be moved, and no time can be moved after the last phase with submissions. The boundary of an adjacent
    phase moves, too.
    """
    from striate.competition import amend as amend_phase
    from striate.errors import InputError

    if starts is None and ends is None:
        raise InputError("Give a new start (--starts), a new end (--ends), or both.")
    moved = {name: _moment(given) for name, given in (("starts", starts), ("ends", ends)) if given is not None}
    made = amend_phase(folder, phase, **moved, why=why, at=_moment(at))
    if as_json:
        print(made.model_dump_json())
        return
    for timing in made.phases:
        _say(f"phase {timing.phase}: {_time(timing.starts)} to {_time(timing.ends)}")
    _say(f"notice {made.number}; chain {made.digest}")
    _say(f"publish {folder / 'receipts.jsonl'} anew, and tell the participants")


@competition.command("disqualify")
def disqualify(
    folder: Folder,
    team: Annotated[str, typer.Option(help="Name of the team, as in its receipts.", show_default=False)],
    why: Why,
    reinstate: Annotated[bool, typer.Option("--reinstate", help="Reinstate a disqualified team.")] = False,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Exclude a team from the ranking, by a notice in the public chain of receipts. Its receipts are kept.

    The team cannot submit any more. Teams can be disqualified until the competition is closed.
    """
    from striate.competition import disqualify as disqualify_team
    from striate.competition import reinstate as reinstate_team

    made = (reinstate_team if reinstate else disqualify_team)(folder, team, why=why, at=_moment(at))
    if as_json:
        print(made.model_dump_json())
        return
    _say(
        f"team {team} is {'in the ranking again' if reinstate else 'out of the ranking'} since {_time(made.at)}: {made.why}"
    )
    _say(f"notice {made.number}; chain {made.digest}")
    _say(f"publish {folder / 'receipts.jsonl'} anew")


@competition.command("in-force")
def in_force(folder: Folder, as_json: AsJson = False) -> None:
    """Show the current phases, their changes, and the disqualified teams."""
    from striate.competition import InForce, Receipts, read_rules
    from striate.competition.receipts import require_whole

    committed, _ = read_rules(folder)
    chain = Receipts.read(folder)
    require_whole(chain)
    standing = InForce.of(committed, chain.entries)
    if as_json:
        said = {
            "phases": [phase.model_dump(mode="json") for phase in standing.rules.phases],
            "moves": [move.model_dump(mode="json") for move in standing.moves],
            "disqualified": [each.model_dump(mode="json") for each in standing.disqualified],
        }
        print(json.dumps(said, indent=1, ensure_ascii=False))
        return
    table = Table(title=f"{committed.title}: phases", title_justify="left")
    for column in ("phase", "from", "to", "submissions"):
        table.add_column(column)
    for phase in standing.rules.phases:
        taken = "taken" if phase.submissions else "no"
        table.add_row(escape(phase.name), _time(phase.starts), _time(phase.ends), taken)
    console.print(table)
    for move in standing.moves:
        _say(f"notice {move.notice}: {move}, because: {move.why}")
    for each in standing.disqualified:
        _say(f"notice {each.notice}: team {each.team!r} is disqualified since {_time(each.at)}, because: {each.why}")


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="minutes")
