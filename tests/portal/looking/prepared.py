"""What was prepared of a recording, as a browser reads it."""

import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.recordings import Recording, write

TIERS = ("train", "validation", "test", "final_test")
STEP = 25 * 2 * 0.5 / 254  # the largest error of a code, in standard deviations: half a step of the square root


def read_tile(file: Path, number: int) -> NDArray[np.uint8]:
    """One tile of a raster; they are numbered level by level, row by row."""
    starts = np.frombuffer(file.with_suffix(".index").read_bytes(), dtype="<u4")
    packed = file.with_suffix(".tiles").read_bytes()[starts[number] : starts[number + 1]]
    return np.frombuffer(zlib.decompress(packed), dtype=np.uint8).reshape(256, 256)


@dataclass
class Looked:
    """What was prepared of a recording, as a browser reads it."""

    folder: Path

    @property
    def summary(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "summary.json").read_text()))

    @property
    def names(self) -> dict[str, list[Any]]:
        return dict(json.loads((self.folder / "names.json").read_text()))

    def column(self, name: str) -> NDArray[Any]:
        kind, start, length = self.summary["columns"][name]
        return np.frombuffer((self.folder / "columns.bin").read_bytes(), np.dtype(kind.lower()), length, start)

    def level(self, order: str, number: int = 0) -> NDArray[np.float32]:
        """A level of the raster, put together of its tiles."""
        from striate.portal.looking.codes import decoded
        from striate.portal.looking.pyramid import TILE

        levels = self.summary["raster"]["levels"][order]
        grids = [(-(-each["rows"] // TILE), -(-each["columns"] // TILE)) for each in levels]
        first = sum(down * across for down, across in grids[:number])
        down, across = grids[number]
        file = self.folder / f"raster-{order}"
        tiles = [[read_tile(file, first + row * across + column) for column in range(across)] for row in range(down)]
        codes = np.block(tiles)
        assert (codes[levels[number]["rows"] :] == 255).all(), "beyond the edge there is nothing"
        return decoded(codes[: levels[number]["rows"], : levels[number]["columns"]])


def looked(recording: Recording, folder: Path, *, track: bool = False, withheld: tuple[str, ...] = ()) -> Looked:
    """Write a recording, and prepare it."""
    from striate.portal.looking.prepare import prepare

    archive, out, aside = folder / f"{recording.session}.zip", folder / "looked", folder / "aside"
    write(recording, archive)
    for each in (out, aside):
        each.mkdir()
    prepare(archive, out, aside, recording.session, track=track, withheld=withheld)
    return Looked(out)


def forget(folder: str) -> None:
    """Remove a folder of the storage, if it is there."""
    from striate.portal.looking.store import storage

    try:
        folders, files = storage().listdir(folder)
    except FileNotFoundError:
        return
    for each in files:
        storage().delete(f"{folder}/{each}")
    for each in folders:
        forget(f"{folder}/{each}")
    storage().delete(folder)


def prepare_all() -> None:
    from striate.portal.looking.child import do_next
    from striate.portal.looking.jobs import look_later

    look_later()
    while do_next():
        pass


def parts(page: str) -> str:
    """The address below which the prepared files lie, as a page says it."""
    return page.split('data-files="')[1].split('"')[0]
