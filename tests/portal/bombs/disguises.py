"""Files that are not what they say."""

import gzip
import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.portal.bombs.making import BOMBS, Random, bomb, table, values_of, write


@bomb(BOMBS)
def another_compression(sound: Path, path: Path, random: Random) -> Path:
    """Written with one codec, labelled with another."""
    how = str(random.choice(["snappy", "gzip", "brotli", "lz4", "none"]))
    clean = io.BytesIO()
    pq.write_table(table(sound), clean, compression=how)
    data = clean.getvalue()
    (length,) = struct.unpack("<I", data[-8:-4])
    start = len(data) - 8 - length
    code = {"none": 0, "snappy": 1, "gzip": 2, "brotli": 4, "lz4": 7}[how]
    # Of LZ4 there are two labels (5 and 7), and readers take either for the other: that file would be sound.
    others = [each for each in range(8) if each != code and {each, code} != {5, 7}]
    # In a column's metadata the codec (field 4, an enumeration) is followed by the number of values (field 5).
    footer = data[start:-8].replace(bytes([0x15, 2 * code, 0x16]), bytes([0x15, 2 * int(random.choice(others)), 0x16]))
    path.write_bytes(data[:start] + footer + data[-8:])
    return path


@bomb(BOMBS)
def lying_pages(sound: Path, path: Path, random: Random) -> Path:
    """Sizes in the heads of pages that are not theirs."""
    data = bytearray(sound.read_bytes())
    (length,) = struct.unpack("<I", data[-8:-4])
    footer = len(data) - 8 - length
    metadata = pq.read_metadata(sound)
    for group in range(metadata.num_row_groups):
        for number in range(metadata.num_columns):
            column = metadata.row_group(group).column(number)
            at = column.dictionary_page_offset if column.has_dictionary_page else column.data_page_offset
            for place in range(at + 1, min(at + 10, footer)):
                data[place] = int(random.integers(0, 256))
    path.write_bytes(bytes(data))
    return path


@bomb(BOMBS)
def another_format(sound: Path, path: Path, random: Random) -> Path:
    """The magic bytes of something else, or a bomb of it."""
    zeros = bytes(2**24)
    kinds: dict[str, Callable[[], bytes]] = {
        "gzip": lambda: gzip.compress(gzip.compress(zeros * 4)),
        "zip": lambda: _zipped(zeros),
        "pickle": lambda: b"\x80\x04cposix\nsystem\n(S'touch /tmp/striate-was-here'\ntR.",
        "npy": lambda: (
            b"\x93NUMPY\x01\x00\x76\x00" + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}" + zeros[:100]
        ),
        "arrow": lambda: b"ARROW1\x00\x00" + zeros[:1000],
        "hdf5": lambda: b"\x89HDF\r\n\x1a\n" + zeros[:1000],
        "png": lambda: b"\x89PNG\r\n\x1a\n" + zeros[:1000],
        "zeros": lambda: zeros[: int(random.integers(1, 2**20))],
        "script": lambda: b"#!/bin/sh\ntouch /tmp/striate-was-here\n",
        "html": lambda: b"<!doctype html><script>alert(1)</script>",
        "encrypted": lambda: b"PARE" + zeros[:100] + b"PARE",
        "empty": lambda: b"",
        "magic alone": lambda: b"PAR1PAR1",
        "magic twice": lambda: b"PAR1" + random.bytes(1000) + b"PAR1",
    }
    path.write_bytes(kinds[str(random.choice(list(kinds)))]())
    return path


def _zipped(content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(20):
            archive.writestr(f"../../../{number}.parquet", content)
    return stream.getvalue()


@bomb(BOMBS)
def wrong_types(sound: Path, path: Path, random: Random) -> Path:
    """A column of another type."""
    rows = pq.read_metadata(sound).num_rows
    kinds = {
        "trial_idx": [pa.array(np.zeros(rows)), pa.array([True] * rows), pa.array([b"x"] * rows)],
        "tier": [pa.array([1] * rows), pa.array([b"test"] * rows)],
        "image_id": [pa.array([None] * rows, pa.null()), pa.array(np.zeros(rows, "datetime64[s]"))],
        "prediction": [pa.array([""] * rows), pa.array(values_of(sound).astype(np.float64).tolist())],
    }
    name = str(random.choice(list(kinds)))
    return write(table(sound, **{name: kinds[name][int(random.integers(len(kinds[name])))]}), path)
