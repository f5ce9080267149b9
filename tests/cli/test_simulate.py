"""The command ``simulate``."""

import json
import re

import numpy as np
import pytest
from tests.submissions.command import run

import striate
from striate.data import Standardisation
from striate.recordings.layout import archive_stem
from striate.simulate import PopulationSettings, RecordingSettings, SimulatedTruth, oracle_scores
from striate.submissions import Submission

SMALL = [
    "--neurons",
    "10",
    "--train",
    "20",
    "--validation",
    "5",
    "--test-images",
    "4",
    "--final-images",
    "3",
    "--image-shape",
    "18x32",
]


@pytest.mark.slow
def test_one_pretraining_scan_is_the_default(capsys, monkeypatch, tmp_path):
    code, out, err = run(capsys, monkeypatch, "simulate", tmp_path / "mouse", *SMALL)
    assert (code, err) == (0, "")
    (archive,) = (tmp_path / "mouse").iterdir()
    assert archive.name == f"{archive_stem('90001-1-1')}.zip"
    assert str(archive) in out
    assert "pre-training" in out
    recording = striate.open(archive)
    assert recording.image_shape == (18, 32)
    assert len(recording.neurons) == 10
    assert recording.tiers == ("train", "validation", "test")


@pytest.mark.slow
def test_a_benchmark_with_truth(capsys, monkeypatch, tmp_path):
    public, secret = tmp_path / "public", tmp_path / "secret"
    arguments = (public, "--truth", secret, "--pretraining", 1, "--competition", "all", "--json", *SMALL)
    code, out, err = run(capsys, monkeypatch, "simulate", *arguments)
    assert (code, err) == (0, "")  # a seed that was drawn needs no warning
    rows = json.loads(out)["recordings"]
    assert [row["track"] for row in rows] == ["sensorium", "sensorium+", None]
    for row in rows:
        recording, truth = striate.open(row["recording"]), SimulatedTruth.read(row["truth"])
        assert truth.seed > 2**100
        assert oracle_scores(truth, recording).means == pytest.approx(row["oracle"]["image and behavior"])
        assert row["trials"] == {t: int((recording.trials["tier"] == t).sum()) for t in recording.tiers}
        assert set(row["withheld"]) == recording.withheld_tiers
        assert (row["scoring_truth"] is not None) == bool(recording.withheld_tiers)
    assert len({SimulatedTruth.read(row["truth"]).seed for row in rows}) == 1
    assert str(SimulatedTruth.read(rows[0]["truth"]).seed) not in out


@pytest.mark.slow
def test_what_is_withheld_can_be_scored_with_the_file_that_is_printed(capsys, monkeypatch, tmp_path):
    arguments = ("--truth", tmp_path / "secret", "--competition", "sensorium", *SMALL)
    code, out, _ = run(capsys, monkeypatch, "simulate", tmp_path / "public", *arguments)
    assert code == 0
    truth = tmp_path / "secret" / "90001-1-1-truth.parquet"
    assert f"Score a submission for 90001-1-1:  striate score SUBMISSION {truth}" in out
    archive = next((tmp_path / "public").iterdir())
    recording = striate.open(archive)
    known = SimulatedTruth.read(truth.with_suffix(".npz"))
    rows = np.concatenate([recording.rows(tier) for tier in ("test", "final_test")])
    rates = Standardisation.from_recording(recording).responses(known.expected[rows])
    submission = tmp_path / "oracle.parquet"
    Submission.from_array(recording, rates, protocol="image", track="sensorium").write(submission)
    code, out, _ = run(capsys, monkeypatch, "score", submission, truth, "--json", "--bootstrap", 0)
    assert code == 0
    scored = json.loads(out)["tiers"]["test"]["single_trial_correlation"]["mean"]
    assert scored == pytest.approx(oracle_scores(known, recording).means["single_trial_correlation"], abs=1e-5)

    code, _, err = run(capsys, monkeypatch, "score", submission, truth.with_suffix(".npz"))
    assert code != 0
    assert "give the .parquet file beside it" in " ".join(err.split())

    (tmp_path / "secret" / "90001-1-1-truth.npz").unlink()
    code, _, err = run(capsys, monkeypatch, "simulate", tmp_path / "another", *arguments)
    assert code != 0  # before any work, and with nothing lost
    assert "truth.parquet" in err
    assert not (tmp_path / "another").exists()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_and_a_warning(capsys, monkeypatch, tmp_path):
    files = []
    for name in ("a", "b"):
        code, _, err = run(
            capsys, monkeypatch, "simulate", tmp_path / name, "--competition", "sensorium+", "--seed", 7, *SMALL
        )
        assert code == 0
        assert err.startswith("warning: ")
        files.append([p.read_bytes() for p in (tmp_path / name).iterdir()])
    assert files[0] == files[1]
    assert len(files[0]) == 1


@pytest.mark.slow
def test_nothing_withheld_and_folders(capsys, monkeypatch, tmp_path):
    code, out, err = run(
        capsys,
        monkeypatch,
        "simulate",
        tmp_path / "m",
        "--competition",
        "sensorium",
        "--no-withhold",
        "--folders",
        *SMALL,
    )
    assert (code, err) == (0, "")
    assert "nothing is withheld" in out
    (folder,) = (tmp_path / "m").iterdir()
    assert folder.is_dir()
    recording = striate.open(folder)
    assert not recording.withheld_tiers
    assert not recording.behavior_withheld
    assert "final_test" in recording.tiers


@pytest.mark.slow
def test_settings_of_the_neurons_have_an_effect(capsys, monkeypatch, tmp_path):
    truths = {}
    options = {
        "plain": (),
        "complex": ("--complex-fraction", 1),
        "reliable": ("--reliability", 0.8),
        "narrow": ("--reliability-spread", 0.01),
        "unnormalized": ("--normalization", 0),
        "steady": ("--behavior-gain", 0),
        "fixed": ("--eye-shift", 0),
        "repeated": ("--repeats", 4),
    }
    for name, option in options.items():
        place = (tmp_path / name, "--truth", tmp_path / f"{name}-truth", "--seed", 1)
        assert run(capsys, monkeypatch, "simulate", *place, *SMALL, *option)[0] == 0
        truths[name] = SimulatedTruth.read(tmp_path / f"{name}-truth" / "90001-1-1-truth.npz")
    assert (truths["complex"].neurons["complexity"] > 0.5).all()
    assert truths["reliable"].neurons["reliability"].mean() > truths["plain"].neurons["reliability"].mean() + 0.2
    assert truths["narrow"].neurons["reliability"].std() < truths["plain"].neurons["reliability"].std()
    assert (truths["steady"].neurons["gain_running"] == 0).all()
    assert not truths["fixed"].gaze.any()
    assert truths["plain"].gaze.any()
    assert len(truths["repeated"].order) < len(truths["plain"].order)
    assert (truths["unnormalized"].expected != truths["plain"].expected).any()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("out", "--truth", "out/truth"), "must not be in the public folder"),
        (("out", "--competition", "all"), "--truth FOLDER"),
        (("out", "--pretraining", "0"), "at least one recording"),
        (("out", "--neurons", "0"), "'neurons' is 0"),
        (("out", "--image-shape", "big"), "144x256"),
        (("out", "--image-shape", "4x4"), "between 8 and 2048"),
        (("out", "--seed", "-3"), "whole number"),
        (("out", "--reliability", "0.02"), "reliability_spread"),
        (("file",), "is a file"),
    ],
)
def test_refusals_are_one_sentence_and_write_nothing(capsys, monkeypatch, tmp_path, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("here")
    code, out, err = run(capsys, monkeypatch, "simulate", *arguments)
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert words in err
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_the_help_states_the_defaults_as_they_are(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    _, out, _ = run(capsys, monkeypatch, "simulate", "--help")
    stated = dict(re.findall(r"--([a-z-]+) .*\(([0-9.x]+)\)\. ", out))
    defaults = {**PopulationSettings().model_dump(), **RecordingSettings().model_dump()}
    defaults["image_shape"] = "144x256"
    assert len(stated) == 13
    for name, value in stated.items():
        assert value == f"{defaults[name.replace('-', '_')]:g}" if "x" not in value else value == "144x256", name
