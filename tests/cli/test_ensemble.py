"""The command ``ensemble``, and what ``info`` shows of trained models."""

import json
from pathlib import Path

import pytest
import tomli_w
from tests.fixtures.command import assert_one_sentence, run_in_process
from tests.fixtures.recordings import small_recording
from tests.training.small import TABLES

import striate
from striate.training import Ensemble


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recipe, an archive, an ensemble of two seeds and a run of a fold."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "quick.toml").write_text(tomli_w.dumps(TABLES | {"schedule": {"max_epochs": 1, "learning_rate": 0.02}}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STRIATE_CACHE", str(folder / "cache"))
        striate.write(small_recording(), folder / "mouse.zip")
        for arguments in (
            ("ensemble", "--train", folder / "quick.toml", folder / "mouse.zip", "--seeds", 2, "--out", folder / "two"),
            ("train", folder / "quick.toml", folder / "mouse.zip", "--folds", 4, "--fold", 1, "--out", folder / "fold"),
        ):
            done = run_in_process(*arguments)
            assert done.status == 0, done.err
    return folder


@pytest.mark.slow
def test_an_ensemble_is_predicted_scored_and_reported_like_a_run(place: Path, tmp_path: Path) -> None:
    made = run_in_process(
        "ensemble",
        *sorted((place / "two" / "members").iterdir()),
        "--out",
        tmp_path / "made",
        "--validate",
        place / "mouse.zip",
    )
    assert made.status == 0, made.err
    assert "ensemble of 2 runs, mean of rates (image); validation correlation" in made.out
    predicted = run_in_process("predict", tmp_path / "made", place / "mouse.zip", "--out", tmp_path / "both.parquet")
    assert "predicted 18 trials of tier test of 7-1-1, 12 neurons" in predicted.out, predicted.err
    scored = run_in_process("score", tmp_path / "both.parquet", place / "mouse.zip", "--bootstrap", 20)
    assert "single-trial correlation" in scored.out, scored.err
    assert striate.Submission.read(tmp_path / "both.parquet").protocol == "image"
    reported = run_in_process(
        *("report", place / "two", place / "two" / "members" / "seed-0", f"file={tmp_path / 'both.parquet'}"),
        *(place / "mouse.zip", "--out", tmp_path / "report.html", "--bootstrap", 20),
    )
    assert reported.status == 0, reported.err
    page = (tmp_path / "report.html").read_text()
    assert "ensemble two (ensemble of 2 runs, mean of rates); protocol image" in page
    assert Ensemble.open(tmp_path / "made").provenance["command"][:2] == ["striate", "ensemble"]


def test_info_shows_runs_and_ensembles(place: Path) -> None:
    shown = run_in_process("info", place / "two")
    assert shown.status == 0, shown.err
    for said in ("finished", "ensemble of 2 runs", "7-1-1", "seed-0", "seed-1"):
        assert said in shown.out
    assert "of its own fold" in run_in_process("info", place / "fold").out
    facts = json.loads(run_in_process("info", place / "two", "--json").out)
    assert [entry["folder"] for entry in facts["members"]] == ["seed-0", "seed-1"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("two/members/seed-0", "nothing"), "nothing is no run"),
        (("two/members/seed-0", "mouse.zip"), "mouse.zip is no run"),
        (("two", "--seeds", 3), "--seeds has an effect only with --train"),
        (("two", "fold", "--validate", "mouse.zip"), "would not count, because its members fold"),
        (("two", "--combine", "rate"), "There is no combination 'rate': did you mean 'rates'"),
        (("--train", "quick.toml"), "There are no recordings to train on"),
        (("--train", "quick.toml", "mouse.zip", "--protocol", "image"), "--protocol is for runs that exist"),
        (("--train", "quick.toml", "mouse.zip", "--set", "data.fold=2"), "fold has an effect only where folds"),
        (("--train", "no-recipe", "mouse.zip"), "no-recipe"),
    ],
)
def test_what_is_refused(
    arguments: tuple[object, ...], sentence: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    assert_one_sentence(run_in_process("ensemble", *arguments, "--out", tmp_path / "out"), sentence)
    assert not (tmp_path / "out").exists()
