"""Broken native files: one sentence that names the file, exit status 1, and nothing written."""

import base64
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.submissions.command import one_sentence
from tests.submissions.examples import example

from striate.errors import InputError
from striate.submissions import Submission


def remade(path, *, header=None, metadata=None, keep=None, size=None, kind=None, **columns):
    """Write the file again with other metadata or columns, as a foreign program might."""
    table = pq.read_table(path)
    said = {**json.loads(table.schema.metadata[b"striate"]), **(header or {})}
    if columns or kind:
        for name, column in columns.items():
            place = table.schema.names.index(name)
            table = table.set_column(place, name, column(table.column(name)))
    if keep is not None:
        table = table.select(keep)
    text = json.dumps(said).encode() if metadata is None else metadata
    table = table.replace_schema_metadata({b"striate": text} if text else None)
    pq.write_table(table if size is None else table.slice(0, size), path)


def values(change, element=pa.float32, size=None):
    """Change the predictions as an array, and make a list column of them again."""

    def column(old):
        numbers = np.array(old.to_pylist(), dtype=np.float64)
        numbers = change(numbers)
        width = numbers.shape[1] if size is None else size
        flat = pa.array(numbers.reshape(-1), type=element())
        return pa.FixedSizeListArray.from_arrays(flat, width)

    return column


def put(value):
    def change(numbers):
        numbers[5, 3] = value
        return numbers

    return values(change)


def bytes_changed(change):
    return lambda path: path.write_bytes(change(path.read_bytes()))


def first(value, type_=None):
    return lambda old: pa.array([value, *old.to_pylist()[1:]], type=type_)


BROKEN = {
    "empty": (bytes_changed(lambda b: b""), "not a Parquet file"),
    "not Parquet": (bytes_changed(lambda b: b"hello, world\n" * 9), "not a Parquet file"),
    "a zip": (bytes_changed(lambda b: b"PK\x03\x04" + b), "not a Parquet file"),
    "cut in half": (bytes_changed(lambda b: b[: len(b) // 2]), "cut short"),
    "cut by a byte": (bytes_changed(lambda b: b[:-1]), "cut short"),
    "only the magic": (bytes_changed(lambda b: b"PAR1"), "cut short"),
    "footer of zeros": (bytes_changed(lambda b: b[:-400] + bytes(396) + b"PAR1"), "damaged"),
    "huge footer": (bytes_changed(lambda b: b[:-8] + b"\xff\xff\xff\x7fPAR1"), "damaged"),
    "values overwritten": (bytes_changed(lambda b: b[:200] + b"\x55" * 1500 + b[1700:]), "damaged"),
    "no metadata": (lambda p: remade(p, metadata=b""), "in its schema metadata"),
    "metadata no JSON": (lambda p: remade(p, metadata=b"{session:"), "metadata are invalid"),
    "metadata a list": (lambda p: remade(p, metadata=b"[1, 2]"), "metadata are invalid"),
    "metadata nested": (lambda p: remade(p, metadata=b"[" * 10_000), "metadata are invalid"),
    "no session": (lambda p: remade(p, header={"session": None}), "invalid (session"),
    "odd session": (lambda p: remade(p, header={"session": "../../etc"}), "cannot name a session"),
    "no name of a track": (lambda p: remade(p, header={"track": "<b>main</b>"}), "cannot name a track"),
    "no protocol": (lambda p: remade(p, header={"protocol": None}), "does not state its protocol"),
    "unknown protocol": (lambda p: remade(p, header={"protocol": "imag"}), "did you mean 'image'"),
    "further metadata": (lambda p: remade(p, header={"score": 1.0}), "invalid (score"),
    "newer version": (lambda p: remade(p, header={"version": 2}), "invalid (version"),
    "a truth": (lambda p: remade(p, header={"kind": "truth"}), "is a truth"),
    "unit ids of text": (lambda p: remade(p, header={"unit_ids": ["a"] * 12}), "invalid (unit_ids"),
    "no unit ids": (lambda p: remade(p, header={"unit_ids": []}), "invalid (unit_ids"),
    "too few unit ids": (lambda p: remade(p, header={"unit_ids": list(range(11))}), "12 elements for 11 unit ids"),
    "doubled unit id": (lambda p: remade(p, header={"unit_ids": [1, 1, *range(2, 12)]}), "Unit id 1 occurs twice"),
    "giant unit id": (lambda p: remade(p, header={"unit_ids": [10**30, *range(11)]}), "must fit in 64 bits"),
    "missing column": (lambda p: remade(p, keep=["tier", "trial_idx", "prediction"]), "has the columns"),
    "doubled column": (
        lambda p: remade(p, keep=["tier", "trial_idx", "image_id", "prediction", "tier"]),
        "has the columns",
    ),
    "no rows": (lambda p: remade(p, size=0), "has no rows"),
    "float64": (lambda p: remade(p, prediction=values(lambda v: v, pa.float64)), "fixed-size list of float32"),
    "integers": (lambda p: remade(p, prediction=values(np.round, pa.int32)), "fixed-size list of float32"),
    "plain list": (
        lambda p: remade(p, prediction=lambda c: pa.array(c.to_pylist(), type=pa.list_(pa.float32()))),
        "fixed-size list of float32",
    ),
    "numbers": (lambda p: remade(p, prediction=lambda c: pa.array([1.0] * len(c))), "fixed-size list of float32"),
    "too few neurons": (lambda p: remade(p, prediction=values(lambda v: v[:, :-1])), "11 elements for 12 unit ids"),
    "a prediction empty": (
        lambda p: remade(
            p, prediction=lambda c: pa.array([[None] * 12, *c.to_pylist()[1:]], type=pa.list_(pa.float32(), 12))
        ),
        "empty entries",
    ),
    "a list empty": (
        lambda p: remade(p, prediction=lambda c: pa.array([None, *c.to_pylist()[1:]], type=pa.list_(pa.float32(), 12))),
        "s.parquet",
    ),
    "NaN": (lambda p: remade(p, prediction=put(np.nan)), "hold nan"),
    "infinite": (lambda p: remade(p, prediction=put(np.inf)), "hold inf"),
    "negative": (lambda p: remade(p, prediction=put(-1.0)), "is -1; responses are ≥ 0"),
    "trial of float": (lambda p: remade(p, trial_idx=lambda c: c.cast(pa.float64())), "int64 or string"),
    "trial empty": (lambda p: remade(p, trial_idx=first(None)), "empty entries"),
    "trial doubled": (
        lambda p: remade(p, trial_idx=lambda c: pa.array([c[1].as_py(), *c.to_pylist()[1:]])),
        "occurs 2 times",
    ),
    "trial of great length": (
        lambda p: remade(p, trial_idx=lambda c: pa.array(["x" * 300, *map(str, c.to_pylist()[1:])])),
        "longer than 200 characters",
    ),
    "unknown tier": (lambda p: remade(p, tier=first("tset")), "no tier 'tset'"),
    "tier empty": (lambda p: remade(p, tier=first(None)), "empty entries"),
    "tier a number": (lambda p: remade(p, tier=lambda c: pa.array(range(len(c)))), "expected string"),
    "image of float": (lambda p: remade(p, image_id=lambda c: c.cast(pa.float32())), "int64 or string"),
    # what is well-formed but does not fit the truth
    "other session": (lambda p: remade(p, header={"session": "1-1-1"}), "session 1-1-1"),
    "trial missing": (lambda p: remade(p, size=30), "lacks 6 trials of tier 'final_test'"),
    "unit id unknown": (lambda p: remade(p, header={"unit_ids": list(range(900, 912))}), "lacks 12 unit ids"),
    "other image": (lambda p: remade(p, image_id=first(5)), "another image"),
}


@pytest.mark.slow
@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_file_gives_one_sentence(tmp_path, capsys, monkeypatch, broken):
    damage, words = BROKEN[broken]
    _, submission, truth = example()
    path = tmp_path / "s.parquet"
    submission.write(path)
    truth.write(tmp_path / "t.parquet")
    damage(path)
    said = one_sentence(capsys, monkeypatch, tmp_path, "score", path, tmp_path / "t.parquet")
    assert words in said
    assert str(path) in said


@pytest.mark.parametrize(
    ("limit", "value"), [("MAX_VALUES", 36 * 12 - 1), ("MAX_TRIALS", 35), ("_MAX_HEADER_BYTES", 99)]
)
def test_a_file_that_claims_too_much_is_refused_before_it_is_read(tmp_path, monkeypatch, limit, value):
    _, submission, _ = example()
    submission.write(tmp_path / "s.parquet")
    monkeypatch.setattr(f"striate.submissions.formats.parquet.{limit}", value)
    for reading in ("_read_keys", "_read_values"):
        monkeypatch.setattr(f"striate.submissions.formats.parquet.{reading}", lambda *_: pytest.fail("it was read"))
    with pytest.raises(InputError, match=f"at most .*{value}"):
        Submission.read(tmp_path / "s.parquet")


def test_lists_longer_than_they_say_are_refused(tmp_path):
    """The schema that PyArrow believes may be another than that of the columns."""
    _, submission, _ = example()
    path = tmp_path / "s.parquet"
    submission.write(path)
    table = pq.read_table(path)
    honest = table.schema
    longer = pa.list_(pa.field("element", pa.float32(), nullable=False), 2400)
    column = pa.FixedSizeListArray.from_arrays(pa.array(np.ones(2400 * len(table), dtype=np.float32)), type=longer)
    table = table.set_column(3, pa.field("prediction", longer, nullable=False), column)
    claim = base64.b64encode(honest.serialize().to_pybytes())
    table = table.replace_schema_metadata({**honest.metadata, b"ARROW:schema": claim})
    pq.write_table(table, path)
    assert pq.ParquetFile(path).schema_arrow.field("prediction").type.list_size == 12
    with pytest.raises(InputError, match=r"claims 86400 values .* where 432 values belong"):
        Submission.read(path)


def test_a_folder_or_nothing_is_no_file(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere.parquet"):
        with pytest.raises(InputError, match="give a Parquet file"):
            Submission.read(path)
