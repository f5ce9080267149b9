"""The description of a benchmark: validated whole, found by name or path, and SENSORIUM 2022 as ever."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.messages import assert_short
from tests.fixtures.recordings import COLOUR_MICE

from striate import registry
from striate.benchmarks import BenchmarkSpec, load_benchmark, parse_benchmark, read_benchmark
from striate.errors import InputError

TIERS = [{"name": "a", "role": "train"}, {"name": "b", "role": "validation"}, {"name": "c", "role": "test"}]


def test_sensorium2022_is_what_it_was() -> None:
    spec = load_benchmark("sensorium2022")
    assert spec == load_benchmark() == load_benchmark(spec)
    assert spec.tier_order == ("train", "validation", "test", "final_test")
    assert (spec.training_tier, spec.validation_tier) == ("train", "validation")
    assert spec.training_tiers == ("train", "validation")
    assert spec.test_tiers == ("test", "final_test")
    assert (spec.board_tier("live"), spec.board_tier("final")) == ("test", "final_test")
    assert spec.tier_names(["live", "live_test", "final"]) == ("test", "final_test")
    assert spec.variables == ("images", "responses", "behavior", "pupil_center")
    assert spec.image_channels == 1
    assert spec.behavior_names == ("pupil dilation", "derivative of pupil dilation", "running speed")
    assert spec.track("Sensorium+").protocols == ("image", "image + behaviour")
    assert spec.track("sensorium").withhold == ("behavior", "pupil_center")
    assert spec.protocol_for(()).name == "image"
    assert spec.protocol_for({"pupil_center"}).name == "image + behaviour"
    assert spec.ranking_metric(track="sensorium") == "correlation_to_average"
    assert spec.ranking_metric(track="sensorium+", board="final") == "single_trial_correlation"
    assert spec.valid_session("27204-5-13") == "27204-5-13"


def test_another_benchmark_is_read_from_a_file() -> None:
    spec = load_benchmark(COLOUR_MICE)
    assert spec == load_benchmark(str(COLOUR_MICE)) == read_benchmark(COLOUR_MICE)
    assert spec.image_channels == 2
    assert len(spec.behavior_names) == 5
    assert spec.test_tiers == ("seen", "unseen", "gratings")
    assert spec.tier_name("public") == "seen"
    assert spec.ranking_metric(board="live") == "single_trial_correlation"
    assert spec.ranking_metric(board="final") == "correlation_to_average"
    assert spec.valid_session("mouse_b7") == "mouse_b7"
    with pytest.raises(InputError, match=r"does not match the pattern of benchmark colour-mice.*mouse_a"):
        spec.valid_session("27204-5-13")
    roles = ("train", "validation", "live", "final")
    assert [spec.tier_name(role) for role in roles] == ["fit", "stop", "seen", "unseen"], "what only one tier can be"
    with pytest.raises(InputError, match=r"There is no tier 'test': .*fit, stop, seen"):
        spec.tier_name("test")


@pytest.mark.parametrize("spec", [load_benchmark(), load_benchmark(COLOUR_MICE), BenchmarkSpec(name="plain")])
def test_written_and_read_again_it_is_the_same(spec: BenchmarkSpec) -> None:
    again = parse_benchmark(spec.to_toml())
    assert again == spec
    assert again.sha256 == spec.sha256


def test_a_plugin_registers_a_benchmark() -> None:
    @registry.benchmarks.register("of-a-plugin")
    def described() -> BenchmarkSpec:
        return BenchmarkSpec(name="of-a-plugin")

    try:
        assert load_benchmark("of-a-plugin").name == "of-a-plugin"
        with pytest.raises(InputError, match="did you mean 'of-a-plugin'"):
            load_benchmark("of-plugin")
    finally:
        registry.benchmarks.forget(__name__)


def test_a_changed_plugin_file_changes_its_benchmark(tmp_path: Path) -> None:
    text = (
        "from striate.benchmarks import BenchmarkSpec\n"
        "from striate.registry import benchmarks\n"
        "@benchmarks.register('changing')\n"
        "def described():\n"
        "    return BenchmarkSpec(name='changing', title='{}')\n"
    )
    for title in ("before", "after"):
        (tmp_path / "plugin.py").write_text(text.format(title))
        registry.load_plugin(tmp_path / "plugin.py")
        assert load_benchmark("changing").title == title


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"nam": "a"}, "has no key 'nam': did you mean 'name'"),
        ({"stimulus": {"chanels": ["a"]}}, r"table \[stimulus\] has no key 'chanels': did you mean 'channels'"),
        ({"stimulus": {"channels": "grey"}}, r'should be a list, such as \["grey"\]'),
        ({"stimulus": {"channels": []}}, "at least 1 item"),
        ({"stimulus": {"frames": 3}}, "set frames = 1"),
        ({"stimulus": {"height": 3}}, "height and width belong together"),
        (
            {"stimulus": {"height": 32, "width": 48, "input_size": [36, 64]}},
            r"input_size is \[36, 64\], which would distort images of 32×48 pixels: .* such as \[36, 54\]",
        ),
        ({"stimulus": {"input_size": [36]}}, "input_size"),
        ({"stimulus": {"range": [1, 0]}}, "smallest value, then the largest"),
        ({"behavior": {"names": ["x", "x"]}}, "'x' is listed twice"),
        ({"behavior": {"names": ["x"], "aliases": {"y": ["z"]}}}, "aliases are given for 'y'"),
        ({"behavior": {"names": ["pupil"], "aliases": {"pupil": ["Pupil "]}}}, "must be unique"),
        ({"tiers": [{"name": "a", "role": "trian"}]}, r"tiers.role = .*should be 'train', 'validation' or 'test'"),
        ({"tiers": [*TIERS[:2], {"name": "train", "role": "test"}]}, "which means tier 'a': rename it"),
        ({"tiers": TIERS[:1]}, "0 tiers have role 'validation'"),
        ({"tiers": [*TIERS, {"name": "d", "role": "train"}]}, "2 tiers have role 'train'"),
        ({"tiers": [*TIERS, {"name": "d", "role": "test", "aliases": ["a"]}]}, "two tiers are called 'a'"),
        ({"tiers": [*TIERS[:2], {"name": "C", "role": "test"}]}, "lower-case letters, digits and '_'"),
        ({"tiers": [{**TIERS[0], "board": "live"}, *TIERS[1:]]}, "only test tiers have a board"),
        (
            {"tiers": [*TIERS[:2], *({"name": n, "role": "test", "board": "live"} for n in "cd")]},
            "'c' and 'd' both decide",
        ),
        ({"tracks": [{"name": "t", "withhold": ["pupil_center"], "protocols": ["image"]}]}, "does not have"),
        ({"tracks": [{"name": "t", "protocols": ["imag"]}]}, "did you mean 'image'"),
        (
            {
                "behavior": {"names": ["x"]},
                "protocols": [{"name": "both", "inputs": ["behavior"]}],
                "tracks": [{"name": "t", "withhold": ["behavior"], "protocols": ["both"]}],
            },
            "withholds its inputs",
        ),
        ({"metrics": {"names": ["feve"], "ranking": [{"metric": "fve"}]}}, "did you mean 'feve'"),
        ({"metrics": {"ranking": [{"metric": "feve", "tracks": ["t"]}]}}, "names track 't'"),
        ({"sessions": {"pattern": "{number}{number}", "example": "1"}}, "before '-', '_' or the end"),
        ({"sessions": {"pattern": "(a+)+$", "example": "a"}}, "before '-', '_' or the end"),
        ({"sessions": {"pattern": "mouse_{word}"}}, "does not match the pattern 'mouse_{word}'"),
        ({"standardisation": {"images": "none", "image_statistics": "per_channel"}}, "not standardised"),
        ({"name": "A b"}, "should be lower-case letters"),
        ({"name": "sensorium2022"}, "give it a name of its own"),
    ],
)
def test_a_mistake_is_one_sentence(tables: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load_benchmark({"name": "plain", **tables})
    assert_short(caught.value)


@pytest.mark.parametrize("wrong", ["sensorium", "nowhere.toml", 3])
def test_what_is_no_benchmark_is_refused(wrong: Any) -> None:
    with pytest.raises(InputError):
        load_benchmark(wrong)


@given(st.text("ab1-_", min_size=1, max_size=12))
def test_a_pattern_without_placeholders_is_a_name(name: str) -> None:
    spec = BenchmarkSpec(name="plain", sessions={"pattern": name, "example": name})
    assert spec.sessions.matches(name)
    assert not spec.sessions.matches(name + "x")


@pytest.mark.parametrize("returned", [{"name": "of-a-plugin"}, None, "of-a-plugin.toml"])
def test_a_plugin_that_returns_no_description_is_named(returned: object) -> None:
    registry.benchmarks.register("of-a-plugin")(lambda: returned)
    try:
        with pytest.raises(
            InputError, match=r"The benchmark 'of-a-plugin' of .* is described by .*; expected a BenchmarkSpec"
        ):
            load_benchmark("of-a-plugin")
    finally:
        registry.benchmarks.forget(__name__)
