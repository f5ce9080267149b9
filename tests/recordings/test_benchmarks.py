"""Recordings of another benchmark than SENSORIUM 2022: other channels, behaviours, tiers and names of sessions."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fixtures.archives import Members, members_of, write_folder, write_zip
from tests.fixtures.command import run_in_process
from tests.fixtures.recordings import COLOUR_MICE, colour_recording, small_recording
from tests.recordings.test_matlab import write_matlab

import striate
from striate.benchmarks import BenchmarkSpec, load_benchmark
from striate.benchmarks.spec_tables import Stimulus
from striate.errors import InputError
from striate.recordings import Recording, check, write
from striate.recordings import open as open_recording
from striate.recordings.pictures import channel_pictures, picture
from striate.testing import RecordingConformance
from striate.testing.strategies import recordings

PLAIN = BenchmarkSpec(  # as little as possible
    name="plain",
    stimulus={"range": (-1, 1)},
    responses={"minimum": None},
    sessions={"pattern": "{number}", "example": "1"},
)


class TestColourZip(RecordingConformance):
    def recording_path(self, tmp_path: Path) -> Path:
        path = tmp_path / "of-any-name.zip"
        return path if path.exists() else write(colour_recording(withhold=True), path)


class TestColourFolder(RecordingConformance):
    def recording_path(self, tmp_path: Path) -> Path:
        path = tmp_path / "folder"
        return path if path.exists() else write(colour_recording(), path)


@pytest.mark.slow
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.sampled_from([PLAIN, load_benchmark(COLOUR_MICE)]).flatmap(lambda spec: recordings(benchmark=spec)))
def test_what_is_written_is_read_again(drawn: Recording, tmp_path_factory: pytest.TempPathFactory) -> None:
    again = open_recording(write(drawn, tmp_path_factory.mktemp("drawn") / "x.zip"))
    assert again.benchmark == drawn.benchmark
    assert again.session == drawn.session
    assert again.fingerprint == drawn.fingerprint
    assert list(again.arrays) == list(drawn.benchmark.variables)
    for name, values in drawn.arrays.items():
        assert np.array_equal(again.arrays[name], values)


def test_the_archive_alone_says_what_it_is(tmp_path: Path) -> None:
    recording = open_recording(write(colour_recording(withhold=True), tmp_path / "any.zip"))
    assert recording.benchmark == load_benchmark(COLOUR_MICE)
    assert recording.session == "mouse_a"
    assert recording.tiers == ("fit", "stop", "seen", "unseen", "gratings")
    assert recording.withheld_tiers == {"seen", "unseen"}
    assert len(recording.rows("public")) == 12, "an alias"
    assert recording.statistics["images"].mean.shape == (2,)
    assert np.allclose(recording.statistics["images"].mean, recording.images[recording.rows("fit")].mean((0, 2, 3)))
    assert recording.behavior.shape[1] == 5
    assert "32×48 (uv, green)" in repr(recording)
    assert "32 × 48 (uv, green) pixels" in recording._repr_html_()
    assert "animal_id" not in recording.neurons


def test_what_a_benchmark_does_not_have_is_not_withheld(tmp_path: Path) -> None:
    full = colour_recording()
    bare = Recording(
        "7",
        full.neurons,
        full.trials.assign(tier="train"),
        full.images[:, :1] / 255.0,
        full.responses - 1,
        benchmark=PLAIN,
    )
    again = open_recording(write(bare, tmp_path / "bare"))
    assert again.behavior.shape == (len(bare.trials), 0)
    assert again.pupil_center.shape == (len(bare.trials), 0)
    assert not again.behavior_withheld
    assert not again.pupil_center_withheld
    assert {path.name for path in (tmp_path / "bare" / "data").iterdir()} == {"images", "responses"}
    assert not {"zeroed-behavior", "negative-responses", "image-range"} & check(tmp_path / "bare").rules


def test_nothing_is_added_to_archives_of_sensorium2022(tmp_path: Path) -> None:
    names = members_of(small_recording())
    assert not [name for name in names if name.endswith(".toml")]
    with pytest.raises(InputError, match="images have shape"):
        write(small_recording(), tmp_path / "x.zip", benchmark=COLOUR_MICE)


def test_a_recording_is_written_as_one_of_another_benchmark(tmp_path: Path) -> None:
    grey = BenchmarkSpec(name="grey-mice", behavior={"names": ("a", "b", "c")}, tiers=load_benchmark().tiers)
    again = open_recording(write(small_recording(), tmp_path / "x.zip", benchmark=grey))
    assert again.benchmark == grey
    assert again.session == "7-1-1"
    assert "pupil_center" not in again.arrays


def test_a_description_cannot_make_striate_reserve_room_for_images_that_are_not_there(tmp_path: Path) -> None:
    files = members_of(colour_recording())
    spec = load_benchmark(COLOUR_MICE)
    huge = spec.model_copy(update={"stimulus": spec.stimulus.model_copy(update={"height": 16_000, "width": 16_000})})
    files["meta/benchmark.toml"] = huge.to_toml().encode()
    archive = write_zip(tmp_path / "a.zip", files)
    assert "shape" in check(archive).rules
    with pytest.raises(InputError, match="shape"):
        open_recording(archive)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"meta/benchmark.toml": b"name = 'colour-mice'\n\xff"}, "benchmark"),
        ({"meta/benchmark.toml": b"x = [" + b"[" * 10_000}, "benchmark"),
        ({"meta/benchmark.toml": b"name = 'sensorium2022'\n"}, "benchmark"),
        ({"meta/benchmark.toml": b"# " + b"x" * 300_000}, "oversized-member"),
        ({"meta/session.toml": b"session = 3\n"}, "benchmark"),
        ({"meta/session.toml": b"session = 'rat_1'\n"}, "session-name"),
        ({"meta/session.toml": None}, "session-name"),
        ({"data/images/3.npy": members_of(small_recording())["data/images/3.npy"]}, "shape"),
        ({"data/behavior/3.npy": members_of(small_recording())["data/behavior/3.npy"]}, "shape"),
    ],
)
@pytest.mark.parametrize("writer", [write_zip, write_folder])
def test_a_breach_is_found_and_named(writer: Any, change: dict[str, bytes | None], rule: str, tmp_path: Path) -> None:
    files: Members = members_of(colour_recording())
    for name, content in change.items():
        files.pop(name)
        if content is not None:
            files[name] = content
    report = check(writer(tmp_path / "archive", files))
    assert rule in report.rules
    if not report.ok:
        with pytest.raises(InputError, match=rule):
            open_recording(tmp_path / "archive")


def test_pixels_and_responses_are_held_against_the_range_of_the_benchmark(tmp_path: Path) -> None:
    full = colour_recording()
    wrong = Recording(
        "7", full.neurons, full.trials.assign(tier="train"), full.images[:, :1] / 100.0, full.responses, benchmark=PLAIN
    )
    (finding,) = (one for one in check(write(wrong, tmp_path / "7")) if one.rule == "image-range")
    assert "outside -1–1" in finding.message


def test_an_image_of_two_test_tiers_is_found(tmp_path: Path) -> None:
    recording = colour_recording()
    first, second = recording.rows("seen")[0], recording.rows("gratings")[0]
    recording.images[second] = recording.images[first]
    messages = [one.message for one in check(write(recording, tmp_path / "x")) if one.rule == "image-across-tiers"]
    assert any("both in seen and in gratings" in message for message in messages)


ARGUMENTS: dict[str, Any] = {
    "session": "mouse_b",
    "neurons": {axis: np.arange(4.0) for axis in "xyz"},
    "benchmark": COLOUR_MICE,
}


def colour_arrays(trials: int = 30) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "images": rng.integers(0, 256, (trials, 2, 32, 48), dtype=np.uint8),
        "responses": rng.gamma(2.0, 1.0, (trials, 4)),
        "behavior": rng.normal(0, 1, (trials, 5)),
        "pupil_center": rng.normal(0, 1, (trials, 2)),
    }


def test_arrays_of_several_channels_become_a_recording(tmp_path: Path) -> None:
    arrays = colour_arrays()
    tiers = np.repeat(["fit", "stop", "public", "gratings"], [18, 4, 4, 4])
    recording = striate.convert(**ARGUMENTS, **arrays, trials={"tier": tiers}, out=tmp_path / "b.zip")
    assert recording.session == "mouse_b"
    assert recording.tiers == ("fit", "stop", "seen", "gratings")
    assert np.array_equal(recording.images, arrays["images"])
    last = striate.convert(**ARGUMENTS, **{**arrays, "images": np.moveaxis(arrays["images"], 1, 3)})
    stated = striate.convert(
        **ARGUMENTS, **{**arrays, "images": arrays["images"].transpose(2, 3, 1, 0)}, image_axes="HWCT"
    )
    assert np.array_equal(last.images, arrays["images"])
    assert np.array_equal(stated.images, arrays["images"])
    assert last.tiers == ("fit", "stop")
    assert check(last).ok


def test_behaviour_is_found_by_the_names_of_the_benchmark() -> None:
    arrays = colour_arrays()
    names = load_benchmark(COLOUR_MICE).behavior_names
    table = pd.DataFrame(arrays.pop("behavior"), columns=list(names)).rename(columns={"running speed": "Running_Speed"})
    recording = striate.convert(**ARGUMENTS, **arrays, behavior=table[table.columns[::-1]])
    assert np.array_equal(recording.behavior, table.to_numpy())
    with pytest.raises(InputError, match=r"behavior lacks licking: it needs pupil dilation, running speed, whisking"):
        striate.convert(**ARGUMENTS, **arrays, behavior=table.drop(columns="licking"))
    with pytest.raises(InputError, match="did you mean 'licking'"):
        striate.convert(**ARGUMENTS, **arrays, behavior=table.rename(columns={"licking": "liking"}))


@pytest.mark.slow
@pytest.mark.parametrize("matlab", [False, True])
def test_arrays_of_several_channels_are_read_from_hdf5(matlab: bool, tmp_path: Path) -> None:
    arrays = colour_arrays()
    tables = {**{f"neurons/{axis}": np.arange(4.0) for axis in "xyz"}}
    if matlab:
        turned = {
            "images": arrays["images"].transpose(2, 3, 1, 0),
            "responses": arrays["responses"].T,
            "behavior": arrays["behavior"].T,
            "pupil_center": arrays["pupil_center"].T,
        }
        path = write_matlab(tmp_path / "a.mat", {**turned, **tables})
    else:
        path = tmp_path / "a.h5"
        with h5py.File(path, "w") as file:
            for name, values in ({**arrays, **tables}).items():
                file[name] = values
    done = run_in_process(
        "convert", str(path), "--session", "mouse_b", "--benchmark", str(COLOUR_MICE), "--out", str(tmp_path / "b.zip")
    )
    assert done.status == 0, done
    recording = open_recording(tmp_path / "b.zip")
    assert recording.benchmark.name == "colour-mice"
    for name, values in arrays.items():
        np.testing.assert_allclose(recording.arrays[name], values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": np.zeros((30, 32, 48))}, r"give \(trials, 2, height, width\), with the channels uv, green"),
        ({"images": np.zeros((30, 2, 20, 20))}, "those of benchmark colour-mice have 32×48"),
        ({"images": np.full((30, 2, 32, 48), 300)}, "give pixel values of 0–255"),
        ({"images": np.full((30, 2, 32, 48), 0.5)}, "multiply by 255, pixel values"),
        ({"responses": np.full((30, 4), -1.0)}, "give spike counts or rates, which are ≥ 0"),
        ({"behavior": np.zeros((30, 3))}, r"behavior has shape .* need \(30, 5\): pupil dilation, running speed"),
        ({"trials": {"tier": ["test"] * 30}}, "There is no tier 'test': .*fit, stop, seen"),
        ({"image_axes": "THW"}, "give the letters of TCHW"),
    ],
)
def test_arrays_that_do_not_fit_the_benchmark_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        striate.convert(**{**ARGUMENTS, **colour_arrays(), **change})


def test_pictures_show_every_channel() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    assert np.array_equal(picture(grey, Stimulus()), grey[0])
    assert np.array_equal(picture(grey / 255.0, Stimulus(range=(0, 1))), grey[0])
    assert picture(np.array([[[-5.0, 300.0]]]), Stimulus()).tolist() == [[0, 255]], "clipped"
    three = np.stack([grey[0], grey[0].T, 255 - grey[0]])
    colour = picture(three, Stimulus(channels=["red", "green", "blue"]))
    assert np.array_equal(np.moveaxis(colour, -1, 0), three)
    turned = picture(three, Stimulus(channels=["blue", "green", "red"]))
    assert np.array_equal(turned, colour[..., ::-1]), "channels have the colours that their names say"
    two = picture(three[:2], Stimulus(channels=["uv", "green"]))
    assert np.array_equal(two, np.stack([three[0], three[1], three[0]], axis=-1)), "magenta and green"
    assert np.array_equal(picture(three[1::-1], Stimulus(channels=["green", "uv"])), two)
    assert picture(np.array([[[np.nan, 254.6]]]), Stimulus()).tolist() == [[0, 255]]


@pytest.mark.parametrize("count", range(1, 9))
def test_channels_with_equal_values_look_grey_and_each_alone_looks_different(count: int) -> None:
    stimulus = Stimulus(channels=[f"c{place}" for place in range(count)])
    ramp = np.tile(np.arange(256, dtype=np.uint8), (count, 1, 1))
    mixed = picture(ramp, stimulus)
    assert np.array_equal(mixed if count == 1 else mixed[..., 0], ramp[0])
    assert count == 1 or (mixed == mixed[..., :1]).all()
    alone = [picture(255 * np.eye(count, dtype=np.uint8)[place][:, None, None], stimulus) for place in range(count)]
    assert len({each.tobytes() for each in alone}) == count
    assert all(each.any() for each in alone)
    assert np.array_equal(channel_pictures(ramp, stimulus), ramp)
