"""Read small tables from untrusted Parquet files. Sizes are checked before any value is read."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from striate.errors import InputError, shortened

if TYPE_CHECKING:
    import pandas as pd

MAX_ROWS = 10_000_000
MAX_CELLS = 100_000_000
_MAX_BYTES = 2**32  # uncompressed size of all values
_MAX_COLUMNS = 10_000


def read_table(path: str | os.PathLike[str], mend: str) -> "pd.DataFrame":
    """Read a table of numbers and strings.

    Parameters
    ----------
    path
        Parquet file.
    mend
        Advice at the end of the error message.

    Returns
    -------
    DataFrame
        Table with a default index. Pandas metadata in the file is ignored.

    Raises
    ------
    InputError
        If the file is missing, empty, damaged, or exceeds the limits of this module.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = Path(path)
    try:
        with file.open("rb") as opened:  # pyarrow would memory-map a path, and crash if the file is truncated
            parquet = pq.ParquetFile(opened)
            metadata = parquet.metadata
            groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
            unpacked = sum(group.total_byte_size for group in groups)
            rows, columns = metadata.num_rows, metadata.num_columns
            if rows < 0 or rows != sum(group.num_rows for group in groups):
                raise ValueError("its parts do not add up to its rows")
            if rows > MAX_ROWS or columns > _MAX_COLUMNS or rows * columns > MAX_CELLS or unpacked > _MAX_BYTES:
                raise ValueError(f"it claims {rows} rows of {columns} columns in {unpacked} bytes")
            names = parquet.schema_arrow.names
            if len(set(names)) != len(names):
                raise ValueError("two columns have the same name")
            # As dictionaries, so that a long string that is repeated a million times is stored once.
            table = pq.ParquetFile(
                opened, metadata=metadata, read_dictionary=_string_columns(parquet.schema_arrow)
            ).read()
            if any(_decoded_size(column) > _MAX_BYTES for column in table.columns):
                raise ValueError("its texts are longer than such a table can hold")
            frame: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    except (
        pa.ArrowException,
        OSError,
        ValueError,
        TypeError,
        LookupError,
        NotImplementedError,
        ArithmeticError,
        MemoryError,
    ) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        said = shortened(" ".join(reason.split()).rstrip(".") or type(error).__name__, 100)
        raise InputError(f"{file} cannot be read as a table ({said}): {mend}.") from None
    for name in frame.columns[frame.dtypes == "category"]:
        frame[name] = frame[name].astype(frame[name].cat.categories.dtype)
    return frame


def _string_columns(schema: "object") -> list[str]:
    import pyarrow as pa

    return [field.name for field in schema if pa.types.is_string(field.type)]  # type: ignore[attr-defined]


def _decoded_size(column: "object") -> int:
    """Return the size in bytes of the strings of a dictionary-encoded column after decoding."""
    import pyarrow as pa
    import pyarrow.compute as pc

    total = 0
    for chunk in column.chunks:  # type: ignore[attr-defined]
        if pa.types.is_dictionary(chunk.type):
            lengths = pc.binary_length(chunk.dictionary)
            total += pc.sum(lengths.take(chunk.indices)).as_py() or 0
    return total
