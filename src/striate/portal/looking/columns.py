"""Columns of numbers in one file, as a browser reads them without parsing: each is a typed array at its offset."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TYPES = {"f4": "Float32", "u1": "Uint8", "u2": "Uint16", "u4": "Uint32", "i4": "Int32"}
_ALIGNED = 8  # bytes


def write_columns(file: Path, columns: Mapping[str, NDArray[Any]]) -> dict[str, tuple[str, int, int]]:
    """Write columns; return the type, first byte and number of values of each, by name."""
    found = {}
    with file.open("wb") as target:
        for name, values in columns.items():
            kind = f"{values.dtype.kind}{values.dtype.itemsize}"
            target.write(b"\0" * (-target.tell() % _ALIGNED))
            found[name] = (_TYPES[kind], target.tell(), len(values))
            target.write(np.ascontiguousarray(values, dtype=f"<{kind}").data)
    return found
