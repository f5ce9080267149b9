"""The commands ``score``, ``submission check`` and ``submission reformat``."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.fixtures.recordings import small_recording
from tests.submissions.command import one_sentence, run
from tests.submissions.examples import example, without

from striate.errors import InputError
from striate.recordings import write
from striate.submissions import Scorecard, Submission, score
from striate.submissions.formats import sensorium_csv


@pytest.fixture
def files(tmp_path):
    recording, submission, truth = example()
    write(recording, tmp_path / "static7-1-1.zip")
    submission.write(tmp_path / "s.parquet")
    truth.write(tmp_path / "t.parquet")
    sensorium_csv.write(submission, tmp_path / "csv")
    sensorium_csv.write_truth(truth, tmp_path / "csv")
    return tmp_path


def test_score_prints_a_table_for_each_tier(files, capsys, monkeypatch):
    code, out, err = run(capsys, monkeypatch, "score", files / "s.parquet", files / "t.parquet", "--bootstrap", "20")
    assert (code, err) == (0, "")
    for words in ("test: ", "final_test: ", "single-trial correlation", "FEVE", "jackknife oracle", "protocol image"):
        assert words in out
    card = score(files / "s.parquet", files / "t.parquet", bootstrap=20)
    assert f"{card.tiers['test'].feve.mean:.4f}" in out
    assert f"{card.tiers['test'].feve.interval.low:.4f}" in out


@pytest.mark.slow
@pytest.mark.parametrize("truth", ["t.parquet", "csv", "static7-1-1.zip"])
@pytest.mark.parametrize("submission", ["s.parquet", "csv"])
def test_every_form_scores_alike(files, capsys, monkeypatch, submission, truth):
    code, out, _ = run(
        capsys,
        monkeypatch,
        "score",
        files / submission,
        files / truth,
        "--json",
        "--bootstrap",
        "0",
        "--tier",
        "live_test",
    )
    assert code == 0
    expected = score(files / "s.parquet", files / "t.parquet", tiers=["test"], bootstrap=0).summary()
    assert json.loads(out)["tiers"] == expected["tiers"]


def test_the_scorecard_is_written_and_never_overwritten_unasked(files, capsys, monkeypatch):
    arguments = ("score", files / "s.parquet", files / "t.parquet", "--bootstrap", "20", "--out", files / "card.json")
    assert run(capsys, monkeypatch, *arguments)[0] == 0
    card = Scorecard.read(files / "card.json")
    assert card == score(files / "s.parquet", files / "t.parquet", bootstrap=20)
    code, out, err = run(capsys, monkeypatch, *arguments)
    assert (code, out) == (1, "")
    assert "exists already" in err
    assert run(capsys, monkeypatch, *arguments, "--overwrite", "--seed", "9")[0] == 0
    assert Scorecard.read(files / "card.json").bootstrap.seed == 9


def test_feve_that_is_not_defined_says_why(tmp_path, capsys, monkeypatch):
    _, submission, truth = example(final_images=0)
    keep = [np.flatnonzero(truth.image_id == image)[0] for image in np.unique(truth.image_id)]
    rows = np.setdiff1d(np.arange(len(truth.tier)), keep)
    without(submission, rows=rows).write(tmp_path / "s.parquet")
    without(truth, rows=rows).write(tmp_path / "t.parquet")
    code, out, err = run(capsys, monkeypatch, "score", tmp_path / "s.parquet", tmp_path / "t.parquet")
    assert (code, err) == (0, "")
    assert "not defined" in out
    assert "only once" in " ".join(out.split())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("score", "s.parquet", "nowhere"), "nowhere does not exist"),
        (("score", "nowhere", "t.parquet"), "nowhere does not exist"),
        (("score", "t.parquet", "t.parquet"), "is a truth; give a submission"),
        (("score", "s.parquet", "s.parquet"), "is a submission; give a truth"),
        (("score", "static7-1-1.zip", "t.parquet"), "is no submission"),
        (("score", "s.parquet", "t.parquet", "--tier", "tset"), "no tier 'tset'"),
        (("score", "s.parquet", "t.parquet", "--tier", "validation"), "no trials of tier 'validation'"),
        (("score", "s.parquet", "t.parquet", "--bootstrap", "-3"), "-3 resamples"),
        (("score", "s.parquet", "withheld.zip"), "withheld"),
        (("score", "s.parquet", "notes.txt"), "is no truth: give an archive"),
        (("submission", "check", "s.parquet", "withheld.zip"), "session 7-1-1"),
        (("submission", "check", "s.parquet", "t.parquet"), "t.parquet"),
        (("submission", "reformat", "s.parquet", "t.parquet"), "native submission already"),
        (("submission", "reformat", "csv", "x.parquet"), "--session"),
        (("submission", "reformat", "s.parquet", "x.csv"), "holds one tier"),
        (("submission", "reformat", "s.parquet", "csv"), "exists already"),
    ],
)
def test_wrong_input_is_one_sentence(files, capsys, monkeypatch, arguments, words):
    write(small_recording("8-1-1", final_images=4, withhold=True), files / "withheld.zip")
    (files / "notes.txt").write_text("predictions of today\n")
    places = [files / a if (files / a).exists() or "." in a or a == "nowhere" else a for a in arguments]
    assert words in one_sentence(capsys, monkeypatch, files, *places)


def test_validate_says_what_is_complete(files, capsys, monkeypatch):
    code, out, _ = run(capsys, monkeypatch, "submission", "check", files / "csv", files / "static7-1-1.zip")
    assert code == 0
    assert "18 trials of tier test, 18 trials of tier final_test, 12 neurons of session 7-1-1" in out
    live = files / "csv" / "submission_file_live_test.csv"
    code, out, _ = run(capsys, monkeypatch, "submission", "check", live, files / "static7-1-1.zip", "--tier", "test")
    assert (code, "18 trials of tier test, 12" in out) == (0, True)
    code, _, err = run(capsys, monkeypatch, "submission", "check", live, files / "static7-1-1.zip")
    assert (code, "test and final_test must be predicted" in err) == (1, True)


def test_convert_there_and_back(files, capsys, monkeypatch):
    code, out, _ = run(capsys, monkeypatch, "submission", "reformat", files / "s.parquet", files / "2022")
    assert code == 0
    assert "submission_file_final_test.csv" in out
    said = ("--session", "7-1-1", "--track", "sensorium", "--protocol", "image")
    assert run(capsys, monkeypatch, "submission", "reformat", files / "2022", files / "back.parquet", *said)[0] == 0
    assert (files / "back.parquet").read_bytes() == (files / "s.parquet").read_bytes()
    assert Submission.read(files / "back.parquet").track == "sensorium"


def test_what_the_noise_allows_is_said(files, capsys, monkeypatch):
    _, out, _ = run(capsys, monkeypatch, "score", files / "s.parquet", files / "t.parquet", "--bootstrap", "0")
    out = " ".join(out.split())
    card = score(files / "s.parquet", files / "t.parquet", bootstrap=0).tiers["test"]
    assert f"its root, {card.split_half.mean**0.5:.3f}, is another estimate of the ceiling to average" in out
    assert f"the {card.feve.neurons} neurons with an explainable variance of at least 15 %" in out


def test_the_ceilings_bound_a_model_of_the_image_alone(files, capsys, monkeypatch):
    known = "a model that sees behaviour can exceed"
    for protocol, warned in (("image", False), ("image + behaviour", True)):
        behaviour = Submission.read(files / "s.parquet")
        replace(behaviour, protocol=protocol, track=None).write(files / "p.parquet", overwrite=True)
        _, out, _ = run(capsys, monkeypatch, "score", files / "p.parquet", files / "t.parquet", "--bootstrap", "0")
        card = score(files / "p.parquet", files / "t.parquet", bootstrap=0).tiers["test"]
        for words in ("single-trial ceiling", "ceiling to average", "oracle predictor", "normalised correlation"):
            assert words in out
        assert f"{card.single_trial_ceiling.mean:.4f}" in out
        assert f"{card.cc_max.mean:.4f}" in out
        assert f"{card.cc_norm.mean:.4f}" in out
        assert (known in " ".join(out.split())) is warned


def test_feve_of_few_images_says_so_instead_of_numbers(files, capsys, monkeypatch):
    card = score(files / "s.parquet", files / "t.parquet", bootstrap=50).tiers["test"]
    assert card.feve.mean is None
    _, out, _ = run(capsys, monkeypatch, "score", files / "s.parquet", files / "t.parquet", "--bootstrap", "50")
    assert "too few images" in out


def test_a_submission_of_another_recording_is_called_that(files, capsys, monkeypatch):
    write(small_recording("8-1-1"), files / "static8-1-1.zip")
    err = one_sentence(
        capsys, monkeypatch, files, "submission", "check", files / "s.parquet", files / "static8-1-1.zip"
    )
    assert "is for session 7-1-1, but the archive is for session 8-1-1" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("score", "s.parquet", "t.parquet", "--seed", "-1"), "must not be negative, got -1"),
        (("score", "s.parquet", "t.parquet", "--bootstrap", "1"), "usually 1000, or 0 for no intervals"),
        (("submission", "reformat", "nothing", "b"), "does not exist"),
        (("submission", "reformat", "s.parquet", "b.txt"), "the suffix of another file type"),
        (("submission", "reformat", "s.parquet", "run"), "is the folder of a run"),
        (("submission", "check", "s.parquet", ""), "An argument is empty"),
    ],
)
def test_more_that_is_refused(files, capsys, monkeypatch, arguments, words):
    (files / "run").mkdir()
    (files / "run" / "recipe.toml").write_text("")
    monkeypatch.chdir(files)
    assert words in one_sentence(capsys, monkeypatch, files, *arguments)


def test_a_native_file_is_not_called_csv(files):
    with pytest.raises(InputError, match=r"give a path that ends in \.parquet"):
        Submission.read(files / "s.parquet").write(files / "s.csv")


def test_track_sensorium_is_for_images_alone():
    _, submission, _ = example()
    with pytest.raises(InputError, match=r"Track sensorium is for .* image, .*another track, or no track"):
        replace(submission, track="sensorium", protocol="image + behaviour")
