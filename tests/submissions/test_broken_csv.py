"""Broken CSVs of 2022: one sentence that names the file, exit status 1, and nothing written."""

import pytest
from tests.submissions.command import one_sentence
from tests.submissions.examples import example, shuffled, without

from striate.errors import InputError
from striate.submissions.formats import sensorium_csv

LIVE, FINAL = sensorium_csv.SUBMISSION_FILES["test"], sensorium_csv.SUBMISSION_FILES["final_test"]


def text(change):
    return lambda path: path.write_text(change(path.read_text()))


def lines(change):
    """Change the list of lines; line 0 is the header."""

    def damage(path):
        rows = path.read_text().splitlines(keepends=True)
        path.write_text("".join(change(rows) or rows))

    return damage


def cells(row, change):
    """Change the four cells of one line: trial, image, predictions, ids (the lists without quotes)."""

    def damage(rows):
        trial, image, rest = rows[row].split(",", 2)
        predictions, ids = rest.strip()[1:-1].split('","')
        changed = change([trial, image, predictions, ids])
        rows[row] = '{},{},"{}","{}"\n'.format(*changed)

    return lines(damage)


def cell(row, place, change):
    def all_cells(values):
        return [change(v) if i == place else v for i, v in enumerate(values)]

    return cells(row, all_cells)


def swap_first(old_list, value):
    _, comma, rest = old_list.partition(", ")
    return f"[{value}{comma}{rest}"


BROKEN = {
    "empty": (text(lambda t: ""), "is empty"),
    "only a header": (lines(lambda r: r[:1]), "has no rows"),
    "not a CSV": (lambda p: p.write_bytes(b"\x00\x01\x02" * 999), "is not a CSV of 2022"),
    "a web page": (text(lambda t: "<!DOCTYPE html>\n<html></html>\n"), "is not a CSV of 2022"),
    "gzip": (lambda p: p.write_bytes(b"\x1f\x8b\x08" + b"\xff\n" * 99), "is not a CSV of 2022"),
    "no header": (lines(lambda r: r[1:]), "is not a CSV of 2022"),
    "no column of neurons": (text(lambda t: t.replace("neuron_ids", "units", 1)), "has no column 'neuron_ids'"),
    "a truth's column": (text(lambda t: t.replace("prediction", "responses", 1)), "has no column 'prediction'"),
    "misspelt column": (text(lambda t: t.replace("image_ids", "image_id", 1)), "did you mean 'image_id'"),
    "doubled column": (text(lambda t: t.replace("image_ids", "image_ids,image_ids", 1)), "has 2 columns 'image_ids'"),
    "cut in a list": (text(lambda t: t[: len(t) - 60]), "write or copy it again"),
    "cut before a cell": (lines(lambda r: [*r[:-1], r[-1].split(",")[0] + "\n"]), "write or copy it again"),
    "cut in a number": (text(lambda t: t[: t.rindex('","') - 4] + '"\n'), "write or copy it again"),
    "a cell too many": (lines(lambda r: [*r[:3], r[3].strip() + ",9\n", *r[4:]]), "write or copy it again"),
    "no quotes": (text(lambda t: t.replace('"', "")), "write or copy it again"),
    "not a list": (cell(3, 2, lambda v: "0.5"), "expected numbers in brackets"),
    "no brackets": (cell(3, 2, lambda v: v[1:-1]), "expected numbers in brackets"),
    "empty list": (cell(3, 2, lambda v: "[]"), "is not a number"),
    "empty cell": (cell(3, 2, lambda v: ""), "expected numbers in brackets"),
    "printed array": (cell(3, 2, lambda v: v.replace(",", "")), "is not a number"),
    "shortened array": (cell(3, 2, lambda v: "[0.1, 0.2, ..., 0.3]"), "'...' is not a number"),
    "NumPy's scalars": (cell(3, 2, lambda v: swap_first(v, "np.float32(0.5)")), "predictions.tolist()"),
    "a trial that is a float": (cell(3, 0, lambda v: f"{v}.0"), "is not an integer, and this is a float: write "),
    "an image that is a float": (cell(3, 1, lambda v: f"{v}.0"), "is not an integer, and this is a float: write "),
    "unit ids that are floats": (cell(3, 3, lambda v: swap_first(v, "130.0")), "this is a float: write 130 "),
    "a word": (cell(3, 2, lambda v: swap_first(v, "half")), "'half' is not a number"),
    "None": (cell(3, 2, lambda v: swap_first(v, "None")), "'None' is not a number"),
    "comma for point": (cell(3, 2, lambda v: swap_first(v, "0,5")), "13 values for 12 unit ids"),
    "NaN": (cell(3, 2, lambda v: swap_first(v, "nan")), "must be a finite number"),
    "infinite": (cell(3, 2, lambda v: swap_first(v, "-inf")), "must be a finite number"),
    "too large": (cell(3, 2, lambda v: swap_first(v, "1e300")), "must be a finite number"),
    "one value less": (cell(3, 2, lambda v: "[" + v.partition(", ")[2]), "11 values for 12 unit ids"),
    "one value less everywhere": (
        text(lambda t: t.replace('"[', '"[0.5, ').replace('","[0.5, ', '","[')),
        "13 values for 12 unit ids",
    ),
    "nested list": (cell(3, 2, lambda v: f"[{v}]"), "is not a number"),
    "unit id of float": (cell(3, 3, lambda v: swap_first(v, "1.5")), "is not a unit id"),
    "unit id of text": (cell(1, 3, lambda v: swap_first(v, "a")), "is not a unit id"),
    "giant unit id": (cell(1, 3, lambda v: swap_first(v, "9" * 40)), "is not a unit id"),
    "other unit ids in one row": (cell(3, 3, lambda v: swap_first(v, "999999")), "not those of the first row"),
    "doubled unit id in one row": (
        cell(3, 3, lambda v: swap_first(v, v.rpartition(", ")[2][:-1])),
        "not those of the first row",
    ),
    "doubled unit id everywhere": (
        lines(
            lambda rows: [
                rows[0],
                *(
                    r[: r.rindex('"[') + 2] + r.rstrip()[:-2].rpartition(", ")[2] + r[r.index(",", r.rindex('"[')) :]
                    for r in rows[1:]
                ),
            ]
        ),
        "occurs twice",
    ),
    "no ids": (cell(1, 3, lambda v: "[]"), "is not a unit id"),
    "trial empty": (cell(3, 0, lambda v: ""), "empty trial_indices"),
    "image empty": (cell(3, 1, lambda v: ""), "empty image_ids"),
    "doubled trial": (lines(lambda r: [*r, r[2]]), "occurs 2 times"),
    "missing trial": (lines(lambda r: r[:-1]), "lacks 1 trial of tier 'test'"),
    "unknown trial": (cell(3, 0, lambda v: "777777"), "lacks 1 trial"),
    "other image": (cell(3, 1, lambda v: "5"), "another image"),
    "great trial index": (cell(3, 0, lambda v: "7" * 300), "longer than 200 characters"),
    "control characters": (cell(3, 0, lambda v: "\x1b[2J"), "cannot be printed"),
    "control characters in a broken row": (lines(lambda r: [*r[:3], "\x1b[2J\x07,1\n"]), "write or copy it again"),
    "bytes that are no text": (
        lambda p: p.write_bytes(p.read_bytes().replace(b", 0.", b", \xff0.", 1)),
        "is not a number",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_file_gives_one_sentence(tmp_path, capsys, monkeypatch, broken):
    damage, words = BROKEN[broken]
    _, submission, truth = example(final_images=0)
    sensorium_csv.write(submission, tmp_path)
    sensorium_csv.write_truth(truth, tmp_path)
    damage(tmp_path / LIVE)
    said = one_sentence(
        capsys, monkeypatch, tmp_path, "score", tmp_path / LIVE, tmp_path / "ground_truth_file_test.csv"
    )
    assert words in said
    assert str(tmp_path / LIVE) in said


@pytest.mark.parametrize("broken", ["NaN", "one value less", "cut in a list", "doubled trial"])
def test_a_broken_truth_gives_one_sentence_too(tmp_path, capsys, monkeypatch, broken):
    damage, words = BROKEN[broken]
    _, submission, truth = example(final_images=0)
    submission.write(tmp_path / "s.parquet")
    (path,) = sensorium_csv.write_truth(truth, tmp_path)
    damage(path)
    said = one_sentence(capsys, monkeypatch, tmp_path, "score", tmp_path / "s.parquet", path)
    assert words in said
    assert str(path) in said


def test_a_broken_row_is_named_by_its_trial(tmp_path):
    _, submission, _ = example(final_images=0)
    sensorium_csv.write(submission, tmp_path)
    BROKEN["a word"][0](tmp_path / LIVE)
    with pytest.raises(InputError, match=f"trial {submission.trial_idx[submission.rows('test')[2]]}: 'half'"):
        sensorium_csv.read(tmp_path / LIVE)


def test_the_files_of_both_tiers_must_be_about_the_same_neurons(tmp_path):
    _, submission, _ = example()
    sensorium_csv.write(submission, tmp_path)
    sensorium_csv.write(without(shuffled(submission), columns=[0]), tmp_path / "other")
    (tmp_path / "other" / FINAL).replace(tmp_path / FINAL)
    with pytest.raises(InputError, match=f"{FINAL} has other unit ids"):
        sensorium_csv.read(tmp_path)


def test_a_folder_without_the_usual_files_is_no_submission(tmp_path, capsys, monkeypatch):
    (tmp_path / "predictions.csv").write_text("x\n")
    said = one_sentence(capsys, monkeypatch, tmp_path, "score", tmp_path, tmp_path)
    assert "submission_file_live_test.csv" in said
    with pytest.raises(InputError, match=r"has no submission_file_live_test.csv and no submission_file_final_test.csv"):
        sensorium_csv.read(tmp_path)


@pytest.mark.parametrize("limit", ["MAX_VALUES", "MAX_TRIALS"])
def test_a_file_of_too_many_values_is_refused_while_it_is_read(tmp_path, monkeypatch, limit):
    _, submission, _ = example(final_images=0)
    sensorium_csv.write(submission, tmp_path)
    monkeypatch.setattr(f"striate.submissions.formats.sensorium_csv_parser.{limit}", 10)
    with pytest.raises(InputError, match="too many rows"):
        sensorium_csv.read(tmp_path / LIVE)


def test_a_row_without_end_is_refused(tmp_path, monkeypatch):
    _, submission, _ = example(final_images=0)
    sensorium_csv.write(submission, tmp_path)
    monkeypatch.setattr("striate.submissions.formats.sensorium_csv_parser._MAX_ROW_BYTES", 50)
    with pytest.raises(InputError, match="first row is longer than 50 bytes"):
        sensorium_csv.read(tmp_path / LIVE)


def test_rows_longer_than_a_block_are_read_or_refused_in_a_sentence(tmp_path, monkeypatch):
    _, submission, _ = example(final_images=0, neurons=60)
    sensorium_csv.write(submission, tmp_path)
    monkeypatch.setattr("striate.submissions.formats.sensorium_csv_parser._MIN_BLOCK_BYTES", 16)
    assert sensorium_csv.read(tmp_path / LIVE).fingerprint == submission.fingerprint
    path = tmp_path / LIVE
    rows = path.read_text().splitlines(keepends=True)
    path.write_text(rows[0] + rows[1] + "x" * 90_000 + rows[2])
    with pytest.raises(InputError, match="write or copy it again"):
        sensorium_csv.read(path)
