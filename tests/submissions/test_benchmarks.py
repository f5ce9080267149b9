"""Submissions, truths and scorecards of a benchmark of which nothing is like SENSORIUM 2022."""

import json
from collections.abc import Iterator

import numpy as np
import pytest
import tomli_w
from tests.fixtures.recordings import COLOUR_MICE
from tests.submissions.command import run

import striate
from striate.benchmarks import load_benchmark, read_benchmark
from striate.errors import InputError
from striate.metrics import describe_metric
from striate.recordings import write
from striate.registry import metrics
from striate.submissions import Scorecard, Submission, Truth, open_submission, open_truth, score, score_array, validate
from striate.submissions.formats import parquet

SPEC = load_benchmark(
    {**read_benchmark(COLOUR_MICE).model_dump(exclude_none=True), "metrics": {"names": ["feve", "bias"]}}
)


@pytest.fixture(scope="module")
def recording() -> striate.Recording:
    return striate.simulate(
        benchmark=SPEC, neurons=6, train=12, validation=4, test_images=4, final_images=3, repeats=3, seed=2
    ).recording


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    @metrics.register("bias")
    @describe_metric("bias", higher_is_better=False)
    def bias(responses, predictions, repeats):
        """Mean difference of predictions and responses."""
        return np.abs((predictions - responses).mean(axis=0))

    yield
    metrics.forget(__name__)


def made(recording) -> tuple[Submission, Truth]:
    truth = Truth.from_recording(recording)
    submission = Submission.from_array(recording, np.full(truth.responses.shape, 0.5), protocol="image", track="still")
    return submission, truth


def test_the_metrics_of_the_benchmark_are_computed_on_its_tiers(recording):
    submission, truth = made(recording)
    card = score(submission, truth, bootstrap=20)
    assert tuple(card.tiers) == truth.tiers
    assert set(truth.tiers) <= set(SPEC.test_tiers)
    assert len(truth.tiers) > 1
    for scores in card.tiers.values():
        assert scores.other["bias"].label == "bias"
    assert list(score(submission, truth, tiers="live", bootstrap=0).tiers) == ["seen"]
    array = score_array(submission.predictions, truth, bootstrap=0)
    assert array.tiers["seen"].other["bias"].mean == card.tiers["seen"].other["bias"].mean


def test_files_state_the_benchmark(recording, tmp_path, capsys, monkeypatch):
    submission, truth = made(recording)
    submission.write(tmp_path / "s.parquet")
    truth.write(tmp_path / "t.parquet")
    write(recording, tmp_path / "mouse.zip")
    assert open_submission(tmp_path / "s.parquet").benchmark == SPEC
    assert open_truth(tmp_path / "t.parquet").benchmark == SPEC
    assert validate(tmp_path / "s.parquet", recording) == {t: len(recording.rows(t)) for t in truth.tiers}
    cards = [score(tmp_path / "s.parquet", tmp_path / name, bootstrap=0) for name in ("t.parquet", "mouse.zip")]
    assert cards[0] == cards[1]
    cards[0].write(tmp_path / "card.json")
    assert Scorecard.read(tmp_path / "card.json") == cards[0]
    code, out, err = run(
        capsys,
        monkeypatch,
        "score",
        tmp_path / "s.parquet",
        tmp_path / "t.parquet",
        "--tier",
        truth.tiers[-1],
        "--bootstrap",
        "0",
    )
    assert (code, err) == (0, "")
    assert f"{truth.tiers[-1]}: " in out
    assert f"{truth.tiers[0]}: " not in out
    assert "bias: lower is better" in out


def test_files_of_sensorium_2022_do_not_mention_it(tmp_path):
    truth = Truth("27204-5-13", [1, 2], ["test"], [7], [0], [[0.5, 1.0]])
    truth.write(tmp_path / "t.parquet")
    header = parquet.read(tmp_path / "t.parquet", "truth", "response").header
    assert "benchmark" not in json.loads(header.model_dump_json(exclude_none=True))


@pytest.mark.parametrize(
    ("benchmark", "words"),
    [("name = 3", "name"), ("not toml", "TOML"), (tomli_w.dumps({"name": "sensorium2022"}), "name of its own")],
)
def test_a_file_with_a_damaged_benchmark_is_refused(recording, tmp_path, monkeypatch, benchmark, words):
    _, truth = made(recording)
    monkeypatch.setattr(type(SPEC), "to_toml", lambda self: benchmark)
    truth.write(tmp_path / "t.parquet")
    with pytest.raises(InputError, match=words):
        Truth.read(tmp_path / "t.parquet")


def test_a_metric_that_is_not_installed_is_named(recording):
    submission, truth = made(recording)
    metrics.forget(__name__)
    with pytest.raises(InputError, match="There is no metric 'bias'"):
        score(submission, truth)


def test_another_benchmark_is_refused(recording):
    submission, truth = made(recording)
    other = load_benchmark({**SPEC.model_dump(exclude_none=True), "name": "other-mice"})
    renamed = Truth(truth.session, truth.unit_ids, truth.tier, truth.trial_idx, truth.image_id, truth.responses, other)
    with pytest.raises(InputError, match="benchmark colour-mice, but the truth is for benchmark other-mice"):
        score(submission, renamed)


def test_tracks_and_protocols_are_those_of_the_benchmark(recording):
    values = np.ones((len(Truth.from_recording(recording).tier), 6))
    with pytest.raises(InputError, match="Track still is for the protocols image, but"):
        Submission.from_array(recording, values, protocol="image + behavior", track="still")
    with pytest.raises(InputError, match="no track 'sensorium'"):
        Submission.from_array(recording, values, protocol="image", track="sensorium")
    with pytest.raises(InputError, match="no protocol"):
        Submission.from_array(recording, values, protocol="image + behaviour + past responses")
