"""Modulators that use the context of trials: trained, resumed, predicted, asked for raw images, and refused where they cannot work."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file
from tests.fixtures.recordings import small_recording
from tests.training.small import small_recipe

from striate.errors import InputError
from striate.recordings import Recording
from striate.training import Callback, Run, load_recipe, predict, train


def slowly_modulated() -> Recording:
    """A recording whose responses follow the pupil in the two trials before."""
    r = small_recording(neurons=8, training=64, validation=24)
    order = np.argsort(r.trials["trial_idx"].to_numpy())
    pupil = r.behavior[order, 0] / 25
    responses = r.responses.copy()
    responses[order] = 0.1 * responses[order] + (np.roll(pupil, 1) + np.roll(pupil, 2))[:, None] ** 2
    return Recording(r.session, r.neurons, r.trials, r.images, responses, r.behavior, r.pupil_center)


RECORDING = slowly_modulated()
SLOW = {
    "data__behavior": True,
    "initialisation__biases": "mean",
    "schedule__learning_rate": 0.01,
    "data__context": {"past": 4, "future": 4},
    "model__modulators": [{"type": "slow_gain", "time_constants": [2.0], "drift_trials": 5.0}],
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(small_recipe(schedule__max_epochs=2, **SLOW), RECORDING, tmp_path_factory.mktemp("slow") / "run")


def test_the_modulator_learns(run: Run) -> None:
    weights = load_file(run.folder / "weights.safetensors")
    for name in ("weights", "drift", "couplings"):
        value = weights[f"modulators.session_7-1-1.0.{name}"]
        assert float(value.std()) > 0, name


def test_predictions_follow_the_behaviour_of_neighbours_and_not_the_responses(run: Run) -> None:
    before = predict(run, RECORDING, "test").values
    assert run.protocol == predict(run, RECORDING, "test").protocol == "image + behaviour"
    r, statistics = RECORDING, RECORDING.statistics
    training = (r.trials["tier"] == "train").to_numpy()
    behavior = r.behavior.copy()
    behavior[training] = behavior[training][::-1]  # of other trials than those that are predicted
    shuffled = Recording(
        r.session, r.neurons, r.trials, r.images, r.responses[::-1].copy(), behavior, r.pupil_center, statistics
    )
    assert not np.array_equal(predict(run, shuffled, "test").values, before)
    same = Recording(
        r.session, r.neurons, r.trials, r.images, r.responses[::-1].copy(), r.behavior, r.pupil_center, statistics
    )
    assert np.array_equal(predict(run, same, "test").values, before)


def test_raw_images_get_the_average_context(run: Run) -> None:
    images = RECORDING.images[:3, 0]
    rates = run.respond(images, behavior="mean")
    assert rates.shape == (3, 8)
    assert np.isfinite(rates.to_numpy()).all()
    pd.testing.assert_frame_equal(
        run.respond(images[::-1], behavior="mean").iloc[::-1].reset_index(drop=True),
        rates.reset_index(drop=True),
        check_exact=False,
        check_names=False,
    )


def test_a_training_that_was_killed_goes_on_to_the_same_weights(run: Run, tmp_path: Path) -> None:
    class StoppedError(Exception):
        pass

    class StopsOnce(Callback):
        def on_epoch(self, trainer):  # type: ignore[no-untyped-def]
            trainer.save_checkpoint()
            raise StoppedError

    recipe = small_recipe(schedule__max_epochs=2, **SLOW)
    with pytest.raises(StoppedError):
        train(recipe, RECORDING, tmp_path / "run", callbacks=[StopsOnce()])
    resumed = train(recipe, RECORDING, tmp_path / "run")
    one, other = (load_file(each.folder / "weights.safetensors") for each in (run, resumed))
    assert all((one[name] == other[name]).all() for name in one)


def test_a_core_is_transferred_to_a_recipe_with_another_context(run: Run, tmp_path: Path) -> None:
    changed = SLOW | {"data__context": {"past": 2, "future": 2}}
    other = train(small_recipe(schedule__max_epochs=1, **changed), RECORDING, tmp_path / "new", core=run)
    assert predict(other, RECORDING, "test").values.shape == (18, 8)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"data.context": {}, "model.modulators": []}, r"\[data.context\] has no effect: no modulator uses"),
        (
            {"model.modulators": [{"type": "slow_gain"}]},
            r"'slow_gain' uses the trials around each trial, but .* no table \[data.context\]",
        ),
        (
            {"data.context": {"past": 9}, "model.modulators": [{"type": "slow_gain"}]},
            r"later trials, but data.context.future is 0",
        ),
        (
            {"data.context": {}, "model.modulators": [{"type": "slow_gain"}]},
            r"earlier trials, but data.context.past is 0: set it .*such as 90",
        ),
        (
            {"data.context": {}, "model.modulators": [{"type": "slow_gain", "time_constants": []}]},
            r"neither time_constants nor drift_trials",
        ),
    ],
)
def test_recipes_whose_context_and_modulators_do_not_fit_are_refused(
    overrides: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        load_recipe("cnn-behavior", overrides)
