"""How files that were made to harm are made, and the kinds of them by name."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from striate.submissions import Submission

Random = np.random.Generator
Bomb = Callable[[Path, Path, Random], Path]
BOMBS: dict[str, Bomb] = {}
CSV_BOMBS: dict[str, Bomb] = {}


def bomb(into: dict[str, Bomb]) -> Callable[[Bomb], Bomb]:
    """Make a kind known by the name of its function."""

    def keep(made: Bomb) -> Bomb:
        into[made.__name__] = made
        return made

    return keep


def header_of(sound: Path, **changes: Any) -> bytes:
    """The header of a sound file, changed."""
    said = json.loads(pq.read_schema(sound).metadata[b"striate"])
    return json.dumps({**said, **changes}).encode()


def table(sound: Path, header: bytes | None = None, **columns: Any) -> pa.Table:
    """The table of a sound file, with other columns or another header."""
    whole = pq.read_table(sound)
    for name, values in columns.items():
        place = whole.schema.get_field_index(name)
        whole = whole.set_column(place, pa.field(name, values.type, nullable=pa.types.is_null(values.type)), values)
    return whole.replace_schema_metadata({b"striate": header or header_of(sound)})


def write(rows: pa.Table, path: Path, **how: Any) -> Path:
    pq.write_table(rows, path, **{"compression": "zstd", "store_schema": True, **how})
    return path


def lists(values: np.ndarray) -> pa.Array:
    kind = pa.list_(pa.field("element", pa.float32(), nullable=False), values.shape[1])
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1), pa.float32()), type=kind)


def values_of(sound: Path) -> np.ndarray:
    return Submission.read(sound).predictions.copy()
