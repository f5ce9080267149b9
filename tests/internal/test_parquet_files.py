"""Tables in Parquet files from anybody are read or refused, whatever they claim."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.fixtures.limits import memory_limit
from tests.fixtures.messages import assert_short

from striate._internal.parquet_files import read_table
from striate.errors import InputError


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    table = pd.DataFrame({"name": ["a", "b", "a"], "n": [1, 2, 3], "x": [0.5, np.nan, 2.0]})
    table.to_parquet(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.parquet", "write it again"), table)


def refused(path: Path, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught, memory_limit(2**30):
        read_table(path, "write it again")
    assert_short(caught.value, path)
    assert str(caught.value).endswith("write it again.")


def test_tables_that_are_refused(tmp_path: Path) -> None:
    whole = tmp_path / "whole.parquet"
    pd.DataFrame({"n": range(1000)}).to_parquet(whole)
    refused(tmp_path / "none.parquet", "No such file")
    content = whole.read_bytes()
    for name, changed in {
        "empty": b"",
        "text": b"no table" * 100,
        "cut": content[:-20],
        "hole": content[:100] + bytes(200) + content[300:],
        "footer": content[:-300] + bytes(100) + content[-200:],
    }.items():
        (tmp_path / name).write_bytes(changed)
        refused(tmp_path / name, "cannot be read as a table")


def test_a_long_text_a_million_times_is_refused_before_it_is_spelt_out(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.parquet"
    indices = pa.array(np.zeros(1_000_000, np.int32))
    column = pa.DictionaryArray.from_arrays(indices, pa.array(["x" * 100_000]))
    pq.write_table(pa.table({"name": column}), bomb)
    assert bomb.stat().st_size < 200_000
    refused(bomb, "longer than such a table can hold")


def test_a_table_of_too_many_rows_is_refused(tmp_path: Path) -> None:
    many = tmp_path / "many.parquet"
    pq.write_table(pa.table({"n": pa.array(np.zeros(10_000_001, np.int8))}), many)
    refused(many, "claims 10000001 rows")
