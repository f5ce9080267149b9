"""Submissions, truths and scorecards of a benchmark of which nothing is like SENSORIUM 2022."""

import json
from collections.abc import Iterator
from dataclasses import replace

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
from striate.report import ScoredModel, sort_by_score
from striate.submissions import (
    Scorecard,
    Submission,
    Truth,
    average_scorecards,
    open_submission,
    open_truth,
    score,
    score_array,
    validate,
)
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
    read = Scorecard.read(tmp_path / "card.json")
    assert read == cards[0]
    assert read.benchmark == SPEC
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
    assert out.startswith("benchmark colour-mice · session mouse_a")
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


def test_a_submission_that_states_no_benchmark_has_a_protocol_of_the_truth(recording):
    submission, truth = made(recording)
    tables = SPEC.model_dump(exclude_none=True)
    plain = load_benchmark({**tables, "protocols": [{"name": "pictures"}], "tracks": []})
    sensorium = {"benchmark": "sensorium2022", "tier": ["test"] * len(truth.tier), "track": None}
    with pytest.raises(InputError, match="no protocol 'image'"):
        score(replace(submission, **sensorium), replace(truth, benchmark=plain))


def test_scores_of_different_benchmarks_are_not_compared(recording):
    submission, truth = made(recording)
    tables = SPEC.model_dump(exclude_none=True)
    renamed, changed = load_benchmark({**tables, "name": "other-mice"}), load_benchmark({**tables, "title": "Others"})
    cards = {
        name: score(replace(submission, benchmark=spec), replace(truth, benchmark=spec), bootstrap=0)
        for name, spec in (("own", SPEC), ("renamed", renamed), ("changed", changed))
    }
    models = {name: ScoredModel(name, submission, card) for name, card in cards.items()}
    for other, words in (("renamed", "colour-mice and other-mice"), ("changed", "colour-mice, described in two ways")):
        with pytest.raises(InputError, match=f"different benchmarks .{words}"):
            average_scorecards([cards["own"], cards[other]], "seen")
        with pytest.raises(InputError, match=f"different benchmarks .{words}"):
            sort_by_score([models["own"], models[other]])


def test_the_benchmark_of_a_scorecard_is_a_description_and_no_path(recording, tmp_path):
    submission, truth = made(recording)
    card = json.loads(score(submission, truth, bootstrap=0).model_dump_json())
    for benchmark in (str(COLOUR_MICE), "sensorium2022", {**card["benchmark"], "name": "sensorium2022"}, None):
        (tmp_path / "card.json").write_text(json.dumps({**card, "benchmark": benchmark}))
        with pytest.raises(InputError, match=r"card\.json is damaged \(benchmark"):
            Scorecard.read(tmp_path / "card.json")


def test_a_protocol_sees_the_image_alone_if_it_has_no_other_input():
    assert [SPEC.sees_image_alone(name) for name in (*SPEC.protocol_names, None)] == [True, False, None]
    renamed = {
        "name": "eyes",
        "pupil_center": {},
        "protocols": [{"name": "with eyes", "inputs": ["pupil_center"]}, {"name": "blind"}],
    }
    assert not load_benchmark(renamed).sees_image_alone("with eyes")
    assert load_benchmark(renamed).sees_image_alone("Blind")


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
    with pytest.raises(InputError, match="benchmark other-mice, but the archive is for benchmark colour-mice"):
        validate(replace(submission, benchmark=other), recording)


def test_tracks_and_protocols_are_those_of_the_benchmark(recording):
    values = np.ones((len(Truth.from_recording(recording).tier), 6))
    with pytest.raises(InputError, match="Track still is for the protocols image, but"):
        Submission.from_array(recording, values, protocol="image + behavior", track="still")
    assert Submission.from_array(recording, values, protocol="image", track="Still").track == "still"
    assert (
        Submission.from_array(recording, values, protocol="image", track="of-a-competition").track == "of-a-competition"
    )
    with pytest.raises(InputError, match=r"'Über/all' cannot name a track.*'moving'"):
        Submission.from_array(recording, values, protocol="image", track="Über/all")
    with pytest.raises(InputError, match="no protocol"):
        Submission.from_array(recording, values, protocol="image + behaviour + past responses")
