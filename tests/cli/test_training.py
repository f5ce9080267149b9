"""The commands of training: what they print and write, and that what is broken is refused in one sentence."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import tomli_w
from tests.fixtures.command import assert_one_sentence, run_in_process
from tests.fixtures.recordings import small_recording
from tests.training.small import TABLES

import striate
from striate.training import Run, recipe_names

QUICK = tomli_w.dumps(TABLES)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recipe, two archives and a finished run."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "quick.toml").write_text(QUICK)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STRIATE_CACHE", str(folder / "cache"))
        striate.write(small_recording(final_images=2, withhold=True), folder / "archive.zip")
        striate.write(small_recording("8-1-1", seed=2, without_behavior=True), folder / "other.zip")
        done = run_in_process("train", folder / "quick.toml", folder / "archive.zip", "--out", folder / "run")
        assert done.status == 0, done.err
    return folder


@pytest.mark.slow
def test_recipes_are_listed_and_shown() -> None:
    listed = run_in_process("recipes")
    assert listed.status == 0
    for name in recipe_names():
        assert name in listed.out
    shown = run_in_process("recipes", "cnn-2022")
    assert "[model.core]" in shown.out
    assert_one_sentence(run_in_process("recipes", "cnn2022"), "did you mean 'cnn-2022'")


def test_train_writes_a_run(place: Path) -> None:
    run = Run.open(place / "run")
    assert run.finished
    assert run.recipe.model.core.channels == 4
    assert run.provenance["attempts"][0]["command"][:3] == ["striate", "train", "quick.toml"]


def test_an_interrupted_training_says_how_to_go_on(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "checkpoint.safetensors").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr("striate.training.train", interrupted)
    stopped = run_in_process("train", place / "quick.toml", place / "archive.zip", "--out", tmp_path / "run")
    assert (stopped.status, stopped.err) == (130, "interrupted\n")
    assert "Run the same command again to resume" in stopped.out


def test_settings_seed_and_several_archives(place: Path, tmp_path: Path) -> None:
    archives = [place / "archive.zip", place / "other.zip"]
    options = ["--set", "schedule.max_epochs=1", "--set", "model.core.channels=3", "--seed", "4"]
    done = run_in_process("train", place / "quick.toml", *archives, "--out", tmp_path / "run", *options)
    assert done.status == 0, done.err
    assert "validation correlation" in done.out
    run = Run.open(tmp_path / "run")
    assert run.sessions == ("7-1-1", "8-1-1")
    assert (run.recipe.model.core.channels, run.provenance["seed"], run.provenance["epochs"]) == (3, 4, 1)


def test_new_readouts_on_the_core_of_a_run(place: Path, tmp_path: Path) -> None:
    options = ["--core", place / "run", "--out", tmp_path / "run"]
    done = run_in_process("train", place / "quick.toml", place / "other.zip", *options)
    assert done.status == 0, done.err
    assert Run.open(tmp_path / "run").provenance["core"]["run"] == "run"


def test_fine_tuning_of_the_core_of_a_run(place: Path, tmp_path: Path) -> None:
    options = ["--core", place / "run", "--finetune", "0.1", "--out", tmp_path / "run", "--set", "schedule.patience=1"]
    done = run_in_process("train", place / "quick.toml", place / "other.zip", *options)
    assert done.status == 0, done.err
    assert Run.open(tmp_path / "run").provenance["core"]["finetune"] == 0.1
    refused = run_in_process("train", place / "quick.toml", place / "other.zip", *options[2:], "--overwrite")
    assert_one_sentence(refused, "Fine-tuning needs a trained core", "--core")


def test_predict_writes_a_submission(place: Path, tmp_path: Path) -> None:
    done = run_in_process("predict", place / "run", place / "archive.zip", "--out", tmp_path / "s.parquet")
    assert done.status == 0, done.err
    assert "s.parquet" in done.out
    table = pyarrow.parquet.read_table(tmp_path / "s.parquet")
    recording = small_recording(final_images=2, withhold=True)
    expected = striate.predict(place / "run", recording)
    assert table["trial_idx"].to_pylist() == expected.trial_idx.tolist()
    np.testing.assert_array_equal(np.stack(table["prediction"].to_numpy()), expected.values)


def test_predict_writes_the_csvs_of_2022(place: Path, tmp_path: Path) -> None:
    options = ["--out", tmp_path, "--format", "sensorium_csv"]
    done = run_in_process("predict", place / "run", place / "archive.zip", *options)
    assert done.status == 0, done.err
    assert {p.name for p in tmp_path.iterdir()} >= {"submission_file_live_test.csv", "submission_file_final_test.csv"}


def test_predict_one_tier(place: Path, tmp_path: Path) -> None:
    options = ["--tier", "validation", "--out", tmp_path / "v.parquet"]
    done = run_in_process("predict", place / "run", place / "archive.zip", *options)
    assert done.status == 0, done.err
    assert set(pyarrow.parquet.read_table(tmp_path / "v.parquet")["tier"].to_pylist()) == {"validation"}


def unfinished(path: Path) -> Path:
    path.mkdir()
    (path / "recipe.toml").write_text("")
    (path / "provenance.json").write_text(json.dumps({"status": "training", "recordings": []}))
    return path


def without_validation(path: Path) -> Path:
    recording = small_recording()
    recording.trials["tier"] = recording.trials["tier"].replace("validation", "train")
    return striate.write(recording, path)


Arguments = Callable[[Path, Path], list[object]]

REFUSED: dict[str, tuple[Arguments, str]] = {
    "unknown recipe": (lambda p, t: ["train", "cn", p / "archive.zip", "--out", t / "x"], "did you mean 'cnn'"),
    "no archive": (lambda p, t: ["train", "cnn", p / "none.zip", "--out", t / "x"], "none.zip"),
    "finished": (lambda p, t: ["train", p / "quick.toml", p / "archive.zip", "--out", p / "run"], "finished run"),
    "bad override": (
        lambda p, t: ["train", "cnn", p / "archive.zip", "--out", t / "x", "--set", "data.batchsize=3"],
        "did you mean 'batch_size'",
    ),
    "behaviour withheld": (
        lambda p, t: ["train", "cnn-small-behavior", p / "other.zip", "--out", t / "x"],
        "behaviour of 8-1-1 is withheld",
    ),
    "core is no run": (lambda p, t: ["train", "cnn", p / "other.zip", "--out", t / "x", "--core", p], "is no run"),
    "core unfinished": (
        lambda p, t: ["train", "cnn", p / "other.zip", "--out", t / "x", "--core", unfinished(t / "half")],
        "not finished",
    ),
    "core of another form": (
        lambda p, t: ["train", "cnn-small", p / "other.zip", "--out", t / "x", "--core", p / "run"],
        "The core has layers = 2, but the recipe asks for model.core.layers = 3",
    ),
    "no validation": (
        lambda p, t: ["train", p / "quick.toml", without_validation(t / "mouse.zip"), "--out", t / "x"],
        "no trials of tier 'validation', which training needs; it has train, test",
    ),
    "no device": (
        lambda p, t: ["train", p / "quick.toml", p / "archive.zip", "--out", t / "x", "--device", "gpu"],
        "no device 'gpu'",
    ),
    "the same twice": (
        lambda p, t: ["train", p / "quick.toml", p / "archive.zip", p / "archive.zip", "--out", t / "x"],
        "Two recordings have the session 7-1-1",
    ),
    "predict by no run": (lambda p, t: ["predict", p, p / "archive.zip", "--out", t / "x"], "is no run"),
    "predict by half a run": (
        lambda p, t: ["predict", unfinished(t / "half"), p / "archive.zip", "--out", t / "x"],
        "not finished",
    ),
    "predict another": (
        lambda p, t: ["predict", p / "run", p / "other.zip", "--out", t / "x"],
        "not trained on recording 8-1-1",
    ),
    "predict no tier": (
        lambda p, t: ["predict", p / "run", p / "archive.zip", "--out", t / "x", "--tier", "tst"],
        "did you mean 'test'",
    ),
    "predict a tier by the start of its name": (
        lambda p, t: ["predict", p / "run", p / "archive.zip", "--out", t / "x", "--tier", "val"],
        "did you mean 'validation'",
    ),
    "predict over a file": (
        lambda p, t: ["predict", p / "run", p / "archive.zip", "--out", p / "quick.toml"],
        "exists already",
    ),
    "predict no track": (
        lambda p, t: ["predict", p / "run", p / "archive.zip", "--out", t / "x", "--track", "My track"],
        "cannot name a track",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str, place: Path, tmp_path: Path) -> None:
    arguments, says = REFUSED[case]
    assert_one_sentence(run_in_process(*arguments(place, tmp_path)), says)
    assert not (tmp_path / "x").exists()


# a broken recipe -> what the sentence names
BROKEN: dict[str, tuple[str | bytes, tuple[str, ...]]] = {
    "unknown table": ("[modle.core]\nlayers = 3", ("no key 'modle'", "did you mean 'model'")),
    "unknown key": ("[data]\nbatchsize = 64", ("[data]", "'batchsize'", "did you mean 'batch_size'")),
    "unknown key of a nested table": (
        "[model.core]\nchanels = 3",
        ("[model.core]", "'chanels'", "did you mean 'channels'"),
    ),
    "key at the top": ("batch_size = 64", ("no key 'batch_size'", "did you mean 'data.batch_size'?")),
    "text for a number": ("[schedule]\npatience = 'five'", ('schedule.patience = "five"', "valid integer")),
    "number in quotes": ("[data]\nbatch_size = '64'", ('data.batch_size = "64"', "valid integer")),
    "fraction for an integer": ("[model.core]\nlayers = 2.5", ("model.core.layers = 2.5", "valid integer")),
    "integer for a truth": ("[data]\nbehavior = 1", ("data.behavior = 1", "valid boolean")),
    "truth for an integer": ("[data]\nbatch_size = true", ("data.batch_size = true", "valid integer")),
    "table for a number": ("[schedule.patience]\nx = 1", ("schedule.patience", "valid integer")),
    "number for a table": ("model = 3", ("model = 3",)),
    "list for a number": ("[schedule]\nlearning_rate = [0.1]", ("schedule.learning_rate = [0.1]", "valid number")),
    "zero": ("[data]\nbatch_size = 0", ("data.batch_size = 0", "greater than 0")),
    "negative": ("[schedule]\nlearning_rate = -0.1", ("schedule.learning_rate = -0.1", "greater than 0")),
    "too large": ("[schedule]\nlr_decay_factor = 1.5", ("schedule.lr_decay_factor = 1.5", "less than 1")),
    "infinite": ("[schedule]\nlearning_rate = inf", ("schedule.learning_rate", "finite")),
    "not a number": ("[schedule]\nmin_delta = nan", ("schedule.min_delta", "finite")),
    "none of the choices": ("[loss]\ntype = 'poison'", ("There is no loss 'poison'", "'poisson'")),
    "image size of one number": ("[data]\nimage_size = 36", ("data.image_size = 36", "[36, 64]")),
    "image size of three": ("[data]\nimage_size = [1, 36, 64]", ("data.image_size = [1, 36, 64]", "[36, 64]")),
    "even kernel": ("[model.core]\nhidden_kernel_size = 6", ("hidden_kernel_size = 6 is even",)),
    "kernel too large": (
        "[data]\nimage_size = [36, 64]\n[model.core]\ninput_kernel_size = 37",
        ("input_kernel_size = 37", "use at most 36"),
    ),
    "shifter without eye": ("[model.shifter]\nlayers = 3", ("model.shifter", "data.pupil_center = true")),
    "eye without shifter": ("[data]\npupil_center = true", ("data.pupil_center", "[model.shifter]")),
    "shifter of text": ("[model]\nshifter = 'on'", ('model.shifter = "on"',)),
    "contradiction": ("[data]\nunit_ids = [1]\nneurons = 3", ("unit_ids", "drop neurons")),
    "a date": ("[data]\nbatch_size = 2022-06-01", ("data.batch_size", "valid integer")),
    "not TOML": ("data: {batch_size: 64}", ("not valid TOML", "line 1")),
    "key twice": ("[data]\nbatch_size = 1\nbatch_size = 2", ("not valid TOML",)),
    "cut off": ("[data]\nimage_size = [36,", ("not valid TOML",)),
    "not text": (b"\xff\xfe\x00data", ("not text in UTF-8",)),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", BROKEN)
def test_broken_recipes(case: str, place: Path, tmp_path: Path) -> None:
    text, mentions = BROKEN[case]
    path = tmp_path / "broken.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    outcome = run_in_process("train", path, place / "archive.zip", "--out", tmp_path / "run")
    assert_one_sentence(outcome, "broken.toml", *mentions)
    assert [p.name for p in tmp_path.iterdir()] == ["broken.toml"], "nothing was written"


def test_a_folder_is_no_recipe(place: Path, tmp_path: Path) -> None:
    assert_one_sentence(
        run_in_process("train", tmp_path, place / "archive.zip", "--out", tmp_path / "run"), "the recipe comes first"
    )
