"""Variants of archives open as the same recording."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from tests.fixtures.archives import TOP, array_of, members_of, replace, write_folder, write_zip
from tests.fixtures.recordings import small_recording

import striate
from striate.errors import InputError, WithheldError
from striate.recordings import Recording, write
from striate.testing.strategies import recordings


def same(first: Recording, second: Recording) -> bool:
    return first.fingerprint == second.fingerprint


@pytest.mark.slow
def test_zip_and_folder_have_the_same_content(tmp_path: Path, recording: Recording) -> None:
    files = members_of(recording)
    for opened in (
        striate.open(write_zip(tmp_path / f"{TOP}.zip", files)),
        striate.open(write_zip(tmp_path / "without-top-folder.zip", files, top="")),
        striate.open(write_folder(tmp_path / "folder", files)),
        striate.open(write_folder(tmp_path / "outer" / "inner", files).parent),
    ):
        assert same(opened, recording)
        assert opened.session == "7-1-1"
        assert np.array_equal(opened.responses, recording.responses)
        assert np.array_equal(opened.images, recording.images)
        assert opened.trials.equals(recording.trials)
        pandas_columns = list(recording.neurons.columns)
        assert opened.neurons[pandas_columns].equals(recording.neurons)


def test_unrelated_files_are_ignored(tmp_path: Path, recording: Recording) -> None:
    path = write_zip(tmp_path / "unrelated.zip", members_of(recording))
    with zipfile.ZipFile(path, "a") as archive:
        for name in ("__MACOSX/._0.npy", f"{TOP}/.DS_Store", "config.json", "change.log", f"{TOP}/data/images/._0.npy"):
            archive.writestr(name, b"unrelated")
    assert same(striate.open(path), recording)


def test_alternative_shapes_and_types(tmp_path: Path, recording: Recording) -> None:
    files = members_of(recording)
    for trial in range(len(recording.trials)):
        for name, change in (
            (f"data/behavior/{trial}.npy", lambda a: a[None]),
            (f"data/pupil_center/{trial}.npy", lambda a: a[None].astype(">f8")),
            (f"data/images/{trial}.npy", lambda a: a[0].astype(np.float64)),
            (f"data/responses/{trial}.npy", lambda a: np.asfortranarray(a.astype(np.float64))),
        ):
            replace(files, name, change(array_of(files, name)))
    for name in ("tiers", "frame_image_class"):
        replace(files, f"meta/trials/{name}.npy", array_of(files, f"meta/trials/{name}.npy").astype("S"))
    replace(files, "meta/neurons/unit_ids.npy", array_of(files, "meta/neurons/unit_ids.npy").astype(np.float64))
    opened = striate.open(write_zip(tmp_path / "other.zip", files))
    assert same(opened, recording)
    assert opened.images.dtype == np.uint8
    assert opened.responses.dtype == np.float32


def test_values_that_need_a_wider_type_keep_their_precision(tmp_path: Path, recording: Recording) -> None:
    files = members_of(recording)
    image = array_of(files, "data/images/50.npy").astype(np.float64)
    image[0, 0, 0] = 1 / 3
    replace(files, "data/images/50.npy", image)
    opened = striate.open(write_zip(tmp_path / "wide.zip", files))
    assert opened.images.dtype == np.float64
    assert opened.images[50, 0, 0, 0] == 1 / 3
    assert np.array_equal(opened.images[:50], recording.images[:50])


def test_stored_statistics_are_used_and_missing_ones_computed(tmp_path: Path, recording: Recording) -> None:
    files = members_of(recording)
    stored = array_of(files, "meta/statistics/responses/all/std.npy") * 3
    replace(files, "meta/statistics/responses/all/std.npy", stored)
    for name in list(files):
        if name.startswith("meta/statistics/images/all/") or "stimulus_Frame" in name:
            files[name.replace("stimulus_Frame", "stimulus_frame")] = files.pop(name)
        if name.startswith("meta/statistics/images/all/"):
            files.pop(name)
    opened = striate.open(write_zip(tmp_path / "statistics.zip", files))
    assert np.allclose(opened.statistics["responses"].std, stored)
    train = recording.images[recording.rows("train")]
    assert np.isclose(float(opened.statistics["images"].mean), train.mean())
    assert np.isclose(float(opened.statistics["images"].std), train.std())
    assert np.isclose(float(opened.statistics["images"].median), np.median(train))


def test_unknown_fields_are_kept_and_pickled_fields_dropped(tmp_path: Path, recording: Recording) -> None:
    files = members_of(recording)
    replace(files, "meta/trials/frame_trial_ts.npy", [f"Timestamp('2021-06-01 10:20:{i:02}')" for i in range(66)])
    replace(files, "meta/neurons/gcamp.npy", np.arange(12))
    import io

    stream = io.BytesIO()
    np.save(stream, np.array([{"a": 1}] * 66, dtype=object), allow_pickle=True)
    files["meta/trials/notes.npy"] = stream.getvalue()
    opened = striate.open(write_zip(tmp_path / "more.zip", files))
    assert opened.trials["frame_trial_ts"][3] == "Timestamp('2021-06-01 10:20:03')"
    assert opened.neurons["gcamp"].tolist() == list(range(12))
    assert "notes" not in opened.trials


@pytest.mark.slow
def test_source_of_the_session(tmp_path: Path, recording: Recording) -> None:
    files = members_of(recording)
    assert striate.open(write_zip(tmp_path / "static9-9-9-x.zip", files)).session == "7-1-1"
    for field in ("animal_ids", "sessions", "scan_idx"):
        files.pop(f"meta/neurons/{field}.npy")
    assert striate.open(write_zip(tmp_path / "static9-9-8-x.zip", files)).session == "9-9-8"
    nameless = write_zip(tmp_path / "mouse.zip", files)
    with pytest.raises(InputError, match=r"session='animal-session-scan'"):
        striate.open(nameless)
    assert striate.open(nameless, session="4-5-6").session == "4-5-6"
    assert striate.open(nameless, session="4-5-7").session == "4-5-7"
    with pytest.raises(InputError, match="contains the session"):
        striate.open(nameless)


def test_rows_and_withheld_tiers(tmp_path: Path, competition_recording: Recording) -> None:
    opened = striate.open(write(competition_recording, tmp_path / "recording.zip"))
    assert opened.tiers == ("train", "validation", "test", "final_test")
    assert opened.withheld_tiers == {"test", "final_test"}
    assert not opened.behavior_withheld
    assert np.array_equal(opened.rows("live_test"), opened.rows("test"))
    with pytest.raises(WithheldError, match="withheld"):
        opened.measured_responses("test")
    assert opened.measured_responses("train").shape == (40, 12)
    with pytest.raises(InputError, match="did you mean 'validation'"):
        opened.rows("validatio")


@pytest.mark.slow
@settings(deadline=None, max_examples=25)
@given(recordings())
def test_written_recordings_are_read_back(tmp_path_factory: pytest.TempPathFactory, recording: Recording) -> None:
    folder = tmp_path_factory.mktemp("written")
    opened = striate.open(write(recording, folder / "a.zip"))
    again = striate.open(write(recording, folder / "b"))
    for other in (opened, again):
        assert other.fingerprint == recording.fingerprint
        for name, values in recording.arrays.items():
            assert np.array_equal(other.arrays[name], values)
        for name, statistics in recording.statistics.items():
            assert np.array_equal(other.statistics[name].std, statistics.std)


def test_fingerprint_depends_on_content(recording: Recording) -> None:
    changed = small_recording()
    assert changed.fingerprint == recording.fingerprint
    changed = small_recording()
    changed.responses[3, 2] += 1
    assert changed.fingerprint != recording.fingerprint
    changed = small_recording()
    changed.trials.loc[0, "tier"] = "validation" if changed.trials["tier"][0] != "validation" else "train"
    assert changed.fingerprint != recording.fingerprint


@pytest.mark.slow
def test_shared_archive(shared: Path) -> None:
    (path,) = (shared / "archives").glob("static90001-*.zip")
    opened = striate.open(path)
    with zipfile.ZipFile(path) as archive:
        for trial in (0, 17, 864):
            for name in ("images", "responses", "behavior", "pupil_center"):
                with archive.open(f"{path.stem}/data/{name}/{trial}.npy") as member:
                    assert np.array_equal(np.load(member).ravel(), opened.arrays[name][trial].ravel())
    assert opened.images.dtype == np.uint8
    assert {t: len(opened.rows(t)) for t in opened.tiers} == {"train": 500, "validation": 80, "test": 285}
