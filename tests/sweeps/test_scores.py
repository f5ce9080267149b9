"""Scores of runs are those of scorecards, and their resamples give the paired differences of reports."""

from pathlib import Path

import numpy as np
import pytest

from striate.errors import InputError
from striate.metrics import estimate_difference
from striate.recordings import Recording
from striate.report import score_model
from striate.submissions import Submission, Truth
from striate.sweeps import JobResult, RunScores
from striate.training import predict


def test_scores_are_those_of_scorecards(two_results: list[JobResult], mouse: Recording) -> None:
    submission = Submission.from_predictions(predict(two_results[0].run(), mouse))
    card = score_model("a", submission, Truth.from_recording(mouse, "test")).scorecard
    scores = two_results[0].scores()
    assert scores.tiers == ("validation", "test")
    for name in scores.metrics:
        expected, found = card.tiers["test"].by_name[name], scores.estimate("test", name)
        assert found.value == expected.mean
        if expected.interval is not None:
            assert found.interval is not None
            assert (found.interval.low, found.interval.high) == (expected.interval.low, expected.interval.high)


def test_differences_are_paired(two_results: list[JobResult], mouse: Recording) -> None:
    truth = Truth.from_recording(mouse, "test")
    first, second = (predict(result.run(), mouse, "test").values for result in two_results)
    for name in ("single_trial_correlation", "correlation_to_average"):
        expected = estimate_difference(name, truth.responses, first, second, truth.image_id)
        a, b = (result.scores().estimate("test", name) for result in two_results)
        np.testing.assert_allclose(a.samples - b.samples, expected.samples, rtol=0, atol=1e-12)


def test_facts(two_results: list[JobResult], mouse: Recording) -> None:
    facts, run = two_results[0].scores().facts, two_results[0].run()
    assert facts["protocol"] == run.protocol == "image"
    assert facts["parameters"] == sum(p.numel() for p in run.encoder().parameters())
    assert facts["recordings"] == [{"session": mouse.session, "fingerprint": mouse.fingerprint}]
    assert facts["seconds"] > 0
    assert facts["memory_mib"] > 10


def test_an_undefined_score_says_why(two_results: list[JobResult]) -> None:
    scores = two_results[0].scores()
    assert scores.estimate("validation", "feve").value is None
    rows = scores.table.query("tier == 'validation' and metric == 'feve'")
    (reason,) = rows["reason"]
    assert "shown only once" in reason


def test_damaged_scores(two_results: list[JobResult], tmp_path: Path) -> None:
    two_results[0].scores().write(tmp_path)
    (tmp_path / "facts.json").write_text("{")
    with pytest.raises(InputError, match=r"facts.json is damaged"):
        RunScores.read(tmp_path)
    (tmp_path / "scores.parquet").write_bytes(b"no")
    with pytest.raises(InputError, match="delete the file, and start the same command again"):
        RunScores.read(tmp_path)
