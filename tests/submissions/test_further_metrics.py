"""Scores of metrics beside those that every scorecard has."""

import json
from collections.abc import Iterator

import numpy as np
import pytest
from tests.submissions.command import run
from tests.submissions.examples import example

import striate
from striate.errors import InputError
from striate.metrics import bootstrap_metric, describe_metric
from striate.registry import metrics
from striate.report import ReportData, score_model, write_report
from striate.submissions import Scorecard, average_scorecards, score


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    @metrics.register("absolute_error")
    @describe_metric("absolute error [a.u.]", higher_is_better=False)
    def absolute_error(responses, predictions, repeats):
        """Mean absolute error of single trials."""
        return np.abs(responses - predictions).mean(axis=0)

    @metrics.register("of_no_neuron")
    @describe_metric("value of no neuron")
    def of_no_neuron(responses, predictions, repeats):
        """Not a number."""
        return np.full(responses.shape[1], np.nan)

    @metrics.register("unsteady")
    @describe_metric("unsteady ratio", ratio=True)
    def unsteady(responses, predictions, repeats):
        """A ratio that few images leave undetermined."""
        return 100 * np.abs(predictions.mean(axis=0) - 1)

    yield
    metrics.forget(__name__)


def test_a_further_metric_has_values_a_mean_and_an_interval():
    _, submission, truth = example()
    card = score(submission, truth, metrics=["absolute_error", "feve"], bootstrap=30, seed=2)
    for tier, scores in card.tiers.items():
        rows = truth.rows(tier)
        errors = np.abs(truth.responses[rows].astype(float) - submission.predictions[rows])
        assert list(scores.other) == ["absolute_error"]
        result = scores.other["absolute_error"]
        assert result.per_neuron == pytest.approx(errors.mean(axis=0).tolist())
        assert result.mean == pytest.approx(errors.mean())
        expected = bootstrap_metric(
            "absolute_error",
            truth.responses[rows],
            submission.predictions[rows],
            truth.image_id[rows],
            resamples=30,
            seed=2,
        ).interval
        assert (result.interval.low, result.interval.high) == (expected.low, expected.high)
        assert (result.neurons, result.resamples, result.higher_is_better) == (12, 30, False)
        assert result.source.module == __name__
        assert len(result.source.sha256) == 64


def test_scorecards_without_further_metrics_do_not_mention_them():
    _, submission, truth = example()
    card = score(submission, truth, bootstrap=0)
    assert "other" not in card.model_dump()["tiers"]["test"]
    assert '"other"' not in card.model_dump_json()
    assert "other" not in card.summary()["tiers"]["test"]


def test_a_scorecard_with_further_metrics_is_read_where_they_are_not_installed(tmp_path):
    _, submission, truth = example()
    card = score(submission, truth, metrics="absolute_error", bootstrap=20)
    card.write(tmp_path / "card.json")
    metrics.forget(__name__)
    read = Scorecard.read(tmp_path / "card.json")
    assert read == card
    assert "absolute error [a.u.]" in read._repr_html_()
    assert "absolute_error" in read.per_neuron("test").columns
    assert "per_neuron" not in read.summary()["tiers"]["test"]["other"]["absolute_error"]


def test_a_damaged_further_metric_is_refused(tmp_path):
    _, submission, truth = example()
    card = score(submission, truth, metrics="absolute_error", bootstrap=0).model_dump()
    card["tiers"]["test"]["other"]["absolute_error"]["per_neuron"].pop()
    (tmp_path / "card.json").write_text(json.dumps(card))
    with pytest.raises(InputError, match=r"test\.absolute_error needs one value for each of the 12 unit ids"):
        Scorecard.read(tmp_path / "card.json")


def test_reasons_say_why_there_is_no_mean():
    _, submission, truth = example()
    scores = score(submission, truth, metrics=["of_no_neuron", "unsteady"], bootstrap=30).tiers["test"].other
    assert (scores["of_no_neuron"].mean, scores["of_no_neuron"].neurons) == (None, 0)
    assert scores["of_no_neuron"].reason == "it has a value for no neuron"
    assert scores["unsteady"].mean is None
    assert scores["unsteady"].reason.startswith("too few images")


def test_unknown_metrics_are_refused_before_anything_is_read():
    with pytest.raises(InputError, match="no metric 'absolute_eror'"):
        score("does-not-exist.parquet", "truth.parquet", metrics="absolute_eror")
    with pytest.raises(InputError, match="expected names of metrics"):
        score("does-not-exist.parquet", "truth.parquet", metrics=3)


def test_scorecards_average_the_further_metrics_that_all_have():
    cards = []
    for session, further in (("7-1-1", ["absolute_error", "unsteady"]), ("8-1-1", ["absolute_error"])):
        _, submission, truth = example(session=session)
        cards.append(score(submission, truth, metrics=further, bootstrap=0))
    means = average_scorecards(cards, "test")
    assert "unsteady" not in means
    assert means["absolute_error"].neurons == 24


def test_the_command_shows_further_metrics(tmp_path, capsys, monkeypatch):
    _, submission, truth = example()
    submission.write(tmp_path / "s.parquet")
    truth.write(tmp_path / "t.parquet")
    command = ["score", tmp_path / "s.parquet", tmp_path / "t.parquet", "--bootstrap", "20"]
    code, out, _ = run(capsys, monkeypatch, *command, "--metric", "absolute_error", "--metric", "of_no_neuron")
    assert code == 0
    assert "absolute error [a.u.]: lower is better, interval from 20 resamples" in out
    assert "value of no neuron: not defined: it has a value for no neuron" in out
    code, out, err = run(capsys, monkeypatch, *command, "--metric", "nothing")
    assert code == 1
    assert "no metric 'nothing'" in err
    assert err.count("\n") == 1


def test_a_report_has_a_table_of_further_metrics(tmp_path):
    recording, submission, truth = example()
    models = [score_model("CNN", submission, truth, metrics=["absolute_error", "of_no_neuron"], bootstrap=20)]
    write_report(ReportData("A mouse", [], recording, truth, models), tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "absolute error [a.u.] (lower is better)" in page
    assert "not defined: it has a value for no neuron" in page
    assert f"{models[0].scorecard.tiers['test'].other['absolute_error'].mean:.3f}" in page
    data = striate.report.collect_report_data(recording, {"CNN": submission}, metrics="absolute_error", bootstrap=20)
    assert "absolute_error" in data.models[0].scorecard.tiers["test"].other
