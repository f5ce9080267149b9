"""Results as they are published: plain, strict, and the same bytes for the same competition."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from striate._internal.safe_parsing import parse_model, read_limited
from striate.competition.boards import Board
from striate.competition.commitment import Opening
from striate.competition.in_force import Disqualified, Move
from striate.competition.manifest import Digest
from striate.competition.moments import Moment
from striate.competition.parts import PartResult
from striate.competition.ranking import Ranked, Row
from striate.competition.receipts import Receipt
from striate.competition.tables import Ranking, file_slug
from striate.errors import InputError
from striate.metrics import Interval
from striate.submissions.scorecard import IntervalScore

FILE, OPENINGS, SUBMISSIONS, SCORECARDS, TRUTHS = (
    "results.json",
    "openings.json",
    "submissions",
    "scorecards",
    "truths",
)
PAGE = "results.html"
_LARGEST = 2**27  # bytes
M = TypeVar("M", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class GapResult(_Strict):
    """How far a row lies behind the best of its board; `low` to `high` contains 0 where the two cannot be told apart."""

    value: float
    low: float
    high: float


class MetricResult(_Strict):
    """A mean over neurons on the final tier.

    Attributes
    ----------
    mean, interval, reason
        At full precision, its interval over resamples of the images, and why there is none: it is not defined, or the
        images are too few.
    """

    mean: float | None
    interval: IntervalScore | None
    reason: str | None


class RowResult(_Strict):
    """One row of a board.

    Attributes
    ----------
    rank, band
        None for a baseline, or where there is no score.
    team
        Its name.
    baseline
        Whether it is a row of the organiser's own.
    receipt, sha256, at
        Number of its receipt, hash of its submission, and when it was received.
    score, interval, reason
        What ranks, as in `metrics`.
    live_score
        On the live tier.
    behind
        How far it lies behind the best.
    metrics
        All metrics of the final tier and the normalised correlation, by name.
    parts
        The same of each brain area and stretch of depth.
    """

    rank: int | None
    band: int | None
    team: str
    baseline: bool
    receipt: int
    sha256: Digest
    at: Moment
    score: float | None
    interval: IntervalScore | None
    reason: str | None
    live_score: float | None
    behind: GapResult | None
    metrics: dict[str, MetricResult]
    parts: list[PartResult]


class BoardResult(_Strict):
    """One board: a track with a protocol.

    Attributes
    ----------
    track, protocol, metric
        What it is.
    image_alone
        Whether models of the protocol see the image alone, so that the ceilings bound them.
    winners
        Who has won.
    ceilings
        Means of ``single_trial_ceiling`` and ``cc_max``, which bound a model of the image alone on the final tier, and of
        ``jackknife_oracle`` and ``split_half``; None where one is not defined.
    rows
        From the best to the worst.
    """

    track: str
    protocol: str
    image_alone: bool
    metric: str
    winners: list[str]
    ceilings: dict[str, float | None]
    rows: list[RowResult]

    @property
    def name(self) -> str:
        """For the names of files."""
        return board_name(self.track, self.protocol)

    @property
    def same_scores(self) -> list[list[str]]:
        """Groups of rows whose scores are the same to the last digit; that hardly ever happens without the same predictions."""
        groups: dict[float, list[str]] = {}
        for row in self.rows:
            if row.score is not None:
                groups.setdefault(row.score, []).append(row.team)
        return [teams for teams in groups.values() if len(teams) > 1]


class Results(_Strict):
    """The results of a competition.

    Attributes
    ----------
    name, title
        Of the competition.
    scorer
        What has scored.
    commitment, chain
        SHA-256 of the commitment, and the head of the chain of receipts.
    ranking
        The settings of the ranking: with them, the truth and the submissions anyone gets the same.
    moves, disqualified
        Phases that the organiser moved, and teams that are left out of the ranking, as the chain has them.
    boards
        One for each track and protocol.
    """

    format: Literal["striate results 5"] = "striate results 5"
    name: str
    title: str
    scorer: str
    commitment: Digest
    chain: Digest
    ranking: Ranking
    moves: list[Move] = []
    disqualified: list[Disqualified] = []
    boards: list[BoardResult]

    @classmethod
    def read(cls, folder: Path) -> "Results":
        """Read the results of a bundle.

        Raises
        ------
        InputError
            If they are missing or damaged.
        """
        return _read(cls, folder / FILE)


class Openings(_Strict):
    """What opens the commitment, by name."""

    openings: dict[str, Opening]

    @classmethod
    def read(cls, folder: Path) -> "Openings":
        """Read the openings of a bundle.

        Raises
        ------
        InputError
            If they are missing or damaged.
        """
        return _read(cls, folder / OPENINGS)


def _read(model: type[M], file: Path) -> M:
    try:
        content = read_limited(file, _LARGEST)
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}): give the folder that `close` wrote.") from error
    return parse_model(model, content, str(file), "take it from where it was published")


def board_name(track: str, protocol: str) -> str:
    """A track and a protocol as part of a file's name."""
    return f"{file_slug(track)}-{file_slug(protocol)}"


def board_result(
    board: Board,
    ranked: Ranked,
    receipts: Mapping[str, Receipt],
    live: Mapping[str, float | None],
    parts: Mapping[str, list[PartResult]],
    ceilings: Mapping[str, float | None],
    image_alone: bool,
) -> BoardResult:
    """Results of one board; `receipts`, `live` and `parts` are by team."""
    return BoardResult(
        track=board.track.name,
        protocol=board.protocol,
        image_alone=image_alone,
        metric=ranked.metric,
        winners=list(ranked.winners),
        ceilings=dict(ceilings),
        rows=[_row(row, receipts[row.team], live[row.team], parts[row.team]) for row in ranked.rows],
    )


def _row(row: Row, receipt: Receipt, live: float | None, parts: list[PartResult]) -> RowResult:
    at: datetime = receipt.at
    return RowResult(
        rank=row.rank,
        band=row.band,
        team=row.team,
        baseline=row.baseline,
        receipt=receipt.number,
        sha256=receipt.sha256,
        at=at,
        score=row.score,
        interval=_interval(row.interval),
        reason=row.reason,
        live_score=live,
        behind=GapResult(value=row.gap.value, low=row.gap.interval.low, high=row.gap.interval.high)
        if row.gap
        else None,
        metrics={
            name: MetricResult(mean=each.mean, interval=_interval(each.interval), reason=each.reason)
            for name, each in row.metrics.items()
        },
        parts=parts,
    )


def _interval(interval: Interval | None) -> IntervalScore | None:
    return IntervalScore(low=interval.low, high=interval.high, level=interval.level) if interval else None
