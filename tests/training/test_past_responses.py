"""Past responses: a protocol of its own, which sees neither test responses nor anything at or after the trial that it predicts."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from tests.fixtures.recordings import small_recording
from tests.training.small import small_recipe

import striate
from striate.benchmarks import BenchmarkSpec
from striate.data import ContextSettings
from striate.errors import InputError
from striate.recordings import Recording
from striate.submissions import Submission
from striate.submissions.scorecard import average_scorecards
from striate.training import Ensemble, Recipe, Run, load_recipe, predict, train

PROTOCOL = "image + behaviour + past responses"
HISTORY = {
    "data__behavior": True,
    "data__context": {"past_responses": [1, 3]},
    "model__modulators": [{"type": "history", "state_components": 3, "gain_sigma": 4.0, "own_l1_weight": 0.0}],
    "initialisation__biases": "mean",
    "schedule__learning_rate": 0.01,
}


def with_responses(recording: Recording, responses: np.ndarray) -> Recording:
    """Return the recording with other responses, and the same statistics."""
    r = recording
    return Recording(
        r.session,
        r.neurons,
        r.trials,
        r.images,
        responses,
        r.behavior,
        r.pupil_center,
        r.statistics,
        benchmark=r.benchmark,
    )


def correlated_in_time() -> Recording:
    """A recording whose responses follow those to the last trial that is no test trial."""
    r = small_recording(neurons=8, training=64, validation=24)
    responses, before = 0.1 * r.responses, np.ones(8)
    noise = np.random.default_rng(5).gamma(2.0, 0.5, responses.shape)
    for row in np.argsort(r.trials["trial_idx"].to_numpy()):
        responses[row] += 0.8 * before + 0.4 * noise[row]
        if r.trials["tier"][row] != "test":
            before = responses[row] / 2
    return Recording(r.session, r.neurons, r.trials, r.images, responses, r.behavior, r.pupil_center)


RECORDING = correlated_in_time()
TIERS = RECORDING.trials["tier"].to_numpy()
POSITIONS = np.argsort(np.argsort(RECORDING.trials["trial_idx"].to_numpy()))
ALL = ["train", "validation", "test"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(small_recipe(schedule__max_epochs=3, **HISTORY), RECORDING, tmp_path_factory.mktemp("past") / "run")


def predicted(run: Run, recording: Recording) -> np.ndarray:
    """Predicted responses in the order of the rows of the recording."""
    predictions = predict(run, recording, ALL)
    values = np.empty_like(predictions.values)
    values[np.concatenate([recording.rows(tier) for tier in ALL])] = predictions.values
    return values


@pytest.fixture(scope="module")
def before(run: Run) -> np.ndarray:
    return predicted(run, RECORDING)


def test_every_part_of_the_modulator_learns(run: Run) -> None:
    weights = load_file(run.folder / "weights.safetensors")
    for name in ("own_weights", "state_weights", "components", "gain", "couplings"):
        assert float(weights[f"modulators.session_7-1-1.0.{name}"].std()) > 0, name
    assert run.history["validation_correlation"].max() > 0.3


@settings(max_examples=6)
@given(seed=st.integers(0, 2**32 - 1))
def test_no_response_to_a_test_trial_changes_a_prediction(run: Run, before: np.ndarray, seed: int) -> None:
    rng, responses = np.random.default_rng(seed), RECORDING.responses.copy()
    changed = np.flatnonzero(TIERS == "test")
    changed = rng.choice(changed, rng.integers(1, changed.size + 1), replace=False)
    responses[changed] = rng.gamma(1.0, 10.0, responses[changed].shape)
    assert np.array_equal(predicted(run, with_responses(RECORDING, responses)), before)


@settings(max_examples=6)
@given(seed=st.integers(0, 2**32 - 1), position=st.integers(0, len(TIERS) - 1))
def test_no_response_at_or_after_a_trial_changes_its_prediction(
    run: Run, before: np.ndarray, seed: int, position: int
) -> None:
    responses, later = RECORDING.responses.copy(), position <= POSITIONS
    responses[later] = np.random.default_rng(seed).gamma(1.0, 10.0, responses[later].shape)
    after = predicted(run, with_responses(RECORDING, responses))
    earlier_or_same = position >= POSITIONS
    assert np.array_equal(after[earlier_or_same], before[earlier_or_same])


def test_earlier_responses_to_training_and_validation_trials_are_used(run: Run, before: np.ndarray) -> None:
    for tier in ("train", "validation"):
        rows = np.flatnonzero(tier == TIERS)
        first = rows[np.argmin(POSITIONS[rows])]
        responses = RECORDING.responses.copy()
        responses[first] += 5
        changed = (predicted(run, with_responses(RECORDING, responses)) != before).any(axis=1)
        assert changed.any()
        assert POSITIONS[changed].min() > POSITIONS[first]


@given(windows=st.lists(st.integers(1, 120), min_size=1, max_size=4, unique=True))
@settings(max_examples=6)
def test_the_means_are_those_of_the_latest_known_trials(windows: list[int]) -> None:
    context = ContextSettings(past_responses=windows)
    loaders = striate.loaders(RECORDING, behavior=True, context=context, batch_size=1000)
    statistics, scale = RECORDING.statistics["responses"], loaders.standardisation.response_scale
    known = np.flatnonzero(TIERS != "test")
    known = known[np.argsort(POSITIONS[known])]
    for tier in ALL:
        batch = next(iter(loaders[tier]))
        for trial in (0, len(batch) - 1):
            row = int(batch.rows[trial])
            earlier = known[POSITIONS[known] < POSITIONS[row]]
            assert int(batch.context.measured_before[trial]) == earlier.size
            for place, window in enumerate(windows):
                latest = (RECORDING.responses[earlier[-window:]] - statistics.mean) / scale
                expected = latest.mean(0) if earlier.size else np.zeros(8)
                np.testing.assert_allclose(batch.context.past_responses[trial, place], expected, atol=1e-5)


def test_a_choice_of_training_images_does_not_change_what_is_known(run: Run, tmp_path: Path) -> None:
    for choice in ({"data__training_images": 20}, {"data__folds": 4, "data__fold": 1}):
        recipe = small_recipe(schedule__max_epochs=1, **HISTORY | choice)
        assert striate.loaders(RECORDING, recipe.data).measured_trials == 64 + 24
        assert recipe.data.for_prediction().context == recipe.data.context


def test_an_ensemble_gives_each_member_its_own_past(run: Run, tmp_path: Path) -> None:
    other = HISTORY | {"data__context": {"past": 2, "past_responses": [5, 1]}}
    runs = [run, train(small_recipe(schedule__max_epochs=1, **other), RECORDING, tmp_path / "other")]
    ensemble = Ensemble.from_runs(runs, tmp_path / "both")
    assert ensemble.protocol == PROTOCOL
    each = [predict(one, RECORDING, "test").values for one in runs]
    np.testing.assert_allclose(predict(ensemble, RECORDING, "test").values, (each[0] + each[1]) / 2, rtol=1e-5)


def test_the_protocol_is_carried_and_never_mixed(run: Run, tmp_path: Path) -> None:
    predictions = predict(run, RECORDING, "test")
    assert run.recipe.protocol == run.protocol == predictions.protocol == PROTOCOL
    assert run.provenance["protocol"] == PROTOCOL
    submission = Submission.from_array(RECORDING, predictions.values, protocol=predictions.protocol, tiers=["test"])
    submission.write(tmp_path / "history.parquet")
    assert Submission.read(tmp_path / "history.parquet").protocol == PROTOCOL
    cards = [striate.score(submission, RECORDING)]
    other = Submission.from_array(RECORDING, predictions.values, protocol="image + behaviour", tiers=["test"])
    cards.append(striate.score(other, RECORDING))
    assert cards[0].protocol == PROTOCOL
    with pytest.raises(InputError, match="differ in protocol"):
        average_scorecards(cards, "test")


def test_raw_images_get_no_history(run: Run) -> None:
    assert np.isfinite(run.respond(RECORDING.images[:2, 0], behavior="mean").to_numpy()).all()


def test_a_benchmark_without_the_protocol_refuses_it(tmp_path: Path) -> None:
    spec = RECORDING.benchmark
    own = BenchmarkSpec.model_validate(
        spec.model_dump() | {"name": "still", "protocols": spec.model_dump()["protocols"][:2]}
    )
    with pytest.raises(
        InputError, match="No protocol of benchmark still allows a model to know behavior, past_responses"
    ):
        train(small_recipe(**HISTORY), RECORDING.with_benchmark(own), tmp_path / "run")


def test_the_recipe_that_comes_with_striate() -> None:
    recipe = load_recipe("cnn-behavior-history")
    assert recipe.protocol == PROTOCOL
    assert recipe.model.modulators[0].type == "history"


def test_the_context_is_turned_off_by_false() -> None:
    recipe = load_recipe("cnn-behavior-history", {"data.context": False, "model.modulators": []})
    assert recipe.data.context is None
    assert recipe.protocol == "image + behaviour"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            {"data.context.past_responses": []},
            r"'history' uses the responses to earlier trials, but data.context.past_responses is empty",
        ),
        (
            {"data.context.past_responses": [2]},
            r"takes the state of the population from state_trials = .*does not have \(2\)",
        ),
        ({"data.context.past_responses": [1, 1]}, r"more than once"),
        ({"data.context.past_responses": [0]}, r"greater than or equal to 1"),
    ],
)
def test_wrong_recipes_are_refused_in_one_sentence(overrides: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_recipe("cnn-behavior-history", overrides)


def test_recipes_name_standard_protocols() -> None:
    assert Recipe().protocol == "image"
    assert Recipe(data={"pupil_center": True}, model={"shifter": True}).protocol == "image + behaviour"
