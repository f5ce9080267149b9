"""Recordings of another benchmark than SENSORIUM 2022: other channels, behaviours, tiers and names of sessions."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fixtures.archives import Members, members_of, write_folder, write_zip
from tests.fixtures.recordings import COLOUR_MICE, colour_recording, small_recording

from striate.benchmarks import BenchmarkSpec, load_benchmark
from striate.errors import InputError
from striate.recordings import Recording, check, write
from striate.recordings import open as open_recording
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
