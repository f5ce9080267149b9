"""Live scores: a submission against the live truth, and against nothing else."""

from dataclasses import dataclass
from pathlib import Path

from striate.competition.boards import Board, board_of
from striate.competition.live import LiveTruth
from striate.competition.submit import require_complete_for
from striate.submissions import Scorecard, Submission, open_submission, score
from striate.submissions.scorecard import Score


@dataclass(frozen=True)
class LiveScore:
    """What a submission scored on the live tier.

    Attributes
    ----------
    board
        Its track and protocol.
    scorecard
        All metrics of the live tier.
    """

    board: Board
    scorecard: Scorecard

    @property
    def ranking(self) -> Score:
        """The metric that ranks its track; its mean is None where it is not defined."""
        (tier,) = self.scorecard.tiers.values()
        return tier.by_name[self.board.track.metric]


def score_live(
    submission: Submission | Path | str, live: LiveTruth | Path | str, *, bootstrap: int | None = None
) -> LiveScore:
    """Score a submission on the live tier.

    Parameters
    ----------
    submission
        Predictions of both tiers: that the final one is complete is checked, too, while it can still be mended.
    live
        The live truth.
    bootstrap
        Resamples of the images for the intervals; by default as many as the rules say.

    Raises
    ------
    InputError
        If the submission is not for a board of the competition, or does not predict exactly its trials and neurons.
    """
    truth = live if isinstance(live, LiveTruth) else LiveTruth.read(live)
    opened = submission if isinstance(submission, Submission) else open_submission(submission)
    board = board_of(opened, truth.rules)
    require_complete_for(opened, truth, board)
    ranking = truth.rules.ranking
    resamples = ranking.resamples if bootstrap is None else bootstrap
    card = score(
        opened,
        truth.truths[board.track.name],
        tiers=truth.rules.live_tier,
        bootstrap=resamples,
        seed=ranking.seed,
        allow_failures=True,
    )
    return LiveScore(board, card)
