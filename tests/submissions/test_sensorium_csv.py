"""The CSVs of 2022: read and written exactly, whatever legal form they have."""

import csv
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tests.submissions.examples import example, shuffled

from striate.errors import InputError
from striate.submissions import Submission, convert, open_submission, open_truth
from striate.submissions.formats import sensorium_csv
from striate.submissions.formats.sensorium_csv_parser import read_floats, write_lists

LIVE, FINAL = sensorium_csv.SUBMISSION_FILES["test"], sensorium_csv.SUBMISSION_FILES["final_test"]


def rows_of(path):
    csv.field_size_limit(sys.maxsize)
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_writing_gives_the_very_bytes_of_the_benchmarks_own_files(shared, tmp_path):
    golden = shared / "golden"
    sensorium_csv.write(sensorium_csv.read(golden / LIVE), tmp_path)
    sensorium_csv.write_truth(sensorium_csv.read_truth(golden / "ground_truth_file_test.csv"), tmp_path)
    for name in (LIVE, "ground_truth_file_test.csv"):
        assert (tmp_path / name).read_bytes() == (golden / name).read_bytes()


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 5), st.integers(1, 6)),
        elements=st.floats(0, 2.0**127, width=32) | st.sampled_from([0.0, 1.0, 2.0**-149, 2.0**24, 0.5, 2.0**54]),
    )
)
def test_every_float32_is_written_as_python_would_and_read_back(values):
    import pyarrow as pa

    texts = list(write_lists(values))
    assert texts == [str(row.tolist()).encode() for row in values]
    np.testing.assert_array_equal(read_floats(pa.array(texts, type=pa.binary()), values.shape[1]), values)


def test_a_submission_of_both_tiers_makes_two_files(tmp_path):
    _, submission, truth = example()
    assert [p.name for p in sensorium_csv.write(submission, tmp_path / "out")] == [LIVE, FINAL]
    again = sensorium_csv.read(tmp_path / "out", session="7-1-1", track="sensorium", protocol="image")
    assert again.fingerprint == submission.fingerprint
    assert (again.session, again.protocol) == ("7-1-1", "image")
    names = [p.name for p in sensorium_csv.write_truth(truth, tmp_path / "truth")]
    assert names == ["ground_truth_file_test.csv", "ground_truth_file_final_test.csv"]
    np.testing.assert_array_equal(sensorium_csv.read_truth(tmp_path / "truth").responses, truth.responses)
    assert sensorium_csv.read(tmp_path / "out", tier="final_test").tiers == ("final_test",)


def test_the_cells_are_what_python_reads_as_lists(tmp_path):
    _, submission, _ = example()
    sensorium_csv.write(submission, tmp_path)
    row = rows_of(tmp_path / LIVE)[0]
    assert list(row) == ["trial_indices", "image_ids", "prediction", "neuron_ids"]
    first = submission.rows("test")[0]
    assert [float(x) for x in row["prediction"][1:-1].split(", ")] == submission.predictions[first].tolist()
    assert row["neuron_ids"] == str(submission.unit_ids.tolist())
    assert int(row["trial_indices"]) == submission.trial_idx[first]


def write_csv(path, rows, columns=("trial_indices", "image_ids", "prediction", "neuron_ids"), **style):
    with path.open("w", newline="") as file:
        writer = csv.writer(file, **style)
        writer.writerow(columns)
        writer.writerows(rows)


def legal_rows(submission, tier="test"):
    rows = submission.rows(tier)
    ids = str(submission.unit_ids.tolist())
    return [
        [submission.trial_idx[r], submission.image_id[r], str(submission.predictions[r].tolist()), ids] for r in rows
    ]


@pytest.mark.parametrize(
    "form",
    [
        "quote everything",
        "carriage returns",
        "other order",
        "further columns",
        "no spaces",
        "more spaces",
        "mark",
        "exponents",
    ],
)
def test_legal_variants_say_the_same(tmp_path, form):
    _, submission, _ = example(final_images=0)
    rows, path = legal_rows(submission), tmp_path / LIVE
    columns = ["trial_indices", "image_ids", "prediction", "neuron_ids"]
    style = {}
    if form == "quote everything":
        style = {"quoting": csv.QUOTE_ALL}
    elif form == "carriage returns":
        style = {"lineterminator": "\r\n"}
    elif form == "other order":
        rows, columns = [row[::-1] for row in rows], columns[::-1]
    elif form == "further columns":
        rows, columns = [[i, *row, "x"] for i, row in enumerate(rows)], ["", *columns, "note"]
    elif form == "no spaces":
        rows = [[cell.replace(", ", ",") if isinstance(cell, str) else cell for cell in row] for row in rows]
    elif form == "more spaces":
        rows = [
            [cell.replace(", ", " ,  ").replace("[", " [ ") if isinstance(cell, str) else cell for cell in row]
            for row in rows
        ]
    elif form == "exponents":
        rows = [[*row[:2], str([f"{v:.9e}" for v in eval(row[2])]).replace("'", ""), row[3]] for row in rows]
    write_csv(path, rows, columns, **style)
    if form == "mark":
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert sensorium_csv.read(path).fingerprint == submission.fingerprint


def test_a_row_with_its_neurons_in_another_order_is_put_in_order(tmp_path):
    _, submission, _ = example(final_images=0)
    rows = legal_rows(submission)
    values, ids = (cell[1:-1].split(", ") for cell in rows[2][2:])
    rows[2][2:] = [f"[{', '.join(values[::-1])}]", f"[{', '.join(ids[::-1])}]"]
    write_csv(tmp_path / LIVE, rows)
    assert sensorium_csv.read(tmp_path / LIVE).fingerprint == submission.fingerprint


def test_two_files_with_their_neurons_in_different_order_agree(tmp_path):
    _, submission, _ = example()
    sensorium_csv.write(submission, tmp_path)
    other = shuffled(submission)
    sensorium_csv.write(open_submission(tmp_path, tier="final_test"), tmp_path / "x")
    sensorium_csv.write(replace_rows(other, "final_test"), tmp_path, overwrite=True)
    assert sensorium_csv.read(tmp_path).fingerprint == submission.fingerprint


def replace_rows(submission, tier):
    rows = submission.rows(tier)
    return replace(
        submission,
        tier=submission.tier[rows],
        trial_idx=submission.trial_idx[rows],
        image_id=submission.image_id[rows],
        predictions=submission.predictions[rows],
    )


def test_trial_indices_of_competition_scans_stay_strings(tmp_path):
    _, submission, _ = example(final_images=0)
    hashes = np.array([f"{int(i) * 7919:032x}" for i in submission.trial_idx])
    sensorium_csv.write(replace(submission, trial_idx=hashes), tmp_path)
    np.testing.assert_array_equal(sensorium_csv.read(tmp_path).trial_idx, hashes)


def test_odd_strings_are_quoted(tmp_path):
    _, submission, _ = example(final_images=0)
    odd = np.array([f'a,"{i}"' for i in submission.trial_idx])
    sensorium_csv.write(replace(submission, trial_idx=odd), tmp_path)
    np.testing.assert_array_equal(sensorium_csv.read(tmp_path).trial_idx, odd)


def test_negative_predictions_of_old_submissions_are_still_scored(tmp_path):
    _, submission, _ = example(final_images=0)
    sensorium_csv.write(replace(submission, predictions=submission.predictions - 2), tmp_path)
    assert sensorium_csv.read(tmp_path).predictions.min() < 0


def test_another_name_needs_its_tier(tmp_path):
    _, submission, truth = example(final_images=0)
    path, truth_path = tmp_path / "mine.csv", tmp_path / "measured.csv"
    assert sensorium_csv.write(submission, path) == (path,)
    sensorium_csv.write_truth(truth, truth_path)
    with pytest.raises(InputError, match="does not tell its tier"):
        sensorium_csv.read(path)
    assert open_submission(path, tier="live_test").fingerprint == submission.fingerprint
    assert open_truth(truth_path, tiers=["test"]).fingerprint == truth.fingerprint
    path.rename(tmp_path / FINAL)
    with pytest.raises(InputError, match="file of tier 'final_test' by its name"):
        sensorium_csv.read(tmp_path / FINAL, tier="test")


def test_one_csv_holds_one_tier(tmp_path):
    _, submission, _ = example()
    with pytest.raises(InputError, match="name a folder"):
        sensorium_csv.write(submission, tmp_path / "both.csv")
    assert not list(tmp_path.iterdir())


def test_other_tiers_have_no_file(tmp_path):
    recording, _, _ = example()
    rows = len(recording.rows("validation"))
    validation = Submission.from_array(recording, np.ones((rows, 12)), protocol="image", tiers=["validation"])
    with pytest.raises(InputError, match="no file for tier 'validation'"):
        sensorium_csv.write(validation, tmp_path)


def test_neither_file_is_written_if_one_stands_there(tmp_path):
    _, submission, _ = example()
    (tmp_path / FINAL).write_text("precious")
    with pytest.raises(InputError, match="exists already"):
        sensorium_csv.write(submission, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [FINAL]


def test_converting_there_and_back_changes_nothing(tmp_path):
    _, submission, _ = example()
    submission.write(tmp_path / "a.parquet")
    assert len(convert(tmp_path / "a.parquet", tmp_path / "csv")) == 2
    said = {"session": "7-1-1", "track": "sensorium", "protocol": "image"}
    convert(tmp_path / "csv", tmp_path / "b.parquet", **said)
    again = Submission.read(tmp_path / "b.parquet")
    np.testing.assert_array_equal(again.predictions, submission.predictions)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


@pytest.mark.parametrize(
    ("source", "target", "said", "words"),
    [
        ("a.parquet", "b.parquet", {}, "native submission already"),
        ("a.parquet", "csv2", {"session": "1-1-1"}, "leave out --session"),
        ("csv", "csv2", {}, "give a target that ends in .parquet"),
        ("csv", "b.parquet", {"protocol": "image"}, "--session"),
        ("csv", "b.parquet", {"session": "7-1-1"}, "--protocol"),
        ("csv", "a.parquet", {"session": "7-1-1", "protocol": "image"}, "exists already"),
        ("nowhere", "b.parquet", {"session": "7-1-1", "protocol": "image"}, "does not exist"),
    ],
)
def test_conversions_that_make_no_sense(tmp_path, source, target, said, words):
    _, submission, _ = example()
    submission.write(tmp_path / "a.parquet")
    sensorium_csv.write(submission, tmp_path / "csv")
    before = sorted(p.name for p in tmp_path.rglob("*"))
    with pytest.raises(InputError, match=words):
        convert(tmp_path / source, tmp_path / target, **said)
    assert sorted(p.name for p in tmp_path.rglob("*")) == before
