"""Ground truth files: round trip, and refusal of other files."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from tests.fixtures.recordings import small_recording

from striate.errors import InputError
from striate.simulate import SimulatedTruth, oracle_scores, simulate


@pytest.fixture(scope="module")
def simulation():
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


def test_ground_truth_round_trip(simulation, tmp_path):
    path = simulation.truth.write(tmp_path / "t.npz")
    again = SimulatedTruth.read(path)
    for field in dataclasses.fields(SimulatedTruth):
        before, after = getattr(simulation.truth, field.name), getattr(again, field.name)
        if isinstance(before, pd.DataFrame):
            assert list(before.columns) == list(after.columns)
            assert all(before[c].tolist() == after[c].tolist() for c in before.columns)
        elif isinstance(before, np.ndarray):
            assert before.dtype == after.dtype
            assert np.array_equal(before, after)
        else:
            assert before == after
    assert again.seed == 2**130
    assert (
        oracle_scores(again, simulation.recording).means == oracle_scores(simulation.truth, simulation.recording).means
    )


def test_writing_is_deterministic(simulation, tmp_path):
    first, second = simulation.truth.write(tmp_path / "a.npz"), simulation.truth.write(tmp_path / "b.npz")
    assert first.read_bytes() == second.read_bytes()


def test_write_refuses_existing_file(simulation, tmp_path):
    path = simulation.truth.write(tmp_path / "t.npz")
    with pytest.raises(InputError, match="exists already"):
        simulation.truth.write(path)
    simulation.truth.write(path, overwrite=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["t.npz"]


@pytest.mark.slow
def test_truth_of_another_recording_is_refused(simulation):
    other = simulate(neurons=15, image_shape=(18, 32), train=20, validation=4, test_images=4, track="sensorium", seed=5)
    for recording in (other.recording, small_recording()):
        with pytest.raises(InputError, match="another recording"):
            oracle_scores(simulation.truth, recording)
        with pytest.raises(InputError, match="another recording"):
            simulation.truth.reveal(recording)


def test_oracle_scores_refuses_unknown_inputs_and_tiers(simulation):
    with pytest.raises(InputError, match="did you mean 'image'"):
        oracle_scores(simulation.truth, simulation.recording, inputs="imge")
    with pytest.raises(InputError, match="no tier"):
        oracle_scores(simulation.truth, simulation.recording, "tests")


@pytest.mark.parametrize("harm", ["empty", "text", "cut", "other", "pickle", "missing", "folder", "single"])
def test_read_refuses_damaged_files(simulation, tmp_path, harm):
    path = simulation.truth.write(tmp_path / "t.npz")
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
def test_read_refuses_missing_arrays(simulation, tmp_path, name):
    path = simulation.truth.write(tmp_path / "t.npz")
    arrays = dict(np.load(path))
    del arrays[name]
    np.savez(path, **arrays)
    with pytest.raises(InputError, match="truth file"):
        SimulatedTruth.read(path)


def test_read_refuses_inconsistent_shapes(simulation, tmp_path):
    path = simulation.truth.write(tmp_path / "t.npz")
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
