"""Predictions: of a run, an encoder, any function; of whole tiers, with the keys of their trials."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tests.fixtures.recordings import small_recording
from tests.training.small import small_recipe

import striate
from striate.data import Batch, DataSettings, loaders
from striate.errors import InputError
from striate.recordings import Recording
from striate.submissions import Submission, validate
from striate.training import Predictions, Run, predict, train


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with behaviour and eye position, on a recording that has both test tiers."""
    recipe = small_recipe(data__behavior=True, data__pupil_center=True, model__shifter=True, schedule__max_epochs=1)
    return train(recipe, recorded(), tmp_path_factory.mktemp("runs") / "run")


def recorded(**changes: Any) -> Recording:
    return small_recording(**{"final_images": 3, "withhold": True} | changes)


def luminance(batch: Batch) -> np.ndarray:
    """A model without any learning, in NumPy: every neuron answers the mean luminance."""
    mean = batch.images.mean(dim=(1, 2, 3)).numpy()
    return np.repeat(np.maximum(mean[:, None] + 2, 0), 12, axis=1)


def test_a_run_predicts_both_test_tiers(run: Run) -> None:
    recording = recorded()
    predictions = predict(run, recording)
    rows = np.concatenate([recording.rows("test"), recording.rows("final_test")])
    assert predictions.values.shape == (len(rows), 12)
    assert predictions.values.dtype == np.float32
    assert (predictions.values >= 0).all()
    for column in ("tier", "trial_idx", "image_id"):
        np.testing.assert_array_equal(getattr(predictions, column), recording.trials[column].to_numpy()[rows])
    np.testing.assert_array_equal(predictions.unit_ids, recording.unit_ids)
    assert (predictions.session, predictions.protocol) == (recording.session, "image + behaviour")


def test_predictions_are_a_submission_that_answers_the_recording(run: Run) -> None:
    recording = recorded()
    predictions = predict(run, recording)
    submission = Submission.from_predictions(predictions, track="sensorium+")
    by_hand = Submission.from_array(recording, predictions.values, protocol=predictions.protocol, track="sensorium+")
    assert sum(validate(submission, recording).values()) == len(predictions.values)
    for column in ("session", "track", "protocol"):
        assert getattr(submission, column) == getattr(by_hand, column)
    for column in ("unit_ids", "tier", "trial_idx", "image_id", "predictions"):
        np.testing.assert_array_equal(getattr(submission, column), getattr(by_hand, column))


@pytest.mark.slow
def test_run_folder_and_encoder_predict_the_same(run: Run) -> None:
    recording = recorded()
    expected = predict(run, recording).values
    assert np.array_equal(predict(run.folder, recording).values, expected)
    assert np.array_equal(predict(str(run.folder), recording).values, expected)
    assert np.array_equal(predict(run.encoder(), recording, data=run.recipe.data).values, expected)
    # by default an encoder gets larger batches than this recipe has: some processors sum those in another order
    np.testing.assert_allclose(predict(run.encoder(), recording).values, expected, rtol=1e-5)
    function = run.encoder()
    by_function = predict(lambda batch: function(batch), recording, data=run.recipe.data)
    assert np.array_equal(by_function.values, expected)
    assert by_function.protocol == "image + behaviour"


def test_the_size_of_batches_changes_nothing(run: Run) -> None:
    alone = predict(run.encoder(), recorded(), data=run.recipe.data.model_copy(update={"batch_size": 1}))
    np.testing.assert_allclose(alone.values, predict(run, recorded()).values, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "tiers", ["validation", ["validation"], ("live_test",), ["final_test", "test", "test"], ["train"]]
)
def test_any_tier_whole(run: Run, tiers: Any) -> None:
    recording = recorded()
    named = dict.fromkeys(recording.benchmark.tier_name(t) for t in ([tiers] if isinstance(tiers, str) else tiers))
    rows = np.concatenate([recording.rows(t) for t in named])
    predictions = predict(run, recording, tiers)
    np.testing.assert_array_equal(predictions.trial_idx, recording.trials["trial_idx"].to_numpy()[rows])


def test_each_prediction_belongs_to_its_trial(run: Run) -> None:
    recording = recorded()
    batch = next(iter(loaders(recording, run.recipe.data).prediction("final_test")))
    with torch.no_grad():
        expected = run.encoder()(batch).numpy()
    np.testing.assert_allclose(predict(run, recording, "final_test").values[: len(batch)], expected, atol=1e-6)


def test_responses_are_not_looked_at(run: Run) -> None:
    given = predict(run, recorded(withhold=False)).values
    recording = recorded(withhold=False)
    recording.statistics  # noqa: B018 - those of the training trials
    recording.responses[np.isin(recording.trials["tier"], ("test", "final_test"))] = 7
    np.testing.assert_array_equal(predict(run, recording).values, given)


def test_any_function_predicts() -> None:
    predictions = striate.predict(luminance, recorded(), data=DataSettings(image_size="original"))
    assert isinstance(predictions, Predictions)
    assert predictions.protocol == "image"
    assert len(np.unique(predictions.values[:, 0])) == 7, "one value for each image that is shown"
    mapped = striate.predict(luminance, recorded(), data={"image_size": "original"})
    assert np.array_equal(mapped.values, predictions.values)
    with pytest.raises(InputError, match="did you mean 'behavior'"):
        striate.predict(luminance, recorded(), data={"behaviour": True})


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda batch: np.zeros((len(batch), 3)), r"rates of shape \(\d+, 3\)"),
        (lambda batch: np.full((len(batch), 12), np.nan), "NaN"),
        (lambda batch: -np.ones((len(batch), 12)), "negative"),
        (lambda batch: torch.zeros(len(batch)), "rates of shape"),
        (7, "cannot predict"),
    ],
)
def test_functions_that_do_not_predict(function: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        predict(function, recorded())


def test_what_a_run_cannot_predict(run: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="was not trained on recording 8-1-1"):
        predict(run, recorded(session="8-1-1"))
    with pytest.raises(InputError, match="behaviour of 7-1-1 is withheld"):
        predict(run, recorded(without_behavior=True))
    with pytest.raises(InputError, match=r"neurons of 7-1-1 are not those that .*units .* are in one only"):
        predict(run, recorded(seed=4))
    with pytest.raises(InputError, match="encoder predicts 12 neurons of 7-1-1, but the recording has 9"):
        predict(run.encoder(), recorded(neurons=9))
    with pytest.raises(InputError, match="no tier 'tset': did you mean 'test'"):
        predict(run, recorded(), "tset")
    with pytest.raises(InputError, match="which tiers of 7-1-1 to predict"):
        predict(run, small_recording(test_images=0))
    with pytest.raises(InputError, match="is no run"):
        predict(tmp_path / "nothing", recorded())


def test_a_run_that_was_trained_anew_is_opened_again(tmp_path: Path) -> None:
    """The recipe in memory must not label what other weights predict."""
    recording = recorded()
    old = train(small_recipe(schedule__max_epochs=1), recording, tmp_path / "run", progress=False)
    assert Run.open(tmp_path / "run").encoder().sessions == old.encoder().sessions
    recipe = small_recipe(data__behavior=True, schedule__max_epochs=1)
    new = train(recipe, recording, tmp_path / "run", overwrite=True, progress=False)
    with pytest.raises(InputError, match="trained anew since this run was opened"):
        predict(old, recording)
    assert predict(new, recording).protocol == "image + behaviour"


def test_functions_may_return_tables_with_unit_ids(run: Run) -> None:
    recording = recorded()
    predictions = predict(run, recording)
    shuffled = np.random.default_rng(0).permutation(predictions.unit_ids.size)

    def table(batch: Batch) -> pd.DataFrame:
        rows = [
            np.flatnonzero(predictions.trial_idx == recording.trials["trial_idx"][row])[0]
            for row in batch.rows.tolist()
        ]
        return pd.DataFrame(predictions.values[rows], columns=predictions.unit_ids).iloc[:, shuffled]

    np.testing.assert_array_equal(predict(table, recording).values, predictions.values)
