"""Taking submissions: within a phase, within the limits, checked against the public archive, kept, and receipted."""

import re
import shutil
import unicodedata
from datetime import datetime, timedelta
from pathlib import Path

from filelock import FileLock

from striate._internal.atomic_write import atomic_write
from striate._internal.paths import expand_path
from striate.competition.boards import Board, board_of
from striate.competition.in_force import InForce
from striate.competition.live import LiveTruth
from striate.competition.manifest import Manifest, require_apart, sha256_of
from striate.competition.moments import require_zone
from striate.competition.name_key import is_reserved, name_key
from striate.competition.receipts import Receipt, Receipts, require_whole
from striate.competition.rules import Rules, read_rules
from striate.errors import InputError, listed, quoted
from striate.submissions import Submission, validate
from striate.submissions.alignment import require_same_benchmark
from striate.submissions.validate import align_all

MOST_CHOICES = 10  # of a team for one board within 24 hours: each is a public link of the chain
_TEAM = re.compile(r"^[^\W_](?:[\w .,'&+-]{0,58}[\w.)!+])?$")


def require_allowed(rules: Rules, receipts: Receipts, board: Board, team: str, at: datetime, *, baseline: bool) -> None:
    """Raise `InputError` unless a team may submit to a board now: phase, limits, name.

    Parameters
    ----------
    rules
        Of the competition, as they are in force.
    receipts
        All so far.
    board
        Where to.
    team
        Who.
    at
        Now.
    baseline
        Whether it is a row of the organiser's own, which no limit concerns.
    """
    require_team(rules, team, baseline=baseline)
    if baseline:
        known = next(b for b in rules.baselines if b.name == team)
        if known.tracks and board.track.name not in known.tracks:
            raise InputError(
                f"Baseline {team!r} stands in {', '.join(known.tracks)}, and this is for {board.track.name}."
            )
        return
    phase = rules.phase_at(require_zone(at))
    if phase is None or not phase.submissions:
        now = f"phase {phase.name!r} takes none" if phase else "no phase is on"
        when = "; ".join(
            f"{p.name} {p.starts.isoformat()} to {p.ends.isoformat()}" for p in rules.phases if p.submissions
        )
        raise InputError(f"Submissions are not taken at {at.isoformat()} ({now}): {when}.")
    own = receipts.of(board.track.name, board.protocol, team)
    recent = [receipt for receipt in own if at - receipt.at < timedelta(days=1)]
    if len(own) >= rules.limits.in_total:
        raise InputError(
            f"Team {team!r} has submitted {len(own)} times to {board}; {rules.limits.in_total} are allowed in all."
        )
    if len(recent) >= rules.limits.per_day:
        again = recent[0].at + timedelta(days=1)
        raise InputError(
            f"Team {team!r} has submitted {len(recent)} times to {board} within 24 hours; {rules.limits.per_day} are allowed: "
            f"again from {again.isoformat(timespec='minutes')}."
        )


def require_team(rules: Rules, team: str, *, baseline: bool) -> None:
    """Raise `InputError` unless this can be the name of a team (or is that of a baseline)."""
    names = [b.name for b in rules.baselines]
    if baseline and team not in names:
        raise InputError(f"The rules have no baseline {team!r}: {', '.join(names) or 'none at all'}.")
    if baseline:
        return
    if rules.names_baseline(team) or is_reserved(team):
        raise InputError(
            f"{team!r} is a row of the organiser's own, or looks like one: choose another name for the team."
        )
    if not _TEAM.fullmatch(unicodedata.normalize("NFC", team)):
        raise InputError(f"{quoted(team, 80)} cannot name a team: use 1 to 60 letters, digits, spaces and . , ' & + -.")


def submit(
    folder: Path | str,
    submission: Path | str,
    team: str,
    store: Path | str,
    *,
    at: datetime,
    baseline: bool = False,
) -> Receipt:
    """Take a submission: check it, keep it, and give a receipt.

    Parameters
    ----------
    folder
        The competition's, where the chain of receipts is published.
    submission
        A native submission, one Parquet file.
    team
        Whose it is.
    store
        Folder where submissions are kept until the close, each named by its hash; outside of `folder`.
    at
        Now.
    baseline
        Whether it is a row of the organiser's own.

    Raises
    ------
    InputError
        If it comes at the wrong time or too often, is damaged, or does not predict exactly the trials and neurons of its track.
    """
    place, file, kept = expand_path(folder), expand_path(submission), expand_path(store)
    team = unicodedata.normalize("NFC", team)
    require_apart(place, kept)
    rules, _ = read_rules(place)
    if not file.is_file():
        raise InputError(
            f"{file} is not a file: give a native submission (`striate submission reformat` makes one of the CSVs of 2022)."
        )
    if (size := file.stat().st_size) > rules.limits.megabytes * 10**6:
        raise InputError(f"{file} has {size / 1e6:.0f} MB; {rules.limits.megabytes} are allowed.")
    opened = Submission.read(file)
    board = board_of(opened, rules)
    require_complete(place, opened, board)
    sha256 = sha256_of(file)
    with locked(place):
        receipts = Receipts.read(place)
        require_whole(receipts)
        standing = InForce.of(rules, receipts.entries)
        standing.require_team(team)
        require_allowed(standing.rules, receipts, board, team, at, baseline=baseline)
        if not baseline:
            _require_one_spelling(receipts, team)
        keep(file, kept, sha256)
        longer = receipts.added(
            at=at, team=team, track=board.track.name, protocol=board.protocol, sha256=sha256, baseline=baseline
        )
        longer.write(place)
    return longer.receipts[-1]


def _require_one_spelling(receipts: Receipts, team: str) -> None:
    """Raise `InputError` if the receipts name a team that looks like this one: it would have limits of its own."""
    for name in {each.team for each in receipts.receipts if not each.baseline}:
        if name != team and name_key(name) == name_key(team):
            raise InputError(
                f"Team {team!r} would be taken for team {name!r} of the receipts: write it so, or choose another."
            )


def choose(folder: Path | str, team: str, number: int, *, at: datetime) -> Receipt:
    """Let a team choose the submission that shall count in the end; the last choice for a board counts.

    The same choice again is no change: the receipt of the first is returned.

    Raises
    ------
    InputError
        If the rules let nobody choose, no phase is on, or the receipt is not that of a submission of the team, or it has chosen too
        often within a day.
    """
    place = expand_path(folder)
    team = unicodedata.normalize("NFC", team)
    rules, _ = read_rules(place)
    if rules.ranking.choice != "chosen":
        counts = {"last": "the last", "best_live": "the best on the live test"}[rules.ranking.choice]
        raise InputError(f"In this competition {counts} submission of a team counts: there is nothing to choose.")
    require_zone(at)
    with locked(place):
        receipts = Receipts.read(place)
        require_whole(receipts)
        standing = InForce.of(rules, receipts.entries)
        if standing.rules.phase_at(at) is None:
            raise InputError(f"No phase is on at {at.isoformat()}: it is too early or too late to choose.")
        standing.require_team(team)
        own = [e for e in receipts.receipts if e.kind == "submission" and e.team == team]
        entry = next((e for e in own if e.number == number), None)
        if entry is None:
            numbers = listed([e.number for e in own], 10) or "none"
            raise InputError(f"Team {team!r} has no submission with receipt {number}; its receipts: {numbers}.")
        choices = [
            e
            for e in receipts.receipts
            if (e.kind, e.team, e.track, e.protocol) == ("choice", team, entry.track, entry.protocol)
        ]
        if choices and choices[-1].chosen == number:  # no change, and no link in the chain
            return choices[-1]
        if sum(at - e.at < timedelta(days=1) for e in choices) >= MOST_CHOICES:
            raise InputError(
                f"Team {team!r} has chosen {MOST_CHOICES} times within 24 hours, which is the most: choose again later."
            )
        same = {"team": team, "track": entry.track, "protocol": entry.protocol, "sha256": entry.sha256}
        longer = receipts.added(at=at, kind="choice", chosen=number, baseline=entry.baseline, **same)
        longer.write(place)
    return longer.receipts[-1]


def require_complete(folder: Path, submission: Submission, board: Board) -> None:
    """Raise `InputError` unless a submission predicts the live and final trials of a public archive, and nothing else."""
    from striate.recordings import open as open_recording

    archive = folder / Manifest.read(folder).archive(board.track.session).path
    recording = open_recording(archive)
    validate(submission, recording, tiers=recording.benchmark.board_tiers)


def require_complete_for(submission: Submission, live: LiveTruth, board: Board) -> None:
    """The same against a live truth, where the archive is not at hand."""
    rules, track = live.rules, board.track.name
    require_same_benchmark(submission, live.truths[track], "competition")
    align_all(submission, {rules.live_tier: live.truths[track], rules.final_tier: live.final_keys[track]})


def stored(store: Path, sha256: str) -> Path:
    """Where a submission is kept."""
    return store / f"{sha256}.parquet"


def keep(file: Path, store: Path, sha256: str) -> None:
    """Copy a submission to where it is kept; the same file is kept once."""
    target = stored(store, sha256)
    if target.is_file() and sha256_of(target) == sha256:
        return
    store.mkdir(mode=0o700, parents=True, exist_ok=True)
    with atomic_write(target, overwrite=True) as aside:
        shutil.copyfile(file, aside)


def locked(folder: Path) -> FileLock:
    """Let one process at a time add to the chain; the lock stands beside the folder, not in it."""
    return FileLock(folder.resolve().parent / f".{folder.resolve().name}.receipts.lock")
