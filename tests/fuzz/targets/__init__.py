"""Every reader of striate as a function of the bytes of one file, a module for each room."""

from tests.fuzz.targets import (
    benchmarks,
    competition,
    fetch,
    loading,
    models,
    portal,
    recordings,
    simulate,
    submissions,
    tables,
    training,
)
from tests.fuzz.targets.target import Target

__all__ = ["TARGETS", "Target"]

_ROOMS = (benchmarks, recordings, tables, simulate, fetch, loading, models, training, submissions, competition, portal)
TARGETS: dict[str, Target] = {name: target for room in _ROOMS for name, target in room.TARGETS.items()}
