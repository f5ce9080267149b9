"""What the benchmark of a competition demands of its rules: tiers of both boards, known protocols and metrics, names of sessions."""

from collections.abc import Iterable, Mapping
from typing import Any

from striate.benchmarks import BenchmarkSpec, load_benchmark
from striate.competition.tables import Track
from striate.errors import InputError, listed, nearest


def parse_benchmark_key(value: object) -> Any:
    """Turn the key ``benchmark`` of a competition, the name of a registered benchmark or a table, into a description.

    Rules may come from strangers, so that no path is opened here; `striate.competition.rules.read_rules` does, if it is told to.

    Raises
    ------
    ValueError
        If there is no such benchmark.
    """
    from striate.registry import benchmarks

    if isinstance(value, str) and value not in benchmarks:
        raise ValueError(f"there is no benchmark of this name: {nearest(value, benchmarks.names())}")
    if not isinstance(value, str | Mapping):
        return value
    try:
        return load_benchmark(value)
    except InputError as error:
        raise ValueError(str(error).rstrip(".")) from None


def check_boards(benchmark: BenchmarkSpec) -> None:
    """Raise `ValueError` unless a benchmark has a tier for the live board and one for the final board."""
    for board in ("live", "final"):
        if benchmark.board_tier(board) is None:
            raise ValueError(
                f"no tier of benchmark {benchmark.name!r} decides the {board} board: a competition needs both, so set "
                f'board = "{board}" in one of its test tiers'
            )


def check_sessions(benchmark: BenchmarkSpec, sessions: Iterable[str]) -> None:
    """Raise `ValueError` unless names of sessions match the pattern of a benchmark."""
    for session in sessions:
        try:
            benchmark.valid_session(session)
        except InputError as error:
            raise ValueError(str(error).rstrip(".")) from None


def check_track(benchmark: BenchmarkSpec, track: Track) -> None:
    """Raise `ValueError` unless the protocols, the metric and the withheld variables of a track fit a benchmark."""
    if track.metric not in benchmark.metrics.names:
        raise ValueError(
            f"track {track.name!r} is ranked by {track.metric!r}, which is no metric of the benchmark: "
            f"{nearest(track.metric, benchmark.metrics.names)}"
        )
    for variable in track.withhold:
        if variable not in benchmark.variables:
            raise ValueError(
                f"track {track.name!r} withholds {variable}, which benchmark {benchmark.name!r} does not have: take it out"
            )
    for name in track.protocols:
        if name not in benchmark.protocol_names:
            raise ValueError(
                f"track {track.name!r} allows protocol {name!r}, which the benchmark does not describe: "
                f"{nearest(name, benchmark.protocol_names)}"
            )
        inputs = benchmark.protocol(name).inputs
        if "past_responses" in inputs:
            raise ValueError(
                f"track {track.name!r} allows {name!r}, but the order of its trials is withheld, so that no model can know "
                "what came before: take the protocol out"
            )
        if hidden := [variable for variable in inputs if variable in track.withhold]:
            raise ValueError(
                f"track {track.name!r} allows {name!r}, but withholds {listed(hidden)}: withhold nothing that the protocol "
                "allows models to know, or take the protocol out"
            )
    if track.name in benchmark.track_names:
        allowed = benchmark.track(track.name).protocols
        if other := [name for name in track.protocols if name not in allowed]:
            raise ValueError(
                f"track {track.name!r} allows {other[0]!r}, but that track of benchmark {benchmark.name!r} allows only "
                f"{listed(allowed)}: take the protocol out, or give the track another name"
            )


def check_metrics(benchmark: BenchmarkSpec) -> None:
    """Raise `InputError` unless every metric of a benchmark is registered, so that submissions can be scored."""
    from striate.registry import metrics

    for name in benchmark.metrics.names:
        if name not in metrics:
            raise InputError(
                f"Benchmark {benchmark.name!r} has the metric {name!r}, which is not installed: install the package that has it, "
                "or load it with --plugin FILE.py."
            )
