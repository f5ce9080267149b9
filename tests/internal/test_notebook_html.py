"""What objects show of themselves: short texts, and tables in notebooks whose text is escaped."""

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.fixtures.recordings import small_recording
from tests.training.small import small_recipe

import striate
from striate.recordings import CheckReport, Finding, Severity
from striate.submissions import Submission

_VOID = {"img"}
_TRICK = '<script>alert("x")</script>'


class Strict(HTMLParser):
    """Every tag is closed in order, and no element is one that runs code."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        assert tag != "script"
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def parsed(content: str) -> str:
    parser = Strict()
    parser.feed(content)
    assert parser.open == []
    return " ".join(parser.text)


@pytest.fixture(scope="module")
def things(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One of everything that a notebook shows."""
    folder = tmp_path_factory.mktemp("things")
    simulated = striate.simulate(neurons=300, train=30, validation=5, test_images=4, image_shape=(36, 64), seed=7)
    recording = small_recording()
    card = striate.score(Submission.from_array(recording, np.ones((18, 12)), protocol="image"), recording, bootstrap=20)
    run = striate.train(small_recipe(schedule__max_epochs=2), recording, folder / "run", progress=False)
    data = striate.loaders(recording, behavior=True)
    return {
        "recording": simulated.recording,
        "statistics": simulated.recording.statistics,
        "one variable": simulated.recording.statistics["responses"],
        "simulated": simulated,
        "truth": simulated.truth,
        "population": striate.simulate.population(seed=1),
        "check": striate.check(recording),
        "scorecard": card,
        "tier scores": card.tiers["test"],
        "score": card.tiers["test"].feve,
        "loaders": data,
        "loader": data.train,
        "several loaders": striate.loaders([small_recording(f"{i}-1-1") for i in range(1, 15)]),
        "batch": next(iter(data.train)),
        "run": run,
        "predictions": striate.predict(run, recording),
        "recipe": run.recipe,
    }


NAMES = (
    "recording", "statistics", "one variable", "simulated", "truth", "population", "check", "scorecard", "tier scores", "score",
    "loaders", "loader", "several loaders", "batch", "run", "predictions", "recipe",
)  # fmt: skip
SHOWN = tuple(name for name in NAMES if name not in ("one variable", "score", "loader", "predictions"))


@pytest.mark.parametrize("name", NAMES)
def test_texts_are_short(things: dict[str, Any], name: str) -> None:
    for said in (repr(things[name]), str(things[name])):
        assert said.count("\n") < 10
        assert len(said) < 1000


@pytest.mark.parametrize("name", SHOWN)
def test_html_is_sound_and_not_large(things: dict[str, Any], name: str) -> None:
    content = things[name]._repr_html_()
    parsed(content)
    assert len(content) < 400_000


def test_html_shows_what_matters(things: dict[str, Any]) -> None:
    recording = things["recording"]
    text = parsed(recording._repr_html_())
    for tier in recording.tiers:
        assert f"{tier} {len(recording.rows(tier))} " in text
    assert recording._repr_html_().count("<img") >= 3
    mean = things["scorecard"].tiers["test"].single_trial_correlation.mean
    assert f"{mean:.4f}" in parsed(things["scorecard"]._repr_html_())
    assert "valid" in parsed(things["check"]._repr_html_())
    assert "epoch" in parsed(things["run"]._repr_html_())
    batch = things["batch"]
    assert f"images {tuple(batch.images.shape)} float32 cpu" in parsed(batch._repr_html_())


def test_statistics_are_still_a_mapping(things: dict[str, Any]) -> None:
    statistics = things["statistics"]
    assert sorted(statistics) == ["behavior", "images", "pupil_center", "responses"]
    assert statistics["behavior"].mean.shape == (3,)


@pytest.mark.slow
def test_the_seed_of_a_simulation_is_not_shown() -> None:
    simulated = striate.simulate(neurons=5, train=20, image_shape=(36, 64), seed=918273645)
    for said in (repr(simulated), repr(simulated.truth), simulated._repr_html_()):
        assert "918273645" not in said


def tricky() -> Iterator[tuple[str, str]]:
    recording = small_recording()
    recording.neurons["area"] = _TRICK
    recording.source = Path(_TRICK)
    yield "recording", recording._repr_html_()
    yield "check", CheckReport(_TRICK, [Finding(_TRICK, Severity.ERROR, _TRICK, _TRICK, _TRICK)])._repr_html_()
    yield "recipe", small_recipe(description=_TRICK)._repr_html_()


@pytest.mark.parametrize(("name", "content"), list(tricky()))
def test_text_is_escaped(name: str, content: str) -> None:
    assert "<script>" not in content
    assert "script" in parsed(content), name
