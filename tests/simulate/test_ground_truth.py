"""Truth files: read back as written, and nothing else is taken for one."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from tests.fixtures.recordings import small_recording

from striate.errors import InputError
from striate.simulate import SimulatedTruth, oracle_scores, simulate


@pytest.fixture(scope="module")
def made():
    return simulate(
        neurons=15,
        image_shape=(18, 32),
        train=20,
        validation=4,
        test_images=4,
        final_images=3,
        track="sensorium",
        seed=2**130,
    )


def test_a_truth_reads_back_as_it_was_written(made, tmp_path):
    path = made.truth.write(tmp_path / "t.npz")
    again = SimulatedTruth.read(path)
    for field in dataclasses.fields(SimulatedTruth):
        before, after = getattr(made.truth, field.name), getattr(again, field.name)
        if isinstance(before, pd.DataFrame):
            assert list(before.columns) == list(after.columns)
            assert all(before[c].tolist() == after[c].tolist() for c in before.columns)
        elif isinstance(before, np.ndarray):
            assert before.dtype == after.dtype
            assert np.array_equal(before, after)
        else:
            assert before == after
    assert again.seed == 2**130
    assert oracle_scores(again, made.recording).means == oracle_scores(made.truth, made.recording).means


def test_the_same_truth_gives_the_same_bytes(made, tmp_path):
    first, second = made.truth.write(tmp_path / "a.npz"), made.truth.write(tmp_path / "b.npz")
    assert first.read_bytes() == second.read_bytes()


def test_nothing_is_overwritten_unasked(made, tmp_path):
    path = made.truth.write(tmp_path / "t.npz")
    with pytest.raises(InputError, match="exists already"):
        made.truth.write(path)
    made.truth.write(path, overwrite=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["t.npz"]


def test_a_truth_belongs_to_one_recording(made):
    other = simulate(neurons=15, image_shape=(18, 32), train=20, validation=4, test_images=4, track="sensorium", seed=5)
    for recording in (other.recording, small_recording()):
        with pytest.raises(InputError, match="another recording"):
            oracle_scores(made.truth, recording)
        with pytest.raises(InputError, match="another recording"):
            made.truth.reveal(recording)


def test_an_oracle_must_know_something_and_score_a_tier(made):
    with pytest.raises(InputError, match="did you mean 'image'"):
        oracle_scores(made.truth, made.recording, inputs="imge")
    with pytest.raises(InputError, match="no tier"):
        oracle_scores(made.truth, made.recording, "tests")


@pytest.mark.parametrize("harm", ["empty", "text", "cut", "other", "pickle", "missing", "folder", "single"])
def test_what_is_no_truth_is_refused_in_a_sentence(made, tmp_path, harm):
    path = made.truth.write(tmp_path / "t.npz")
    content = path.read_bytes()
    if harm == "empty":
        path.write_bytes(b"")
    elif harm == "text":
        path.write_text("not a truth")
    elif harm == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif harm == "other":
        np.savez(path, values=np.arange(3))
    elif harm == "pickle":
        arrays = dict(np.load(path)) | {"expected": np.array([{"a": 1}], dtype=object)}
        np.savez(path, **arrays)
    elif harm == "missing":
        path.unlink()
    elif harm == "folder":
        path.unlink()
        path.mkdir()
    else:
        with path.open("wb") as file:
            np.save(file, np.arange(3))
    with pytest.raises(InputError, match="truth file") as error:
        SimulatedTruth.read(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["format", "seed", "expected", "withheld", "neurons/unit_id"])
def test_a_truth_file_must_be_complete(made, tmp_path, name):
    path = made.truth.write(tmp_path / "t.npz")
    arrays = dict(np.load(path))
    del arrays[name]
    np.savez(path, **arrays)
    with pytest.raises(InputError, match="truth file"):
        SimulatedTruth.read(path)


def test_a_truth_file_must_fit_together(made, tmp_path):
    path = made.truth.write(tmp_path / "t.npz")
    arrays = dict(np.load(path))
    for change in (
        {"expected": arrays["expected"][:-1]},
        {"withheld": arrays["withheld"][:-1]},
        {"withheld": arrays["withheld"] + 1000},
        {"centers": arrays["centers"].T},
        {"neurons/phase": arrays["neurons/phase"][:-1]},
        {"format": np.array("striate simulated truth 999")},
        {"seed": np.array("a lot")},
    ):
        np.savez(path, **{**arrays, **change})
        with pytest.raises(InputError, match="truth file"):
            SimulatedTruth.read(path)
