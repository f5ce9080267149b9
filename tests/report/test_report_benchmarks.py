"""Reports of benchmarks of which nothing is like SENSORIUM 2022: other metrics, tiers, protocols and channels."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.fixtures.command import run_in_process
from tests.fixtures.recordings import COLOUR_MICE, colour_recording

from striate.benchmarks import BenchmarkSpec, load_benchmark, read_benchmark
from striate.metrics import describe_metric, estimate_difference
from striate.recordings import Recording, write
from striate.registry import metrics
from striate.report import collect_report_data, figures, metric_labels, ranking_metric, sort_by_score, write_report
from striate.report.report import _in_columns
from striate.submissions import Submission, Truth


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    @metrics.register("absolute_error")
    @describe_metric("absolute error", higher_is_better=False)
    def absolute_error(responses, predictions, repeats):  # type: ignore[no-untyped-def]
        """Mean absolute error of single trials."""
        return np.abs(responses - predictions).mean(axis=0)

    @metrics.register("log_likelihood")
    @describe_metric("log-likelihood")
    def log_likelihood(responses, predictions, repeats):  # type: ignore[no-untyped-def]
        """A large negative number."""
        return -5000 - ((responses - predictions) ** 2).sum(axis=0)

    yield
    metrics.forget(__name__)


def changed(**tables: Any) -> BenchmarkSpec:
    return load_benchmark({**read_benchmark(COLOUR_MICE).model_dump(exclude_none=True), **tables})


def recorded(benchmark: BenchmarkSpec) -> Recording:
    made = colour_recording()
    return Recording(made.session, made.neurons, made.trials, **made.arrays, benchmark=benchmark)


def guess(recording: Recording, share: float, protocol: str = "image") -> Submission:
    """Part measured, part noise."""
    measured = Truth.from_recording(recording).responses
    noise = np.random.default_rng(0).gamma(2.0, 0.5, measured.shape)
    return Submission.from_array(recording, share * measured + (1 - share) * noise, protocol=protocol)


def test_models_are_ranked_and_compared_by_the_metrics_of_their_benchmark() -> None:
    recording = recorded(changed(metrics={"names": ["absolute_error", "log_likelihood"]}))
    models = {name: guess(recording, share) for name, share in (("strong", 0.9), ("weak", 0.1), ("middle", 0.5))}
    found = collect_report_data(recording, models, bootstrap=20)
    assert [model.name for model in found.models] == ["weak", "middle", "strong"]
    errors = [model.scorecard.tiers["seen"].other["absolute_error"].mean for model in found.models]
    assert errors == sorted(errors, reverse=True), "lower is better"
    assert "sorted by their absolute error (lower is better) on tier seen" in found.summary[0]
    difference = next(each for each in found.differences if (each.tier, each.better) == ("seen", "strong"))
    assert set(difference.metrics) == {"absolute_error", "log_likelihood"}
    truth = Truth.from_recording(recording)
    rows = truth.rows("seen")
    expected = estimate_difference(
        "absolute_error",
        truth.responses[rows],
        *(found.models[place].predictions(truth, "seen") for place in (2, 1)),
        truth.image_id[rows],
        resamples=20,
    )
    estimate = difference.metrics["absolute_error"]
    assert estimate.value == pytest.approx(errors[2] - errors[1]) == pytest.approx(expected.value)
    assert estimate.interval == expected.interval


@pytest.mark.slow
def test_a_report_has_no_metric_of_2022_if_the_benchmark_has_none(tmp_path: Path) -> None:
    recording = recorded(changed(metrics={"names": ["absolute_error", "log_likelihood"]}))
    models = {name: guess(recording, share) for name, share in (("strong", 0.9), ("weak", 0.1))}
    found = collect_report_data(recording, models, bootstrap=20)
    write_report(found, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert re.findall("<h2>(.*?)</h2>", page) == [
        "The recording",
        *(f"Scores: {tier}" for tier in ("seen", "unseen", "gratings")),
        "Example trials",
        "Measured against predicted",
        "Provenance",
    ]
    assert "Where lower is better, a negative difference is an improvement" in page
    change = found.differences[0].metrics["absolute_error"].value
    assert change is not None
    assert f"<td>{change:+.3f} <small>[" in page
    for absent in ("single-trial correlation", "FEVE", "ceiling"):
        assert absent not in page


def test_metrics_of_the_benchmark_stand_before_those_that_were_asked_for() -> None:
    recording = recorded(changed(metrics={"names": ["absolute_error", "feve"]}))
    asked = ["correlation_to_average", "log_likelihood", "feve"]
    (model,) = collect_report_data(recording, guess(recording, 0.5), metrics=asked, bootstrap=0).models
    assert list(metric_labels([model], "seen").items()) == [
        ("absolute_error", "absolute error (lower is better)"),
        ("feve", "FEVE"),
        ("correlation_to_average", "correlation to average"),
        ("log_likelihood", "log-likelihood"),
    ]
    assert _in_columns(dict.fromkeys("abcdef", "")) == [["a", "b", "c", "d"], ["e", "f"]]


@pytest.mark.parametrize(
    ("protocol", "rules", "expected"),
    [
        ("image", [], "feve"),
        ("image", [{"metric": "absolute_error", "tracks": ["still"]}], "absolute_error"),
        ("image + behaviour", [{"metric": "absolute_error", "tracks": ["still"]}], "feve"),
        ("image", [{"metric": "absolute_error", "boards": ["final"]}], "feve"),
        ("image", [{"metric": "absolute_error", "boards": ["live"]}], "absolute_error"),
    ],
)
def test_what_ranks_is_what_the_benchmark_says(protocol: str, rules: list[dict[str, Any]], expected: str) -> None:
    recording = recorded(changed(metrics={"names": ["feve", "absolute_error"], "ranking": rules}))
    (model,) = collect_report_data(recording, guess(recording, 0.9, protocol), bootstrap=0).models
    assert ranking_metric([model]) == expected


def test_without_repeats_another_metric_ranks() -> None:
    made = recorded(changed(metrics={"names": ["feve", "absolute_error"]}))
    trials = made.trials.assign(image_id=np.arange(len(made.trials)))
    recording = Recording(made.session, made.neurons, trials, **made.arrays, benchmark=made.benchmark)
    models = collect_report_data(
        recording, {"a": guess(recording, 0.9), "b": guess(recording, 0.1)}, bootstrap=0
    ).models
    assert ranking_metric(models) == "absolute_error"
    assert [model.name for model in sort_by_score(models[::-1])] == ["b", "a"]


@pytest.mark.slow
@pytest.mark.parametrize("channels", [("uv",), ("uv", "green"), ("blue", "green", "red"), ("a", "b", "c", "d", "e")])
def test_example_images_show_every_channel(
    channels: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = colour_recording()
    images = np.random.default_rng(1).integers(0, 256, (len(made.trials), len(channels), 32, 48), dtype=np.uint8)
    spec = changed(stimulus={"channels": channels, "height": 32, "width": 48})
    recording = Recording(made.session, made.neurons, made.trials, **{**made.arrays, "images": images}, benchmark=spec)
    drawn: list[dict[str, Any]] = []
    draw = figures.example_trials

    def watched(pictures: Any, *others: Any) -> Any:
        drawn.append(pictures)
        return draw(pictures, *others)

    monkeypatch.setattr(figures, "example_trials", watched)
    write_report(collect_report_data(recording, guess(recording, 0.5), bootstrap=0), tmp_path / "report.html")
    (rows,) = drawn
    assert list(rows) == ["", *(channels if 1 < len(channels) < 5 else ())]
    for pictures in rows.values():
        assert len(pictures) == 3, "as many as the tier has images"
    assert rows[""][0].shape == ((32, 48) if len(channels) == 1 else (32, 48, 3))
    page = (tmp_path / "report.html").read_text()
    assert ("false colours" in page) is (channels not in (("uv",), ("blue", "green", "red")))
    assert ("uv magenta, green green" in page) is (channels == ("uv", "green"))


@pytest.mark.slow
def test_titles_of_tiers_are_those_of_the_benchmark(tmp_path: Path) -> None:
    tiers = [{**tier.model_dump(exclude_none=True), "title": f"the {tier.name} one"} for tier in changed().tiers]
    recording = recorded(changed(tiers=tiers))
    models = {"a": guess(recording, 0.9), "b": guess(recording, 0.5)}
    found = collect_report_data(recording, models, bootstrap=0)
    assert "on the the seen one" in found.summary[0]
    write_report(found, tmp_path / "report.html")
    assert "<h2>Scores: the gratings one</h2>" in (tmp_path / "report.html").read_text()


@pytest.mark.slow
def test_the_command_reports_models_of_any_benchmark(tmp_path: Path) -> None:
    recording = recorded(changed(metrics={"names": ["absolute_error"]}))
    write(recording, tmp_path / "mouse_a.zip")
    for name, share in (("weak", 0.1), ("strong", 0.9)):
        guess(recording, share).write(tmp_path / f"{name}.parquet")
    models = (tmp_path / "strong.parquet", tmp_path / "weak.parquet")
    out = ("--out", tmp_path / "report.html", "--bootstrap", 20, "--metric", "log_likelihood")
    done = run_in_process("report", *models, tmp_path / "mouse_a.zip", *out)
    assert done.status == 0, done.err
    for tier in ("seen", "unseen", "gratings"):
        assert f"Tier {tier}, protocol image" in done.out
    said = " ".join(done.out.split())
    assert "absolute error (lower is better)" in said
    assert "strong − weak (paired)" in said
    assert re.search(r"-5\d\d\d(\.\d)? +│? *\[-5", said)
    assert "single-trial" not in said


def test_a_figure_of_many_metrics_has_several_rows_and_starts_at_zero_only_where_scores_stay_apart() -> None:
    names = [f"metric {place}" for place in range(6)]
    rows = {
        model: {name: (shift + 0.1 * place, shift, shift + 0.2) for place, name in enumerate(names)}
        for model, shift in (("a", 0.2), ("b", 0.5))
    }
    for row in rows.values():
        low = row["metric 5"][0] - 5000
        row["metric 5"] = (low, low - 1, low + 1)
    figure = figures.model_scores(rows, {name: name.title() for name in names}, {"a": "red", "b": "blue"})
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in shown] == [name.title() for name in names]
    assert len({round(axes.get_position().y0, 3) for axes in shown}) == 2
    zeros = [any(list(line.get_xdata()) == [0, 0] for line in axes.get_lines()) for axes in shown]
    assert zeros == [True] * 5 + [False]
