"""A report holds what it says, needs nothing but itself, and grows with what is known."""

import base64
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.fixtures.recordings import small_recording

from striate.data import Standardisation
from striate.errors import InputError
from striate.recordings import Recording
from striate.report import ReportData, figures, paired_differences, score_model, write_report
from striate.submissions import Submission, Truth


@pytest.fixture(scope="module")
def data() -> ReportData:
    recording = small_recording(neurons=40, training=30, test_images=12, final_images=10, repeats=6)
    truth = Truth.from_recording(recording)
    rng = np.random.default_rng(0)
    standardised = Standardisation.from_recording(recording)
    rows = np.concatenate([recording.rows(tier) for tier in truth.tiers])
    measured = standardised.responses(recording.responses[rows])
    constant = np.broadcast_to(standardised.responses(recording.measured_responses("train")).mean(0), measured.shape)

    def scored_model(name: str, share: float):  # type: ignore[no-untyped-def]
        guess = share * measured + (1 - share) * constant * rng.uniform(0.5, 1.5, measured.shape)
        return score_model(name, Submission.from_array(recording, guess, protocol="image"), truth, bootstrap=50)

    models = [scored_model("constant", 0.0), scored_model("LN", 0.3), scored_model("CNN", 0.7)]
    history = pd.DataFrame(
        {
            "epoch": range(9),
            "validation_correlation": np.linspace(0, 0.4, 9),
            "learning_rate": [0.009] * 5 + [0.0027] * 4,
        }
    )
    return ReportData(
        "Mouse 7 & <others>",
        ["A summary."],
        recording,
        truth,
        models,
        paired_differences(models, truth, resamples=50),
        scored_model("oracle", 0.95),
        {"LN": history, "CNN": history},
        rng.uniform(0, 18, (40, 2)),
        recording.unit_ids,
        rng.uniform(0, 18, (40, 2)),
        {"recipe": "cnn"},
    )


def sections(text: str) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", text)


@pytest.mark.slow
def test_a_full_report_is_one_file_with_everything_in_it(data: ReportData, tmp_path: Path) -> None:
    write_report(data, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert sections(text) == [
        "The recording",
        "Scores: live test",
        "Scores: final test",
        "Example trials",
        "Measured against predicted",
        "Training",
        "Scores against their ceiling",
        "Receptive fields and retinotopy",
        "Provenance",
    ]
    assert "Mouse 7 &amp; &lt;others&gt;" in text
    assert not re.findall(r'(?:src|href)="(?!data:)', text), "nothing is fetched from elsewhere"
    pictures = re.findall(r'alt="([^"]+)" src="data:image/png;base64,([^"]+)"', text)
    assert len(pictures) == 8
    assert all(base64.b64decode(data).startswith(b"\x89PNG") for _, data in pictures)
    card = data.models[2].scorecard.tiers["test"].single_trial_correlation
    assert card.mean is not None
    assert f"<td>{card.mean:.3f} <small>[" in text
    assert "CNN − LN" in text


def test_differences_tell_the_better_from_the_worse(data: ReportData) -> None:
    assert [(d.better, d.worse, d.tier) for d in data.differences] == [
        ("LN", "constant", "test"),
        ("CNN", "LN", "test"),
        ("LN", "constant", "final_test"),
        ("CNN", "LN", "final_test"),
    ]
    for difference in data.differences:
        assert difference.metrics["single_trial_correlation"].excludes_zero


@pytest.mark.slow
def test_what_is_not_known_is_left_out(recording: Recording, data: ReportData, tmp_path: Path) -> None:
    write_report(ReportData("Only a recording", [], recording), tmp_path / "a.html")
    assert sections((tmp_path / "a.html").read_text()) == ["The recording"]
    write_report(
        ReportData("Trained, not scored", [], recording, histories=data.histories, positions=np.zeros((12, 2)), unit_ids=recording.unit_ids),
        tmp_path / "b.html",
    )  # fmt: skip
    found = sections((tmp_path / "b.html").read_text())
    assert found == ["The recording", "Training", "Receptive fields and retinotopy"]


def test_each_thing_withheld_is_named(recording: Recording, tmp_path: Path) -> None:
    blind = Recording(
        recording.session, recording.neurons, recording.trials, recording.images, recording.responses,
        recording.behavior, np.zeros_like(recording.pupil_center),
    )  # fmt: skip
    write_report(ReportData("No eye tracking", [], blind), tmp_path / "a.html")
    assert "eye position" in (tmp_path / "a.html").read_text()
    withholding = small_recording(withhold=True, without_behavior=True)
    write_report(ReportData("Competition", [], withholding), tmp_path / "b.html")
    text = (tmp_path / "b.html").read_text()
    assert all(what in text for what in ("responses of test", "behaviour"))
    write_report(ReportData("All", [], recording), tmp_path / "c.html")
    assert "nothing" in (tmp_path / "c.html").read_text()


@pytest.mark.slow
def test_a_few_images_are_all_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    recording = small_recording(test_images=4)
    truth = Truth.from_recording(recording)
    guess = score_model(
        "guess", Submission.from_array(recording, truth.responses + 1, protocol="image"), truth, bootstrap=0
    )
    drawn: list[Any] = []
    draw = figures.example_trials

    def watched(pictures: Any, *others: Any) -> Any:
        drawn.extend(pictures[""])
        return draw(pictures, *others)

    monkeypatch.setattr(figures, "example_trials", watched)
    write_report(ReportData("Few", [], recording, truth, [guess]), tmp_path / "report.html")
    assert len(drawn) == 4


def test_a_report_is_not_overwritten_unless_asked(recording: Recording, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(ReportData("First", [], recording), path)
    with pytest.raises(InputError, match="exists already"):
        write_report(ReportData("Second", [], recording), path)
    write_report(ReportData("Second", [], recording), path, overwrite=True)
    assert "Second" in path.read_text()
