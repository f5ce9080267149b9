"""Sound files with something wrong in them."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.portal.bombs.making import BOMBS, Random, bomb, header_of, lists, table, values_of, write


@bomb(BOMBS)
def wrong_values(sound: Path, path: Path, random: Random) -> Path:
    """NaN, infinities, negative rates."""
    values = values_of(sound)
    wrong = random.choice([np.nan, np.inf, -np.inf, -1e-3, -3e38])
    values[random.integers(values.shape[0]), random.integers(values.shape[1])] = wrong
    return write(table(sound, prediction=lists(values)), path)


@bomb(BOMBS)
def empty_values(sound: Path, path: Path, random: Random) -> Path:
    """Entries that are missing."""
    whole = pq.read_table(sound)
    name = str(random.choice(["tier", "trial_idx", "image_id", "prediction"]))
    values = whole.column(name).to_pylist()
    values[int(random.integers(len(values)))] = None
    column = pa.array(values, whole.schema.field(name).type)
    whole = whole.set_column(whole.schema.get_field_index(name), pa.field(name, column.type), column)
    return write(whole.replace_schema_metadata({b"striate": header_of(sound)}), path)


@bomb(BOMBS)
def wrong_ids(sound: Path, path: Path, random: Random) -> Path:
    """Huge, doubled and unknown ids; names that lead elsewhere."""
    rows = pq.read_metadata(sound).num_rows
    ids = pq.read_table(sound).column("trial_idx").to_pylist()
    said = json.loads(header_of(sound))
    odd = str(
        random.choice(
            ["../../etc/passwd", "a\0b", "x" * 100_000, "\u202egpj", "=1+1", "🐭" * 60, "'; DROP TABLE portal"]
        )
    )
    changes: list[Callable[[], pa.Table]] = [
        lambda: table(sound, trial_idx=pa.array([ids[0], *ids[:-1]])),
        lambda: table(sound, trial_idx=pa.array([odd, *map(str, ids[1:])])),
        lambda: table(sound, image_id=pa.array([2**62 + n for n in range(rows)])),
        lambda: table(sound, tier=pa.array([odd] * rows)),
        lambda: table(sound, header_of(sound, session=odd)),
        lambda: table(sound, header_of(sound, track=odd)),
        lambda: table(sound, header_of(sound, protocol=odd)),
        lambda: table(sound, header_of(sound, unit_ids=[2**70, *said["unit_ids"][1:]])),
        lambda: table(sound, header_of(sound, unit_ids=[said["unit_ids"][1], *said["unit_ids"][1:]])),
        lambda: table(sound, header_of(sound, unit_ids=[-1, *said["unit_ids"][1:]])),
        lambda: table(sound, header_of(sound, more=1)),
        lambda: table(sound).slice(1),
        lambda: pa.concat_tables([table(sound)] * 2),
    ]
    return write(changes[int(random.integers(len(changes)))](), path)
