"""Which submission of each team counts in the end."""

from collections.abc import Callable, Collection

from striate.competition.boards import Board
from striate.competition.ranking import ascending
from striate.competition.receipts import Receipt, Receipts
from striate.competition.rules import Rules

LiveScoreOf = Callable[[Receipt], float | None]


def finalists(
    rules: Rules, receipts: Receipts, board: Board, live_score: LiveScoreOf, *, without: Collection[str] = ()
) -> list[Receipt]:
    """Choose one submission of each team, by the rules.

    Parameters
    ----------
    rules
        In force, whose ``ranking.choice`` decides. What was received outside of a phase that takes submissions does not count; nor
        does a choice after the last phase.
    receipts
        All.
    board
        Whose finalists are wanted.
    live_score
        Gives the live score of a submission; only asked for where the best one counts.
    without
        Teams that are left out, since they are disqualified.

    Returns
    -------
    list of Receipt
        In the order of their numbers.
    """
    of_team: dict[str, list[Receipt]] = {}
    for receipt in receipts.of(board.track.name, board.protocol):
        if receipt.team in without:
            continue
        phase = rules.phase_at(receipt.at)
        if receipt.baseline or (phase is not None and phase.submissions):
            of_team.setdefault(receipt.team, []).append(receipt)
    metric = board.track.metric
    chosen = [_one(rules, receipts, own, live_score, metric) for own in of_team.values()]
    return sorted(chosen, key=lambda receipt: receipt.number)


def _one(rules: Rules, receipts: Receipts, own: list[Receipt], live_score: LiveScoreOf, metric: str) -> Receipt:
    if rules.ranking.choice == "best_live" and not own[0].baseline:
        scored = [(score, receipt) for receipt in own if (score := live_score(receipt)) is not None]
        if not scored:
            return own[-1]
        return min(scored, key=lambda pair: ascending(pair[0], metric))[1]  # of equal scores the earlier one
    if rules.ranking.choice == "chosen":
        numbers = {receipt.number: receipt for receipt in own}
        choices = [
            entry.chosen
            for entry in receipts.receipts
            if entry.kind == "choice" and entry.chosen in numbers and entry.at < rules.phases[-1].ends
        ]
        if choices and choices[-1] is not None:
            return numbers[choices[-1]]
    return own[-1]
