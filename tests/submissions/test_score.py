"""Scoring: exact, whatever the order of rows and columns; what does not match is named."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.fixtures.recordings import small_recording
from tests.metrics import reference
from tests.submissions.examples import example, shuffled, without

from striate.errors import InputError
from striate.metrics import METRICS_VERSION, bootstrap, evaluate, jackknife_oracle, split_half
from striate.metrics.score_summary import summarise_scores
from striate.recordings import open as open_recording
from striate.submissions import Scorecard, Truth, average_scorecards, open_truth, score, score_array
from striate.submissions.formats import sensorium_csv


def test_the_benchmarks_own_files_score_as_its_own_scorer_says(shared):
    golden = shared / "golden"
    expected = json.loads((golden / "metrics_small.json").read_text())
    card = score(golden / "submission_file_live_test.csv", golden / "ground_truth_file_test.csv", bootstrap=0)
    scores = card.tiers["test"]
    assert scores.single_trial_correlation.mean == pytest.approx(expected["single"], abs=1e-9)
    assert scores.correlation_to_average.mean == pytest.approx(expected["average"], abs=1e-9)
    assert scores.feve.mean == pytest.approx(expected["feve"], abs=1e-9)
    assert scores.feve.neurons == 22


def test_a_scorecard_says_what_the_metrics_say():
    _, submission, truth = example()
    card = score(submission, truth, bootstrap=50, seed=3)
    for tier in ("test", "final_test"):
        rows = truth.rows(tier)
        r, p, image_ids = truth.responses[rows], submission.predictions[rows], truth.image_id[rows]
        metrics, scores = evaluate(r, p, image_ids), card.tiers[tier]
        assert scores.single_trial_correlation.per_neuron == metrics.single_trial_correlation.tolist()
        assert scores.correlation_to_average.mean == metrics.means["correlation_to_average"]
        plain = score(submission, truth, bootstrap=0).tiers[tier]
        assert plain.feve.mean == metrics.feve.mean
        assert scores.feve.neurons == metrics.feve.neuron_mask.sum()
        assert [v is not None for v in scores.feve.per_neuron] == metrics.feve.neuron_mask.tolist()
        resampled = bootstrap(r, p, image_ids, resamples=50, seed=3)
        for name, said in summarise_scores(metrics, resampled, 4).items():
            given = getattr(scores, name)
            assert (given.mean, given.reason) == (said.mean, said.reason)
            assert (given.interval and given.interval.low) == (said.interval and said.interval.low)
        for name in ("single_trial_ceiling", "cc_max"):
            assert getattr(scores, name).mean == getattr(metrics, name).mean
            assert getattr(scores, name).interval.low == pytest.approx(getattr(resampled, name).interval.low)
        assert scores.jackknife_oracle.mean == jackknife_oracle(r, image_ids).mean
        assert scores.split_half.mean == split_half(r, image_ids, seed=3).mean
        assert (scores.trials, scores.images) == (len(rows), 4)
    assert (card.session, card.track, card.protocol) == ("7-1-1", "sensorium", "image")
    assert card.metrics_version == METRICS_VERSION
    assert card.submission_fingerprint == submission.fingerprint
    assert card.truth_fingerprint == truth.fingerprint


def test_a_scorecard_prints_its_means_alone():
    _, submission, truth = example()
    card = score(submission, truth, bootstrap=0)
    assert str(card) == repr(card)
    assert repr(card).startswith("<Scorecard 7-1-1, image, ")
    assert f"single-trial correlation {card.tiers['test'].single_trial_correlation.mean:.4f}" in repr(card)
    assert "per_neuron" not in repr(card.tiers["test"])
    assert len(repr(card)) < 300


def test_the_order_of_rows_and_columns_does_not_matter():
    _, submission, truth = example()
    card = score(submission, truth, bootstrap=20)
    assert score(shuffled(submission), truth, bootstrap=20) == card
    other = score(submission, shuffled(truth), bootstrap=20)
    assert other.tiers["test"].feve.mean == pytest.approx(card.tiers["test"].feve.mean)
    expected = card.per_neuron("test").sort_index()
    np.testing.assert_allclose(other.per_neuron("test").sort_index()[list(expected)[:4]], expected[list(expected)[:4]])


def test_the_truth_may_name_its_trials_by_number_and_the_submission_by_text():
    _, submission, truth = example()
    as_text = replace(submission, trial_idx=submission.trial_idx.astype(str), image_id=submission.image_id.astype(str))
    assert score(as_text, truth, bootstrap=0).tiers == score(submission, truth, bootstrap=0).tiers


def test_one_tier_of_several():
    _, submission, truth = example()
    card = score(submission, truth, tiers="live_test", bootstrap=0)
    assert list(card.tiers) == ["test"]
    assert card.tiers["test"].feve.interval is None
    live = Truth(
        truth.session,
        truth.unit_ids,
        *(getattr(truth, k)[truth.rows("test")] for k in ("tier", "trial_idx", "image_id", "responses")),
    )
    assert score(submission, live, tiers=["test"], bootstrap=0).tiers == card.tiers
    with pytest.raises(InputError, match="must be the same, or say which tier"):
        score(submission, live)
    with pytest.raises(InputError, match="no trials of tier 'final_test'"):
        score(submission, live, tiers=["final_test"])
    with pytest.raises(InputError, match="no tier 'tset'"):
        score(submission, live, tiers=["tset"])
    with pytest.raises(InputError, match="name at least one"):
        score(submission, live, tiers=[])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: without(s, rows=[3, 5]), "lacks 2 trials of tier 'test'.*{trial}"),
        (lambda s: without(s, columns=[3]), "lacks 1 unit id: {unit}"),
        (lambda s: replace(s, unit_ids=np.append(s.unit_ids[:-1], 10**6)), "lacks 1 unit id"),
        (lambda s: replace(s, trial_idx=np.append(-7, s.trial_idx[1:])), "lacks 1 trial of tier 'test'"),
        (lambda s: replace(s, session="1-1-1"), "session 1-1-1, but the truth is for session 7-1-1"),
        (lambda s: replace(s, image_id=np.append(77, s.image_id[1:])), "another image.*77 instead of"),
        (
            lambda s: replace(s, tier=np.where(s.tier == "test", "validation", "final_test")),
            "tiers validation, final_test",
        ),
    ],
)
def test_what_is_missing_is_named(change, words):
    _, submission, truth = example()
    wanted = words.format(trial=submission.trial_idx[3], unit=submission.unit_ids[3])
    with pytest.raises(InputError, match=wanted):
        score(change(submission), truth, bootstrap=0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: without(t, rows=[3, 5]), "has 2 trials of tier 'test' too many: "),
        (lambda t: without(t, columns=[3]), "has 1 unit id too many: {unit}"),
    ],
)
def test_what_is_extra_is_named(change, words):
    _, submission, truth = example()
    with pytest.raises(InputError, match=words.format(unit=submission.unit_ids[3])):
        score(submission, change(truth), bootstrap=0)


def test_feve_that_is_not_defined_says_why(tmp_path):
    _, submission, truth = example()
    image_id = truth.image_id.copy()
    image_id[truth.rows("test")[0]] = 31337
    tables = [replace(table, image_id=image_id) for table in (submission, truth)]
    card = score(*tables, bootstrap=10)
    feve = card.tiers["test"].feve
    assert (feve.mean, feve.interval, feve.neurons) == (None, None, 0)
    assert "31337" in feve.reason
    assert set(feve.per_neuron) == {None}
    card.write(tmp_path / "card.json")
    assert "NaN" not in (tmp_path / "card.json").read_text()
    assert Scorecard.read(tmp_path / "card.json") == card


def test_an_array_scores_as_a_submission_of_it():
    _, submission, truth = example()
    assert score_array(submission.predictions, truth, bootstrap=5).tiers == score(submission, truth, bootstrap=5).tiers
    best = score_array(truth.responses, truth, bootstrap=0).tiers["test"]
    expected = reference.damping(truth.responses[truth.tier == "test"]) ** 2
    np.testing.assert_allclose(best.single_trial_correlation.per_neuron, expected, rtol=1e-12)
    with pytest.raises(InputError, match="shape"):
        score_array(truth.responses[:-1], truth)


@pytest.mark.slow
def test_an_archive_is_a_truth(tmp_path):
    from striate.recordings import write

    recording, submission, truth = example()
    write(recording, tmp_path / "static7-1-1.zip")
    write(recording, tmp_path / "static7-1-1-folder")
    submission.write(tmp_path / "s.parquet")
    expected = score(submission, truth, bootstrap=0)
    assert open_truth(tmp_path / "static7-1-1-folder").tiers == ("test", "final_test")
    assert score(tmp_path / "s.parquet", tmp_path / "static7-1-1.zip", bootstrap=0).tiers == expected.tiers
    assert score(submission, recording, bootstrap=0) == expected
    assert score(submission, recording, tiers="test", bootstrap=0).tiers == {"test": expected.tiers["test"]}


def test_what_is_neither_a_submission_nor_a_truth_is_refused():
    _, submission, truth = example()
    with pytest.raises(InputError, match=r"of type ndarray; give a path, or make one with Submission\.from_array"):
        score(submission.predictions, truth)
    with pytest.raises(InputError, match="a recording or a path, got ndarray"):
        score(submission, truth.responses)


def test_the_forms_of_a_truth_score_alike(tmp_path):
    _, submission, truth = example()
    truth.write(tmp_path / "t.parquet")
    sensorium_csv.write_truth(truth, tmp_path / "csv")
    sensorium_csv.write(submission, tmp_path / "csv")
    expected = score(submission, truth, bootstrap=10)
    assert score(submission, tmp_path / "t.parquet", bootstrap=10) == expected
    assert score(tmp_path / "csv", tmp_path / "csv", bootstrap=10).tiers == expected.tiers


def test_a_negative_bootstrap_is_refused():
    _, submission, truth = example()
    with pytest.raises(InputError, match="-1 resamples"):
        score(submission, truth, bootstrap=-1)


def card_of(session, seed=0, **changes):
    recording = small_recording(session, seed=seed, neurons=8 + seed)
    truth = Truth.from_recording(recording)
    card = score_array(
        truth.responses * 0.5 + np.random.default_rng(seed).random(truth.responses.shape), truth, bootstrap=0
    )
    return card.model_copy(update=changes)


def test_across_recordings_both_means_are_stated():
    cards = [card_of("1-1-1"), card_of("2-1-1", seed=5)]
    means = average_scorecards(cards, "test")["single_trial_correlation"]
    each = [card.tiers["test"].single_trial_correlation for card in cards]
    assert means.over_recordings == pytest.approx(np.mean([s.mean for s in each]))
    assert means.over_neurons == pytest.approx(np.mean(each[0].per_neuron + each[1].per_neuron))
    assert (means.neurons, means.recordings) == (21, 2)


def test_across_recordings_feve_counts_the_neurons_that_pass():
    cards = [card_of("1-1-1"), card_of("2-1-1", seed=5)]
    kept = [v for card in cards for v in card.tiers["test"].feve.per_neuron if v is not None]
    assert average_scorecards(cards, "test")["feve"].over_neurons == pytest.approx(np.mean(kept))


@pytest.mark.parametrize(
    ("cards", "words"),
    [
        ([], "no scorecard"),
        ([("1-1-1", {"protocol": "image"}), ("2-1-1", {"protocol": "image + behaviour"})], "differ in protocol"),
        ([("1-1-1", {}), ("2-1-1", {"metrics_version": "0"})], "differ in metrics_version"),
        ([("1-1-1", {}), ("1-1-1", {})], "several scorecards of session 1-1-1"),
        ([("1-1-1", {}), ("2-1-1", {"tiers": {}})], "2-1-1 has no tier 'test'"),
    ],
)
def test_what_has_no_common_mean(cards, words):
    with pytest.raises(InputError, match=words):
        average_scorecards([card_of(session, **changes) for session, changes in cards], "test")


def test_a_scorecard_is_read_back_as_it_was_written(tmp_path):
    _, submission, truth = example()
    card = score(submission, truth, bootstrap=20)
    card.write(tmp_path / "card.json")
    assert Scorecard.read(tmp_path / "card.json") == card
    with pytest.raises(InputError, match="exists already"):
        card.write(tmp_path / "card.json")
    table = card.per_neuron("final_test")
    assert table.shape == (12, 8)
    assert table.index.tolist() == truth.unit_ids.tolist()
    assert table["single_trial_correlation"].mean() == pytest.approx(
        card.tiers["final_test"].single_trial_correlation.mean
    )
    summary = json.loads(json.dumps(card.summary()))
    assert summary["neurons"] == 12
    assert "per_neuron" not in json.dumps(summary)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: text.replace('"protocol"', '"protokoll"'),
        lambda text: text.replace('"trials":18', '"trials":"many"', 1).replace('"trials":', '"trials":"x",', 1),
        lambda text: text.replace("striate scorecard 3", "striate scorecard 9"),
        lambda text: text.replace('"test":', '"the test":', 1),
        lambda text: text.replace('"unit_ids":[', '"unit_ids":[1,', 1),
        lambda text: "[" * 100_000,
    ],
)
def test_a_damaged_scorecard_is_refused(tmp_path, damage):
    _, submission, truth = example()
    path = tmp_path / "card.json"
    score(submission, truth, bootstrap=0).write(path)
    damaged = damage(path.read_text())
    assert damaged != path.read_text()
    path.write_text(damaged)
    with pytest.raises(InputError, match=r"card\.json"):
        Scorecard.read(path)
    with pytest.raises(InputError, match="cannot be read"):
        Scorecard.read(tmp_path / "nowhere.json")


@pytest.mark.slow
def test_the_best_score_with_behaviour_lies_above_the_ceilings_of_the_image_and_the_oracle_predictor_below(shared):
    (path,) = (shared / "archives").glob("static90001-*.zip")
    truth = Truth.from_recording(open_recording(path), "test")
    found = evaluate(truth.responses, truth.responses, truth.image_id)
    known = {"single_trial_ceiling": 0.501, "cc_max": 0.823}  # of the rates, given behaviour, from which it was drawn
    for name, best in known.items():
        assert 0.7 * best < getattr(found, name).mean < best
    assert jackknife_oracle(truth.responses, truth.image_id).mean < found.single_trial_ceiling.mean - 0.05


def test_the_ceilings_of_the_golden_responses_normalise_its_golden_scores(shared):
    golden = np.load(shared / "golden" / "metrics_small.npz")
    by_unit = np.argsort(golden["unit_ids"])
    r, p = golden["responses"][:, by_unit], golden["predictions"][:, by_unit]
    found = evaluate(r, p, golden["image_ids"])
    single, average = reference.ceilings(r, golden["image_ids"])
    np.testing.assert_allclose(found.single_trial_ceiling.values, single, atol=1e-6)
    np.testing.assert_allclose(found.cc_max.values, average, atol=1e-6)
    kept = found.feve.neuron_mask
    assert kept.sum() == len(golden["expected_feve"])
    np.testing.assert_allclose(found.cc_norm.values[kept], golden["expected_average"][kept] / average[kept], rtol=1e-6)
