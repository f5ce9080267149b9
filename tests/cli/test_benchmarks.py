"""The commands about benchmarks."""

import json
from pathlib import Path

import pytest
from tests.fixtures.command import assert_one_sentence, run_in_process
from tests.fixtures.recordings import COLOUR_MICE, colour_recording

import striate
from striate.benchmarks import load_benchmark, parse_benchmark


def test_the_benchmarks_that_are_known_by_name_are_listed() -> None:
    assert "SENSORIUM 2022" in run_in_process("benchmarks", "list").out
    found = json.loads(run_in_process("benchmarks", "list", "--json").out)
    (listed,) = (each for each in found if each["name"] == "sensorium2022")  # other tests load plugins with benchmarks
    assert load_benchmark(listed) == load_benchmark()


def test_a_plugin_adds_a_benchmark(tmp_path: Path) -> None:
    plugin = tmp_path / "my_benchmarks.py"
    plugin.write_text(
        "from striate.benchmarks import BenchmarkSpec\n"
        "from striate.registry import benchmarks\n"
        "@benchmarks.register('from-a-file')\n"
        "def described():\n"
        "    return BenchmarkSpec(name='from-a-file', title='Of a plugin')\n"
    )
    assert "Of a plugin" in run_in_process("--plugin", plugin, "benchmarks", "list").out
    shown = run_in_process("--plugin", plugin, "benchmarks", "show", "from-a-file", "--toml")
    assert parse_benchmark(shown.out).title == "Of a plugin"


def test_a_benchmark_is_shown_by_name_file_and_recording(tmp_path: Path) -> None:
    archive = striate.write(colour_recording(), tmp_path / "a.zip")
    assert "correlation to average" not in run_in_process("benchmarks", "show", "sensorium2022").err
    for source in (COLOUR_MICE, archive):
        shown = run_in_process("benchmarks", "show", source)
        assert shown.status == 0, shown.err
        assert "uv, green, 32 × 48 pixels, values 0 to 255" in shown.out
        assert "gratings" in shown.out
        assert parse_benchmark(run_in_process("benchmarks", "show", source, "--toml").out) == load_benchmark(
            COLOUR_MICE
        )
    assert json.loads(run_in_process("benchmarks", "show", COLOUR_MICE, "--json").out)["name"] == "colour-mice"


def test_a_new_description_passes_its_own_check(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    done = run_in_process("benchmarks", "new", path, "--name", "mine")
    assert done.status == 0, done.err
    spec = load_benchmark(path)
    assert spec.name == "mine"
    assert len(spec.tracks) == 2
    assert_one_sentence(run_in_process("benchmarks", "new", path), "exists already")
    assert_one_sentence(
        run_in_process("benchmarks", "new", tmp_path / "other.toml", "--name", "A b"), "lower-case letters"
    )


@pytest.mark.parametrize("name", ["sensorium", "nowhere.toml"])
def test_what_is_no_benchmark_is_refused(name: str) -> None:
    assert_one_sentence(run_in_process("benchmarks", "show", name), name)


def test_info_names_the_benchmark(tmp_path: Path) -> None:
    archive = striate.write(colour_recording(), tmp_path / "a.zip")
    shown = run_in_process("info", archive).out
    assert "colour-mice" in shown
    assert "whisking" in shown
    assert "32 × 48 pixels, uv, green" in shown
    facts = json.loads(run_in_process("info", archive, "--json").out)
    assert facts["benchmark"] == "colour-mice"
    assert facts["channels"] == ["uv", "green"]
