"""Verify a competition: that nothing was changed since it was committed to, and that the results follow."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from striate._internal.paths import expand_path
from striate.competition.boards import Board
from striate.competition.close import board_of_receipts, live_score_of, truth_name
from striate.competition.commitment import (
    FILE as COMMITMENT,
)
from striate.competition.commitment import (
    Commitment,
    Opening,
    changed_files,
    scorer,
)
from striate.competition.in_force import InForce
from striate.competition.manifest import FILE as MANIFEST
from striate.competition.manifest import Manifest, sha256_of
from striate.competition.notices import Amendment
from striate.competition.receipts import Entry, Receipt, Receipts
from striate.competition.results import SUBMISSIONS, TRUTHS, BoardResult, Openings, Results
from striate.competition.rules import Rules, read_rules
from striate.competition.selection import finalists
from striate.competition.submit import stored
from striate.errors import InputError, listed
from striate.submissions import Truth


@dataclass(frozen=True)
class Check:
    """One thing that was verified.

    Attributes
    ----------
    what
        In a few words.
    ok
        Whether it holds; None where it could not be verified, because something is not public (yet).
    detail
        What was found.
    """

    what: str
    ok: bool | None
    detail: str


@dataclass(frozen=True)
class Verification:
    """Everything that was verified.

    Attributes
    ----------
    checks
        One after another.
    """

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing contradicts; what could not be verified does not."""
        return all(check.ok is not False for check in self.checks)

    def summary(self) -> dict[str, object]:
        """Ready for JSON."""
        return {"ok": self.ok, "checks": [vars(check) for check in self.checks]}


def verify(
    folder: Path | str,
    *,
    results: Path | str | None = None,
    truths: Path | str | None = None,
    receipts: Iterable[Entry] = (),
    head: str | None = None,
    store: Path | str | None = None,
) -> Verification:
    """Verify the folder of a competition, and its results once they are there.

    Parameters
    ----------
    folder
        The competition's, as published.
    results
        The bundle that `close` wrote.
    truths
        Folder with the released truths; by default that of the bundle, if they are in it.
    receipts
        Receipts that participants were given, or notices that they saw: each must still be part of the chain.
    head
        A head of the chain that was seen at some time: likewise.
    store
        Where submissions are kept (the organiser's): each must be as its receipt says.

    Raises
    ------
    InputError
        If a file that is needed is missing, or is not what it should be at all.
    """
    place = expand_path(folder)
    rules, _ = read_rules(place)
    chain = Receipts.read(place)
    standing, notices = _notices(rules, chain)
    checks = [*_files(place, rules), *_chain(chain, receipts, head), *notices, *_in_time(standing.rules, chain)]
    if store is not None:
        checks.append(_store(chain, expand_path(store)))
    if results is not None:
        bundle = expand_path(results)
        released = expand_path(truths) if truths is not None else bundle / TRUTHS
        checks += _results(place, standing, chain, bundle, released)
    return Verification(tuple(checks))


def _files(folder: Path, rules: Rules) -> Iterator[Check]:
    manifest, commitment = Manifest.read(folder), Commitment.read(folder)
    changed = changed_files(folder, manifest)
    said = (
        f"changed or missing: {listed(changed)}" if changed else f"{len(manifest.files)} files are as they were built"
    )
    yield Check("rules and archives", not changed, said)
    same = sha256_of(folder / MANIFEST) == commitment.manifest and commitment.name == rules.name
    said = f"of {commitment.made.isoformat()}" if same else "it is about another manifest than the one that stands here"
    yield Check("commitment", same, said)
    when = "made after the competition had begun" if commitment.late else "made before the first phase"
    yield Check("commitment in time", not commitment.late, when)


def _chain(chain: Receipts, given: Iterable[Entry], head: str | None) -> Iterator[Check]:
    problems = chain.problems()
    said = "; ".join(problems[:3]) if problems else f"{_counted(chain)}, head {chain.head[:16]}"
    yield Check("chain of receipts", not problems, said)
    for entry in given:
        held, receipt = entry in chain.entries, isinstance(entry, Receipt)
        whose = "" if isinstance(entry, Amendment) else f"of {entry.team!r}, "
        said = f"{whose}{entry.at.isoformat()}" + ("" if held else ": it is not part of the chain (any more)")
        yield Check(f"receipt {entry.number}" if receipt else f"kept {entry.kind} {entry.number}", held, said)
    if head is not None:
        held = len(head) >= 16 and any(d.startswith(head) for d in (chain.anchor, *(e.digest for e in chain.entries)))
        yield Check("head seen before", held, "still part of the chain" if held else "not part of the chain (any more)")


def _counted(chain: Receipts) -> str:
    notices = f" and {len(chain.notices)} notices" if chain.notices else ""
    return f"{len(chain.receipts)} receipts{notices}"


def _notices(rules: Rules, chain: Receipts) -> tuple[InForce, list[Check]]:
    """What is in force at the end of a chain, and what the organiser decided on the way; what was not allowed does not count."""
    standing, checks = InForce(rules), []
    for notice in chain.notices:
        when, why = notice.at.isoformat(timespec="minutes"), f": {notice.why}" if notice.why else ""
        try:
            after = standing.after(notice)
        except InputError as error:
            checks.append(Check(f"{notice.kind} {notice.number}", False, str(error)))
            continue
        moved = "; ".join(map(str, after.moves[len(standing.moves) :]))
        about = moved if isinstance(notice, Amendment) else f"team {notice.team!r}"
        checks.append(Check(f"{notice.kind} {notice.number}", True, f"of {when}, {about}{why}"))
        standing = after
    return standing, checks


def _in_time(rules: Rules, chain: Receipts) -> Iterator[Check]:
    """Whether each submission came in a phase that takes some; the rules of the end judge past moments as those of then did."""
    if not chain.receipts:
        return
    phases = ((e.number, rules.phase_at(e.at)) for e in chain.receipts if e.kind == "submission" and not e.baseline)
    late = [number for number, phase in phases if phase is None or not phase.submissions]
    said = (
        f"receipts {listed(late)} lie outside of the phases that take submissions, and do not count"
        if late
        else "all submissions came in a phase that takes them"
    )
    yield Check("receipts in time", True, said)


def _store(chain: Receipts, store: Path) -> Check:
    wrong = [e.number for e in chain.receipts if not _kept(store, e)]
    said = f"missing or changed: those of receipts {listed(wrong)}" if wrong else "all are as their receipts say"
    return Check("kept submissions", not wrong, said)


def _kept(store: Path, receipt: Receipt) -> bool:
    file = stored(store, receipt.sha256)
    return file.is_file() and sha256_of(file) == receipt.sha256


def _results(folder: Path, standing: InForce, chain: Receipts, bundle: Path, released: Path) -> Iterator[Check]:
    rules = standing.rules
    found, opened, commitment = Results.read(bundle), Openings.read(bundle).openings, Commitment.read(folder)
    wrong = commitment.disagreements(opened)
    said = (
        f"do not open it: {listed(wrong)}"
        if wrong
        else f"{len(opened)} of {len(commitment.digests)} commitments opened"
    )
    yield Check("openings", not wrong, said)
    same = (found.commitment, found.chain, found.ranking) == (sha256_of(folder / COMMITMENT), chain.head, rules.ranking)
    said = (
        "they follow from this commitment, chain and ranking"
        if same
        else "they are about another commitment, chain or ranking"
    )
    yield Check("results belong here", same, said)
    if chain.notices or found.moves or found.disqualified:
        same = (found.moves, found.disqualified) == (list(standing.moves), list(standing.disqualified))
        said = "those of the chain" if same else "the results tell of others than the chain has"
        yield Check("phases and disqualified teams", same, said)
    expected = (
        opened["rules"].content == (folder / "competition.toml").read_text(encoding="utf-8")
        if "rules" in opened
        else None
    )
    yield Check("rules", expected, "those committed to" if expected else "not those committed to")
    lacking = [
        row.receipt
        for board in found.boards
        for row in board.rows
        if not _of_receipt(chain, bundle, board, row.receipt, row.sha256)
    ]
    said = (
        f"not as their receipts say: {listed(lacking)}" if lacking else "those that counted are as their receipts say"
    )
    yield Check("submissions in the bundle", not lacking, said)
    boards = {(board.track, board.protocol) for board in found.boards}
    complete = boards == {(track.name, protocol) for track, protocol in rules.boards}
    yield Check("boards", complete, f"{len(boards)} of {len(rules.boards)}, as the rules name them")
    committed = opened["scorer"].content if "scorer" in opened else commitment.scorer
    try:
        own = f"this is {scorer(rules.benchmark)}"
    except InputError as error:
        yield Check("scorer", None, f"{committed}; the results are from {found.scorer}")
        yield Check("scores", None, f"they cannot be computed again: {error}")
        return
    said = f"{committed}; the results are from {found.scorer}, and {own}"
    yield Check("scorer", True if committed == found.scorer else None, said)
    yield from _recomputed(folder, standing, chain, bundle, released, found, opened)


def _of_receipt(chain: Receipts, bundle: Path, board: BoardResult, number: int, sha256: str) -> bool:
    receipt = next((e for e in chain.receipts if e.number == number), None)
    file = bundle / SUBMISSIONS / f"{sha256}.parquet"
    return (
        receipt is not None
        and (receipt.sha256, receipt.track, receipt.protocol) == (sha256, board.track, board.protocol)
        and file.is_file()
        and sha256_of(file) == sha256
    )


def _recomputed(
    folder: Path,
    standing: InForce,
    chain: Receipts,
    bundle: Path,
    released: Path,
    found: Results,
    opened: dict[str, Opening],
) -> Iterator[Check]:
    """Rank again, where the truth was released, and compare to the last digit."""
    if not released.is_dir():
        yield Check("scores", None, "the truth was not released: they cannot be computed again yet")
        return
    store, told = bundle / SUBMISSIONS, set()
    for board in found.boards:
        of = Board(standing.rules.track(board.track), board.protocol)
        what = f"scores of {board.track}, {board.protocol}"
        try:
            truths = {tier: Truth.read(released / truth_name(board.track, tier)) for tier in ("live", "final")}
        except InputError as error:
            yield Check(what, None, str(error))
            continue
        other = [
            tier
            for tier, truth in truths.items()
            if (opening := opened.get(f"{tier} truth of {board.track}")) is None or opening.content != truth.fingerprint
        ]
        if board.track not in told:  # several boards may share a track
            said = f"another than committed to: {listed(other)}" if other else "as committed to"
            yield Check(f"truth of {board.track}", not other, said)
        told.add(board.track)
        if other:
            continue
        try:
            yield _ranked_again(folder, standing, chain, of, truths, store, board, what)
        except InputError as error:  # a submission that is not what it was, which was said above
            yield Check(what, False, str(error))


def _ranked_again(
    folder: Path,
    standing: InForce,
    chain: Receipts,
    of: Board,
    truths: dict[str, Truth],
    store: Path,
    board: BoardResult,
    what: str,
) -> Check:
    live_score = partial(live_score_of, standing.rules, truths["live"], of, store)
    chosen = finalists(standing.rules, chain, of, live_score, without=standing.teams)
    numbers = sorted(row.receipt for row in board.rows)
    if [receipt.number for receipt in chosen] != numbers:
        counting = listed([receipt.number for receipt in chosen])
        return Check(what, False, f"by the rules receipts {counting} count, not {listed(numbers)}")
    again = board_of_receipts(standing.rules, of, chosen, truths["live"], truths["final"], folder, store)
    same = again == board
    return Check(what, same, "computed again, the same to the last digit" if same else _difference(again, board))


def _difference(again: BoardResult, board: BoardResult) -> str:
    for mine, theirs in zip(again.rows, board.rows, strict=False):
        if mine != theirs and (mine.team, mine.score, mine.rank) == (theirs.team, theirs.score, theirs.rank):
            return f"computed again, other figures of {mine.team!r} differ, such as its interval, live score or parts"
        if mine != theirs:
            return f"computed again, {mine.team!r} has {mine.score} (rank {mine.rank}), and the results say {theirs.team!r} {theirs.score} (rank {theirs.rank})"
    return "computed again, the winners, the ceilings or the number of rows differ"
