"""The close: the final tier is scored once, every board is ranked, and the evidence is published."""

import shutil
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from striate._internal.atomic_write import atomic_write_folder
from striate._internal.paths import expand_path
from striate.competition.boards import Board
from striate.competition.ceilings import board_ceilings
from striate.competition.commitment import FILE as COMMITMENT
from striate.competition.commitment import Commitment, openings, require_one, scorer
from striate.competition.in_force import InForce
from striate.competition.manifest import require_apart, require_new, sha256_of
from striate.competition.moments import require_zone
from striate.competition.parts import PartResult, final_parts, neurons_of
from striate.competition.ranking import Entrant, Ranked, rank, score_of
from striate.competition.receipts import Receipt, Receipts, require_whole
from striate.competition.results import (
    FILE,
    OPENINGS,
    PAGE,
    SCORECARDS,
    SUBMISSIONS,
    TRUTHS,
    BoardResult,
    Openings,
    Results,
    board_result,
)
from striate.competition.rules import Rules
from striate.competition.selection import finalists
from striate.competition.submit import require_complete, stored
from striate.competition.vault import Vault
from striate.errors import InputError, listed
from striate.metrics import Repeats
from striate.submissions import Submission, Truth, score
from striate.submissions.alignment import align


def close(
    folder: Path | str,
    vault: Vault,
    store: Path | str,
    out: Path | str,
    *,
    at: datetime,
    release: bool = False,
) -> Results:
    """Score the final tier, rank every board, and write a bundle of results.

    The same vault and submissions give the same bundle, byte for byte.

    Parameters
    ----------
    folder
        The competition's.
    vault
        Its secrets.
    store
        Where submissions are kept.
    out
        Folder for the bundle: ``results.json``, ``results.html``, a picture for each board, scorecards, the submissions
        that counted, and what opens the commitment. It may be published.
    at
        Now; submissions must be over.
    release
        Whether truths, keys and seed are in the bundle, so that anyone can compute all of it again. Without them the
        bundle still opens the commitment to everything else, and the truth may be released later.

    Raises
    ------
    InputError
        If it is too early, folder and vault do not belong together, the commitment is not the vault's, the chain of receipts is
        broken or has a notice that no organiser could give, or a submission is missing.
    """
    place, kept, target = (expand_path(path) for path in (folder, store, out))
    require_zone(at)
    require_new(target)
    require_one(place, vault)
    receipts = Receipts.read(place)
    require_whole(receipts)
    standing = InForce.of(vault.rules, receipts.entries)
    rules = standing.rules
    if at < rules.closes:
        raise InputError(
            f"Submissions are taken until {rules.closes.isoformat()}, and it is {at.isoformat()}: close then."
        )
    commitment = Commitment.read(place)
    opened = openings(vault)
    if wrong := [name for name in commitment.disagreements(opened) if name != "scorer"]:
        raise InputError(
            f"The vault is not what was committed to ({listed(wrong)} differ): close with the vault of the build."
        )
    require_apart(place, kept)
    _require_kept(receipts, kept)
    with atomic_write_folder(target) as aside:
        boards = [_board(Board(*board), vault, standing, receipts, place, kept, aside) for board in rules.boards]
        results = Results(
            name=rules.name,
            title=rules.title,
            scorer=scorer(vault.rules.benchmark),
            commitment=sha256_of(place / COMMITMENT),
            chain=receipts.head,
            ranking=rules.ranking,
            moves=list(standing.moves),
            disqualified=list(standing.disqualified),
            boards=boards,
        )
        _write(aside, results, Openings(openings=opened if release else openings(vault, release=False)))
        if release:
            write_truths(vault, aside / TRUTHS)
    return results


def write_truths(vault: Vault, folder: Path) -> None:
    """Write live and final truth of every track, to be released."""
    for track, tier, truth in truths_of(vault):
        truth.write(folder / truth_name(track, tier))


def truths_of(vault: Vault) -> Iterator[tuple[str, str, Truth]]:
    """Every truth of a vault, with its track and tier."""
    for track in vault.rules.tracks:
        yield track.name, "live", vault.live[track.name]
        yield track.name, "final", vault.final[track.name]


def truth_name(track: str, tier: str) -> str:
    """Name of the file of a released truth."""
    return f"{track.replace('+', 'plus')}-{tier}.parquet"


def _require_kept(receipts: Receipts, store: Path) -> None:
    for receipt in receipts.receipts:
        file = stored(store, receipt.sha256)
        if not file.is_file() or sha256_of(file) != receipt.sha256:
            what = "is missing" if not file.is_file() else "was changed"
            raise InputError(
                f"The submission of receipt {receipt.number} ({receipt.team!r}) {what}: {file} should hold it. Put it back."
            )


def _board(
    board: Board, vault: Vault, standing: InForce, receipts: Receipts, folder: Path, store: Path, out: Path
) -> BoardResult:
    rules, track, live_truth = standing.rules, board.track, vault.live[board.track.name]
    scores = partial(live_score_of, rules, live_truth, board, store)
    chosen = finalists(rules, receipts, board, scores, without=standing.teams)
    for receipt in chosen:
        require_complete(folder, Submission.read(stored(store, receipt.sha256)), board)
    result = board_of_receipts(rules, board, chosen, live_truth, vault.final[track.name], folder, store)
    # where the best live score counts, all submissions are needed to tell which that is
    all_count = rules.ranking.choice == "best_live"
    for receipt in receipts.of(track.name, board.protocol) if all_count else chosen:
        target = out / SUBMISSIONS / f"{receipt.sha256}.parquet"
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(stored(store, receipt.sha256), target)
    for receipt in chosen:
        submission = Submission.read(stored(store, receipt.sha256))
        ranking = rules.ranking
        card = score(
            submission,
            vault.final[track.name],
            tiers=rules.final_tier,
            bootstrap=ranking.resamples,
            seed=ranking.seed,
            allow_failures=True,
        )
        card.write(out / SCORECARDS / f"{receipt.number:04d}-{result.name}.json")
    return result


def board_of_receipts(
    rules: Rules, board: Board, chosen: list[Receipt], live: Truth, final: Truth, folder: Path, store: Path
) -> BoardResult:
    """Rank the submissions of some receipts against a final truth, with all that is told of each."""
    ranked = _ranked(rules, board, chosen, final, store)
    scores = {receipt.team: live_score_of(rules, live, board, store, receipt) for receipt in chosen}
    neurons = neurons_of(folder, board.track) if chosen else None
    said = {row.team: row.metrics for row in ranked.rows}
    parts: dict[str, list[PartResult]] = {}
    for receipt in chosen:
        assert neurons is not None
        predictions = predictions_of(stored(store, receipt.sha256), final, rules.final_tier)
        parts[receipt.team] = final_parts(predictions, final, rules.final_tier, neurons, said[receipt.team])
    receipts = {receipt.team: receipt for receipt in chosen}
    ceilings = board_ceilings(final, rules.final_tier, rules.ranking.seed)
    image_alone = rules.benchmark.protocol(board.protocol).sees_image_alone
    return board_result(board, ranked, receipts, scores, parts, ceilings, image_alone)


def _ranked(rules: Rules, board: Board, chosen: list[Receipt], truth: Truth, store: Path) -> Ranked:
    entrants = [
        Entrant(
            team=receipt.team,
            load=partial(predictions_of, stored(store, receipt.sha256), truth, rules.final_tier),
            at=receipt.at,
            number=receipt.number,
            baseline=receipt.baseline,
        )
        for receipt in chosen
    ]
    return rank(entrants, truth, rules.final_tier, board.track.metric, rules.ranking)


def live_score_of(rules: Rules, truth: Truth, board: Board, store: Path, receipt: Receipt) -> float | None:
    """Live score of a kept submission by the metric of its track; None where there is none."""
    rows = truth.rows(rules.live_tier)
    predictions = predictions_of(stored(store, receipt.sha256), truth, rules.live_tier)
    repeats = Repeats(truth.image_id[rows])
    return score_of(predictions, truth.responses[rows], repeats, board.track.metric, rules.ranking)


def predictions_of(file: Path, truth: Truth, tier: str) -> NDArray[np.float32]:
    """Predictions of a kept submission in the order of the truth's rows and columns, (T, N)."""
    submission = Submission.read(file)
    return align(submission, truth, tier).reorder(submission.predictions)


def _write(folder: Path, results: Results, opened: Openings) -> None:
    from striate.competition.results_page import board_figure, page

    (folder / FILE).write_text(results.model_dump_json(indent=1) + "\n", encoding="utf-8")
    (folder / OPENINGS).write_text(opened.model_dump_json(indent=1) + "\n", encoding="utf-8")
    (folder / PAGE).write_text(page(results), encoding="utf-8")
    for board in results.boards:
        if board.rows:
            figure = board_figure(board, results.ranking.level)
            figure.savefig(folder / f"{board.name}.png", metadata={"Software": None})
