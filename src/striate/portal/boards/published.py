"""The results that were published: until then there are none, for nobody."""

from functools import lru_cache
from pathlib import Path

from striate.competition import BoardResult, Results, RowResult
from striate.competition.results import FILE
from striate.portal.competition import place


def published() -> Results | None:
    """The results, once they are published."""
    file = place().data / "results" / FILE
    try:
        known = file.stat()
    except FileNotFoundError:
        return None
    return _read(file.parent, known.st_mtime_ns, known.st_size)


@lru_cache(maxsize=1)
def _read(folder: Path, changed: int, size: int) -> Results:
    return Results.read(folder)


def final_board(track: str, protocol: str) -> BoardResult | None:
    """The final board of a track and protocol, once it is published."""
    results = published()
    boards = results.boards if results else ()
    return next((each for each in boards if (each.track, each.protocol) == (track, protocol)), None)


def final_row(track: str, protocol: str, receipt: int) -> RowResult | None:
    """The row of a receipt on its final board."""
    board = final_board(track, protocol)
    return next((row for row in board.rows if row.receipt == receipt), None) if board else None
