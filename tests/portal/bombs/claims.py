"""Files that claim, or hold, far more than they seem to."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.portal.bombs.making import BOMBS, Random, bomb, header_of, lists, table, write


@bomb(BOMBS)
def many_rows(sound: Path, path: Path, random: Random) -> Path:
    """Many rows in a few kilobytes: each column one value, run-length encoded."""
    neurons = len(json.loads(header_of(sound))["unit_ids"])
    count = 20_000
    one = {"tier": pa.array(["test"] * count), "trial_idx": pa.array([0] * count), "image_id": pa.array([0] * count)}
    rows = pa.table({**one, "prediction": lists(np.zeros((count, neurons), np.float32))})
    rows = rows.replace_schema_metadata({b"striate": header_of(sound)})
    with pq.ParquetWriter(path, rows.schema, compression="zstd") as writer:
        for _ in range(int(random.integers(8, 12))):
            writer.write_table(rows, row_group_size=count)
    return path


@bomb(BOMBS)
def a_billion_rows_claimed(sound: Path, path: Path, _: Random) -> Path:
    """The number of rows in the footer is 1e9; nothing stands behind it."""
    data = sound.read_bytes()
    (length,) = struct.unpack("<I", data[-8:-4])
    start = len(data) - 8 - length
    footer = data[start:-8]
    rows = pq.read_metadata(sound).num_rows
    old, new = _varint(2 * rows), _varint(2 * 10**9)
    changed = footer.replace(b"\x16" + old, b"\x16" + new)  # 64-bit fields, the number of rows among them
    path.write_bytes(data[:start] + changed + struct.pack("<I", len(changed)) + b"PAR1")
    return path


def _varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


@bomb(BOMBS)
def huge_strings(sound: Path, path: Path, random: Random) -> Path:
    """One string of many megabytes, in each row."""
    rows = pq.read_metadata(sound).num_rows
    text = chr(int(random.integers(97, 122))) * int(random.integers(1e6, 3e7))
    return write(table(sound, image_id=pa.array([text]).take(pa.array([0] * min(rows, 60) + [0] * (rows - 60)))), path)


@bomb(BOMBS)
def nested_lists(sound: Path, path: Path, random: Random) -> Path:
    """Lists in lists in lists."""
    rows = pq.read_metadata(sound).num_rows
    kind: pa.DataType = pa.float32()
    value: Any = 1.0
    for _ in range(int(random.integers(3, 60))):
        kind, value = pa.list_(kind), [value]
    return write(table(sound, prediction=pa.array([value] * rows, kind)), path)


@bomb(BOMBS)
def deep_structures(sound: Path, path: Path, random: Random) -> Path:
    """A schema hundreds of levels deep."""
    kind: pa.DataType = pa.int32()
    for _ in range(int(random.integers(100, 400))):
        kind = pa.struct([("a", kind)])
    schema = pa.schema([pa.field("deep", kind)], metadata={b"striate": header_of(sound)})
    pq.write_metadata(schema, path)
    return path


@bomb(BOMBS)
def thousands_of_columns(sound: Path, path: Path, random: Random) -> Path:
    """Columns that nobody asked for."""
    wide = table(sound)
    column = pa.array(np.zeros(wide.num_rows, np.int8))
    for number in range(int(random.integers(1000, 3000))):
        wide = wide.append_column(f"c{number}", column)
    return write(wide, path)


@bomb(BOMBS)
def enormous_metadata(sound: Path, path: Path, random: Random) -> Path:
    """A footer of many megabytes."""
    header = header_of(sound, session="x" * int(random.integers(2**24, 2**26)))
    return write(table(sound, header), path)


@bomb(BOMBS)
def millions_of_ids(sound: Path, path: Path, random: Random) -> Path:
    """More unit ids than there are neurons."""
    return write(table(sound, header_of(sound, unit_ids=list(range(int(random.integers(10**5, 2 * 10**6)))))), path)


@bomb(BOMBS)
def deep_json(sound: Path, path: Path, random: Random) -> Path:
    """A header whose JSON is nested without an end."""
    deep = int(random.integers(1000, 200_000))
    return write(table(sound, b'{"unit_ids":' + b"[" * deep + b"]" * deep + b"}"), path)


@bomb(BOMBS)
def large_footer_length(sound: Path, path: Path, random: Random) -> Path:
    """The footer says that it is longer than the file, or than any file."""
    data = sound.read_bytes()
    path.write_bytes(data[:-8] + struct.pack("<I", int(random.integers(len(data), 2**32 - 1))) + b"PAR1")
    return path
