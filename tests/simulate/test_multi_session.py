"""Simulated benchmarks: shared test images, and written files."""

import numpy as np
import pytest

import striate
from striate.errors import InputError
from striate.recordings import check
from striate.recordings.layout import archive_stem
from striate.simulate import (
    PopulationSettings,
    RecordingSettings,
    SimulatedTruth,
    benchmark,
    oracle_scores,
    recording,
    write_benchmark,
)

SMALL = {
    "neurons": PopulationSettings(neurons=12),
    "settings": RecordingSettings(
        image_shape=(18, 32), train=30, validation=6, test_images=5, final_images=4, repeats=6
    ),
}


@pytest.fixture(scope="module")
def mice():
    return list(benchmark(pretraining=2, seed=11, **SMALL))


def images_of(made, tier):
    """Image by id of one tier."""
    one = made.recording
    return {int(one.trials["image_id"][row]): one.images[row].tobytes() for row in one.rows(tier)}


def test_competition_recordings_come_first(mice):
    assert [m.recording.session for m in mice] == ["90001-1-1", "90002-1-1", "90003-1-1", "90004-1-1"]
    assert [m.truth.track for m in mice] == ["sensorium", "sensorium+", None, None]
    assert [m.recording.behavior_withheld for m in mice] == [True, False, False, False]
    assert [bool(m.recording.withheld_tiers) for m in mice] == [True, True, False, False]


def test_live_images_are_shared_by_all_mice(mice):
    first, *others = (images_of(m, "test") for m in mice)
    assert len(first) == 5
    assert all(other == first for other in others)


def test_final_images_are_in_competition_recordings_only(mice):
    finals = images_of(mice[0], "final_test")
    assert images_of(mice[1], "final_test") == finals
    assert not set(finals) & set(images_of(mice[0], "test"))
    for made in mice[2:]:
        assert "final_test" not in made.recording.tiers
        assert not set(finals) & set(made.recording.trials["image_id"])
        assert not set(finals.values()) & {image.tobytes() for image in made.recording.images}


def test_training_images_differ_between_mice_and_from_test_images(mice):
    ids = [set(images_of(m, "train")) | set(images_of(m, "validation")) for m in mice]
    assert len(set.union(*ids)) > 0.95 * sum(map(len, ids))
    tests = set(images_of(mice[0], "test")) | set(images_of(mice[0], "final_test"))
    assert not set.union(*ids) & tests


def test_mice_have_different_neurons_and_responses(mice):
    a, b = (m.truth.neurons for m in mice[2:])
    assert not np.allclose(a["orientation"], b["orientation"])
    assert not np.array_equal(mice[2].recording.responses, mice[3].recording.responses)


def test_recording_does_not_depend_on_other_mice(mice):
    settings = SMALL["settings"].model_copy(update={"session": "90003-1-1"})
    alone = recording(settings, SMALL["neurons"], 11)
    assert alone.recording.fingerprint == mice[2].recording.fingerprint


@pytest.mark.slow
def test_written_benchmark_is_valid_and_reads_back(mice, tmp_path):
    written = list(write_benchmark(tmp_path / "public", truth=tmp_path / "secret", pretraining=1, seed=11, **SMALL))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["public", "secret"]
    assert sorted(p.name for p in (tmp_path / "public").iterdir()) == [
        f"{archive_stem(m.recording.session)}.zip" for m in mice[:3]
    ]
    assert sorted(p.name for p in (tmp_path / "secret").iterdir()) == [
        f"{m.recording.session}-truth.npz" for m in mice[:3]
    ]
    for files, made in zip(written, mice, strict=False):
        report = check(files.recording_path)
        assert report.ok
        opened, truth = striate.open(files.recording_path), SimulatedTruth.read(files.truth_path)
        for name in ("images", "responses", "behavior", "pupil_center"):
            assert np.array_equal(getattr(opened, name), getattr(made.recording, name))
        assert opened.trials["trial_idx"].tolist() == made.recording.trials["trial_idx"].tolist()
        assert oracle_scores(truth, opened).means == pytest.approx(oracle_scores(made.truth, made.recording).means)


@pytest.mark.slow
@pytest.mark.parametrize("as_folders", [False, True])
def test_same_seed_writes_same_bytes(tmp_path, as_folders):
    def written(folder):
        for files in write_benchmark(
            folder / "public",
            truth=folder / "secret",
            as_folders=as_folders,
            pretraining=0,
            competition=("sensorium+",),
            seed=3,
            **SMALL,
        ):
            assert files.recording_path.is_dir() == as_folders
        return {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}

    first = written(tmp_path / "a")
    assert len(first) > (100 if as_folders else 1)
    assert first == written(tmp_path / "b")


def test_no_truth_is_written_without_truth_folder(tmp_path):
    (files,) = write_benchmark(tmp_path / "public", pretraining=1, competition=(), **SMALL)
    assert files.truth_path is None
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == [f"{archive_stem('90001-1-1')}.zip"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"truth": "public"}, "must not be in the public folder"),
        ({"truth": "public/deep/secret"}, "must not be in the public folder"),
        ({"truth": "elsewhere/../public/secret"}, "must not be in the public folder"),
        ({"truth": None, "seed": None}, "would be lost"),
        ({"competition": ("sensoriun",)}, "did you mean 'sensorium'"),
        ({"competition": (), "pretraining": 0}, "at least one recording"),
        ({"pretraining": -1}, "at least one recording"),
        ({"first_animal": -5}, "first mouse"),
        ({"seed": -1}, "whole number"),
        ({"truth": "file"}, "is a file"),
    ],
)
def test_invalid_arguments_are_refused_before_simulation(tmp_path, changes, words):
    (tmp_path / "file").write_text("here")
    arguments = {"truth": "secret", "pretraining": 0, "competition": ("sensorium",), "seed": 1} | changes
    truth = arguments.pop("truth")
    with pytest.raises(InputError, match=words):
        write_benchmark(tmp_path / "public", truth=None if truth is None else tmp_path / truth, **arguments, **SMALL)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_truth_folder_that_links_into_public_folder_is_refused(tmp_path):
    (tmp_path / "public").mkdir()
    (tmp_path / "innocent").symlink_to(tmp_path / "public")
    with pytest.raises(InputError, match="must not be in the public folder"):
        write_benchmark(tmp_path / "public", truth=tmp_path / "innocent" / "t", seed=1, **SMALL)


@pytest.mark.slow
def test_existing_files_are_refused(tmp_path):
    arguments = {"truth": tmp_path / "secret", "pretraining": 1, "competition": (), "seed": 1, **SMALL}
    list(write_benchmark(tmp_path / "public", **arguments))
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(InputError, match="exists already"):
        write_benchmark(tmp_path / "public", **arguments)
    next((tmp_path / "public").iterdir()).unlink()
    with pytest.raises(InputError, match=r"truth\.npz exists already"):
        write_benchmark(tmp_path / "public", **arguments)
    list(write_benchmark(tmp_path / "public", **arguments, overwrite=True))
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


@pytest.mark.slow
def test_package_is_callable():
    simulation = striate.simulate(neurons=4, image_shape=(18, 32), train=5, test_images=2, seed=1)
    assert len(simulation.recording.neurons) == 4
    assert striate.simulate.benchmark is benchmark
    with pytest.raises(InputError, match="did you mean 'neurons'"):
        striate.simulate(neuron=4)
