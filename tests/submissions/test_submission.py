"""Submissions and truths: what they accept, how they are made and kept."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fixtures.recordings import small_recording
from tests.submissions.examples import example, shuffled

from striate.data.standardisation import Standardisation
from striate.errors import InputError, WithheldError
from striate.submissions import Submission, Truth


def equal(one, other):
    """Whether two submissions or truths hold the same."""
    keys = ("unit_ids", "tier", "trial_idx", "image_id", "values")
    return type(one) is type(other) and all(np.array_equal(getattr(one, k), getattr(other, k)) for k in keys)


def test_a_submission_is_read_back_as_it_was_written(tmp_path):
    _, submission, _ = example()
    submission.write(tmp_path / "s.parquet")
    again = Submission.read(tmp_path / "s.parquet")
    assert equal(again, submission)
    assert (again.session, again.track, again.protocol) == ("7-1-1", "sensorium", "image")
    assert again.predictions.dtype == np.float32
    assert again.tiers == ("test", "final_test")


def test_a_truth_is_read_back_as_it_was_written(tmp_path):
    _, _, truth = example()
    truth.write(tmp_path / "t.parquet")
    assert equal(Truth.read(tmp_path / "t.parquet"), truth)
    assert Truth.read(tmp_path / "t.parquet").session == truth.session


@settings(deadline=None, max_examples=25)
@given(trials=st.integers(1, 300), neurons=st.integers(1, 9), seed=st.integers(0, 99), strings=st.booleans())
def test_any_size_and_kind_of_id_survives(tmp_path_factory, trials, neurons, seed, strings):
    rng = np.random.default_rng(seed)
    trial_idx = rng.permutation(10_000)[:trials]
    submission = Submission(
        session="1-2-3",
        track=None,
        protocol="image + behaviour",
        unit_ids=rng.permutation(5000)[:neurons] + 2**40,
        tier=rng.choice(["test", "final_test"], trials),
        trial_idx=np.array([f"{i:032x}" for i in trial_idx]) if strings else trial_idx,
        image_id=rng.integers(0, 9, trials),
        predictions=rng.gamma(1.0, 1e3, (trials, neurons)).astype(np.float32),
    )
    path = tmp_path_factory.mktemp("native") / "s.parquet"
    submission.write(path)
    again = Submission.read(path)
    assert equal(again, submission)
    assert again.fingerprint == submission.fingerprint


def test_the_same_submission_gives_the_same_bytes(tmp_path):
    _, submission, _ = example()
    for name in ("one", "two"):
        submission.write(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_the_file_is_what_it_promises_to_be(tmp_path):
    _, submission, _ = example()
    submission.write(tmp_path / "s.parquet")
    schema = pq.read_schema(tmp_path / "s.parquet")
    assert schema.names == ["tier", "trial_idx", "image_id", "prediction"]
    assert str(schema.field("prediction").type) == "fixed_size_list<element: float not null>[12]"
    assert b'"protocol":"image"' in schema.metadata[b"striate"]


def test_the_fingerprint_is_of_the_content_not_of_its_order():
    _, submission, truth = example()
    assert shuffled(submission).fingerprint == submission.fingerprint
    assert shuffled(truth, 5).fingerprint == truth.fingerprint
    assert replace(submission, track=None, session=None).fingerprint == submission.fingerprint
    changed = submission.predictions.copy()
    changed[3, 4] = np.nextafter(changed[3, 4], np.float32(9))
    assert replace(submission, predictions=changed).fingerprint != submission.fingerprint
    images = np.where(np.arange(len(submission.tier)) == 0, 1, submission.image_id)
    assert replace(submission, image_id=images).fingerprint != submission.fingerprint


def test_nothing_is_overwritten_unasked(tmp_path):
    _, submission, truth = example()
    for table in (submission, truth):
        path = tmp_path / type(table).__name__
        path.write_text("precious")
        with pytest.raises(InputError, match="exists already"):
            table.write(path)
        assert path.read_text() == "precious"
        table.write(path, overwrite=True)
        assert equal(type(table).read(path), table)


def test_an_array_is_submitted_tier_after_tier():
    recording = small_recording(final_images=3)
    rows = np.concatenate([recording.rows("test"), recording.rows("final_test")])
    values = np.arange(rows.size * 12, dtype=np.float64).reshape(rows.size, 12)
    submission = Submission.from_array(recording, values, protocol="Image", track="Sensorium+")
    np.testing.assert_array_equal(submission.trial_idx, recording.trials["trial_idx"].to_numpy()[rows])
    np.testing.assert_array_equal(submission.image_id, recording.trials["image_id"].to_numpy()[rows])
    np.testing.assert_array_equal(submission.tier, recording.trials["tier"].to_numpy()[rows].astype(str))
    np.testing.assert_array_equal(submission.predictions, values)
    assert (submission.track, submission.protocol) == ("sensorium+", "image")


def test_a_tensor_as_a_model_returns_it_is_submitted():
    recording = small_recording()
    rates = torch.rand(len(recording.rows("test")), 12, requires_grad=True)
    submission = Submission.from_array(recording, rates, protocol="image")
    assert np.array_equal(submission.predictions, rates.detach().numpy())


def test_a_callable_is_asked_for_each_trial_once_in_batches():
    recording = small_recording(final_images=3)
    asked = []

    def predict(scan, rows):
        assert scan is recording
        asked.append(len(rows))
        return scan.images[rows].reshape(len(rows), -1)[:, :12] / 255

    submission = Submission.from_callable(
        recording, predict, protocol="image", tiers=("final_test", "test"), batch_size=7
    )
    rows = np.concatenate([recording.rows("final_test"), recording.rows("test")])
    assert max(asked) == 7
    assert sum(asked) == len(rows)
    expected = recording.images[rows].reshape(len(rows), -1)[:, :12] / 255
    np.testing.assert_allclose(submission.predictions, expected, rtol=1e-6)
    np.testing.assert_array_equal(submission.trial_idx, recording.trials["trial_idx"].to_numpy()[rows])


def test_a_callable_that_returns_another_shape_is_told_so():
    with pytest.raises(InputError, match=r"\(5, 3\).*need \(5, 12\)"):
        Submission.from_callable(
            small_recording(), lambda _, rows: np.ones((len(rows), 3)), protocol="image", batch_size=5
        )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"predictions": np.ones((3, 12))}, r"shape \(3, 12\)"),
        ({"track": "a/b"}, "cannot name a track"),
        ({"protocol": "images"}, "did you mean 'image'"),
        ({"session": "../up"}, "cannot name a session"),
        ({"unit_ids": np.zeros(12, dtype=int)}, "Unit id 0 occurs twice"),
        ({"unit_ids": np.arange(12.0)}, "expected integers"),
        ({"tier": np.full(35, "tset")}, "no tier 'tset'"),
    ],
)
def test_what_cannot_be_a_submission_is_named(change, words):
    _, submission, _ = example()
    if "tier" in change:
        change = {"tier": np.full(len(submission.tier), "tset")}
    with pytest.raises(InputError, match=words):
        replace(submission, **change)


@pytest.mark.parametrize(("value", "words"), [(np.nan, "hold nan"), (np.inf, "hold inf"), (1e300, "hold 1e\\+300")])
def test_every_prediction_is_a_finite_number(value, words):
    recording, submission, _ = example()
    values = submission.predictions.astype(np.float64)
    values[5, 3] = value
    with pytest.raises(InputError, match=rf"{words} \(row 5, column 3\)"):
        Submission.from_array(recording, values, protocol="image")


def test_a_prediction_that_hides_all_others_is_no_rate(tmp_path):
    """Beyond a million standard deviations, intervals would be rounding errors of one trial."""
    _, submission, _ = example()
    huge = submission.predictions.copy()
    huge[5, 3] = 1e30
    with pytest.raises(InputError, match=r"is 1e\+30; standardised responses are far below 1,000,000"):
        replace(submission, predictions=huge).write(tmp_path / "huge.parquet")
    huge[5, 3] = 1e6
    replace(submission, predictions=huge).write(tmp_path / "large.parquet")


def test_a_negative_prediction_is_no_rate(tmp_path):
    recording, submission, _ = example()
    values = submission.predictions.copy()
    values[5, 3] = -0.25
    with pytest.raises(InputError, match=f"trial {submission.trial_idx[5]}, unit {submission.unit_ids[3]} is -0.25"):
        Submission.from_array(recording, values, protocol="image")
    with pytest.raises(InputError, match="clip the predictions"):
        replace(submission, predictions=values).write(tmp_path / "s.parquet")
    assert not list(tmp_path.iterdir())


def test_a_doubled_trial_is_named():
    _, submission, _ = example()
    trial_idx = submission.trial_idx.copy()
    trial_idx[1] = trial_idx[0]
    with pytest.raises(InputError, match=f"Trial {trial_idx[0]} of tier 'test' occurs 2 times"):
        replace(submission, trial_idx=trial_idx)


def test_a_native_file_states_session_and_protocol(tmp_path):
    _, submission, truth = example()
    for change, words in (({"session": None}, "session"), ({"protocol": None}, "protocol")):
        with pytest.raises(InputError, match=f"states its {words}"):
            replace(submission, **change).write(tmp_path / "s.parquet")
    with pytest.raises(InputError, match="states its session"):
        replace(truth, session=None).write(tmp_path / "t.parquet")


def test_the_truth_is_standardised_as_the_recording_says():
    recording = small_recording(final_images=3)
    truth = Truth.from_recording(recording)
    rows = np.concatenate([recording.rows("test"), recording.rows("final_test")])
    expected = Standardisation.from_recording(recording).responses(recording.responses[rows])
    np.testing.assert_array_equal(truth.responses, expected)
    assert Truth.from_recording(recording, "final_test").tiers == ("final_test",)
    assert Truth.from_recording(recording, ["live_test"]).tiers == ("test",)


def test_withheld_responses_are_no_truth(competition_recording):
    with pytest.raises(WithheldError, match="withheld"):
        Truth.from_recording(competition_recording)
    assert Truth.from_recording(competition_recording, ["validation"]).tiers == ("validation",)


def test_a_recording_half_withheld_gives_the_other_half():
    recording = small_recording(final_images=3)
    recording.responses[recording.rows("final_test")] = 0
    assert Truth.from_recording(recording).tiers == ("test",)


def test_a_recording_without_test_trials_asks_for_tiers():
    recording = small_recording(test_images=0)
    with pytest.raises(InputError, match="name other tiers"):
        Truth.from_recording(recording)
    with pytest.raises(InputError, match="name other tiers"):
        Submission.from_array(recording, np.ones((0, 12)), protocol="image")


IDS = np.arange(12, dtype=object)


@pytest.mark.parametrize("name", ["unit_ids", "trial_idx", "image_id"])
@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (np.arange(12, dtype=np.uint64) + 2**63, "does not fit 64 bits"),
        (np.array([2**70 + i for i in range(12)], dtype=object), "does not fit 64 bits"),
        (np.ma.masked_less(np.arange(12), 3), "3 masked entries"),
    ],
)
def test_ids_that_would_change_are_refused(name: str, ids: np.ndarray, message: str) -> None:
    keys = {"unit_ids": IDS, "trial_idx": IDS, "image_id": IDS, name: ids}
    with pytest.raises(InputError, match=message):
        Submission("7-1-1", None, "image", tier=np.array(["test"] * 12), predictions=np.ones((12, 12)), **keys)


def test_ids_of_object_type_are_integers() -> None:
    ids = np.array([np.int64(5), *range(6, 17)], dtype=object)
    made = Submission("7-1-1", None, "image", ids, np.array(["test"] * 12), ids, ids, np.ones((12, 12)))
    for kept in (made.unit_ids, made.trial_idx, made.image_id):
        assert kept.dtype == np.int64
        assert kept.tolist() == list(range(5, 17))


def test_masked_predictions_are_refused() -> None:
    masked = np.ma.masked_array(np.ones((12, 12)), mask=np.eye(12, dtype=bool))
    with pytest.raises(InputError, match="12 masked entries"):
        Submission("7-1-1", None, "image", IDS, np.array(["test"] * 12), IDS, IDS, masked)


def test_tables_of_predictions_are_matched_by_their_labels():
    """As `Run.respond` returns them, and as tables become by sorting and grouping."""
    recording = small_recording()
    rng = np.random.default_rng(0)
    rows = recording.rows("test")
    ids = recording.trials["trial_idx"].to_numpy()[rows]
    values = rng.random((len(rows), len(recording.neurons)), dtype=np.float32)
    table = pd.DataFrame(values, index=ids, columns=recording.unit_ids)
    turned = table.sample(frac=1, random_state=0).sample(frac=1, axis=1, random_state=0)
    expected = Submission.from_array(recording, values, protocol="image")
    for table_ in (turned, turned.set_axis(turned.columns.astype(str), axis="columns"), table.reset_index(drop=True)):
        assert equal(Submission.from_array(recording, table_, protocol="image"), expected)
    for lookup in (ids, rows):
        labelled = table.set_index(pd.Index(lookup)).sample(frac=1, axis=1, random_state=1)

        def predict(_, some, lookup=lookup, labelled=labelled):
            wanted = ids[np.isin(rows, some)] if lookup is ids else some
            return labelled.loc[wanted[::-1]]

        assert equal(Submission.from_callable(recording, predict, protocol="image", batch_size=5), expected)
    with pytest.raises(InputError, match="no unit ids"):
        Submission.from_array(recording, table.rename(columns={recording.unit_ids[0]: 10**6}), protocol="image")
