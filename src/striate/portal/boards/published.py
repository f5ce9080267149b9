"""The results that were published: until then there are none, for nobody."""

from functools import lru_cache

from django.core.files.storage import Storage, storages

from striate.competition import BoardResult, Results, RowResult
from striate.competition.results import FILE as RESULTS
from striate.portal import storage as files
from striate.portal.models import Publication


def published() -> Results | None:
    """The results that were published last; None as long as there are none."""
    last = Publication.objects.order_by("-pk").first()
    return None if last is None else _read(last.digest)


@lru_cache(maxsize=2)
def _read(digest: str) -> Results:
    with files.on_disk(storage(), f"{digest}/{RESULTS}") as found:
        return Results.read(found[0].parent)


def storage() -> Storage:
    """Where bundles lie, each in a folder named by its hash."""
    return storages["results"]


def board_in(results: Results, track: str, protocol: str) -> BoardResult | None:
    """The board of a track and protocol among results."""
    return next((each for each in results.boards if (each.track, each.protocol) == (track, protocol)), None)


def final_row(track: str, protocol: str, receipt: int) -> RowResult | None:
    """The row of a receipt on its final board, once that is published."""
    results = published()
    board = board_in(results, track, protocol) if results else None
    return next((row for row in board.rows if row.receipt == receipt), None) if board else None
