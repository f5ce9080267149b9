"""Boards: what is ranked together, and which one a submission is for."""

from dataclasses import dataclass

from striate.benchmarks import BenchmarkSpec
from striate.competition.rules import Rules
from striate.competition.tables import Track
from striate.errors import InputError
from striate.submissions import Submission


@dataclass(frozen=True)
class Board:
    """One track with one protocol: what is ranked together."""

    track: Track
    protocol: str

    def __str__(self) -> str:
        return f"{self.track.name}, {self.protocol}"


def board_metrics(benchmark: BenchmarkSpec, metric: str) -> tuple[str, ...]:
    """Return the names of the metrics that a board shows, the one that ranks it first.

    Parameters
    ----------
    benchmark
        Benchmark of the competition.
    metric
        The metric that ranks the board.
    """
    return (metric, *(name for name in benchmark.metrics.shown if name != metric))


def board_of(submission: Submission, rules: Rules) -> Board:
    """Find the board that a submission is for, by its session and its protocol.

    Raises
    ------
    InputError
        If its session is not that of a track, it names another track, or the track does not allow its protocol.
    """
    track = rules.track_of(submission.session or "")
    if track is None:
        sessions = ", ".join(f"{t.session} ({t.name})" for t in rules.tracks)
        raise InputError(
            f"The submission is for session {submission.session}, which is no track's: predict {sessions}."
        )
    if submission.track not in (None, track.name):
        raise InputError(
            f"The submission names track {submission.track!r}, but session {track.session} is that of track {track.name!r}."
        )
    if submission.protocol not in track.protocols:
        raise InputError(
            f"The submission's protocol is {submission.protocol!r}; track {track.name!r} allows {', '.join(track.protocols)}."
        )
    return Board(track, submission.protocol)
