"""Tables in Parquet."""

from pathlib import Path

import numpy as np
import pandas as pd

from tests.fuzz.targets.target import Target, bytes_of


def _table(path: Path) -> None:
    from striate._internal.parquet_files import read_table

    read_table(path, "write it again")


def tables() -> list[bytes]:
    table = pd.DataFrame({"recording": ["a", "a", "b"], "unit_id": [1, 2, 3], "x": [0.5, np.nan, 2.0]})
    return [bytes_of(table.to_parquet, "a.parquet")]


TARGETS: dict[str, Target] = {
    "table": Target(_table, "a.parquet", tables),
}
