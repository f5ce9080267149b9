"""The table of the zoo: what is trained, how it is scored, and what is written."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.fixtures.recordings import colour_recording, small_recording
from tests.sweeps.in_process import InProcess
from tests.zoo.conftest import ONE_EPOCH

import striate
from striate.errors import InputError, StriateError
from striate.models.cost import multiply_adds
from striate.recordings import Recording
from striate.submissions import Truth, score
from striate.training import Run, recipe_names
from striate.zoo import ZooResults, fitting_recipes, run_zoo, zoo_markdown
from striate.zoo.references import references


def test_all_recipes_that_fit_are_found(mouse: Recording) -> None:
    recipes, left_out = fitting_recipes([mouse])
    assert set(recipes) | set(left_out) == set(recipe_names())
    assert {"cnn", "cnn-behavior"} <= set(recipes)
    blind = small_recording("9-1-1", without_behavior=True)
    recipes, left_out = fitting_recipes([mouse, blind])
    assert "cnn" in recipes
    assert left_out["cnn-behavior"] == "It needs behaviour, which 9-1-1 does not have."


def test_recipes_of_past_responses_need_the_order_of_trials() -> None:
    r = small_recording("9-1-1", shape=(36, 64))
    hashed = r.trials.assign(trial_idx=[f"{index:032x}" for index in r.trials["trial_idx"]])
    blind = Recording(r.session, r.neurons, hashed, r.images, r.responses, r.behavior, r.pupil_center)
    assert "cnn-behavior-history" in fitting_recipes([r])[0]
    recipes, left_out = fitting_recipes([blind])
    assert "cnn-behavior" in recipes
    assert left_out["cnn-behavior-history"].startswith("The order of the trials of 9-1-1 is withheld")


def test_recipes_that_are_named_must_fit(place: Path) -> None:
    blind = small_recording("9-1-1", without_behavior=True)
    with pytest.raises(InputError, match="'cnn-behavior' does not fit"):
        fitting_recipes([blind], ["cnn-behavior"])
    with pytest.raises(InputError, match="There is no recipe 'cnnn'"):
        fitting_recipes([blind], ["cnnn"])
    with pytest.raises(InputError, match="Two recipes have the name 'cnn'"):
        fitting_recipes([blind], ["cnn", "cnn"])
    with pytest.raises(InputError, match="does not fit"):
        fitting_recipes([colour_recording()], ["cnn"], {"model.core.input_kernel_size": 99})


def test_protocols_are_apart_and_models_sorted_by_validation(results: ZooResults) -> None:
    assert {name: sorted(model.recipe for model in models) for name, models in results.protocols.items()} == {
        "image": ["tiny", "tiny × 2"],
        "image + behaviour": ["tiny-behavior", "tiny-behavior × 2"],
    }
    first = results.models[0]
    worse = first.model_copy(
        update={
            "recipe": "worse",
            "scores": {
                "validation": {
                    results.ranking_metric: first.scores["validation"]["feve"].model_copy(update={"mean": -1.0})
                },
                "test": {results.ranking_metric: first.scores["validation"]["feve"].model_copy(update={"mean": 1.0})},
            },
        }
    )
    models = results.model_copy(update={"models": (worse, *results.models)}).protocols["image"]
    assert [model.recipe for model in models][-1] == "worse"


def test_scores_are_those_of_the_runs(results: ZooResults, place: Path, mouse: Recording) -> None:
    model = results.models[0]
    means = []
    for seed in range(2):
        predictions = striate.predict(place / "out" / "runs" / f"tiny-seed{seed}", mouse, "test")
        submission = striate.Submission.from_predictions(predictions)
        card = score(submission, Truth.from_recording(mouse, "test"), bootstrap=0)
        means.append(card.tiers["test"].correlation_to_average.mean)
    found = model.scores["test"]["correlation_to_average"]
    assert found.mean == pytest.approx(np.mean(means), abs=1e-6)
    assert found.deviation == pytest.approx(np.std(means, ddof=1), abs=1e-6)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.mean <= found.high
    encoder = Run.open(place / "out" / "runs" / "tiny-seed0").encoder()
    assert model.multiply_adds == multiply_adds(encoder)
    assert model.parameters == sum(each.numel() for each in encoder.parameters())
    assert model.seconds > 0
    assert model.memory_mib > 0


def test_seeds_are_scored_as_an_ensemble(results: ZooResults, place: Path, mouse: Recording) -> None:
    single, ensemble = results.models[:2]
    assert (ensemble.members, ensemble.parameters) == (2, 2 * single.parameters)
    predictions = striate.predict(place / "out" / "ensembles" / "tiny", mouse, "test")
    card = score(striate.Submission.from_predictions(predictions), Truth.from_recording(mouse, "test"), bootstrap=0)
    mean = card.tiers["test"].correlation_to_average.mean
    assert ensemble.scores["test"]["correlation_to_average"].mean == pytest.approx(mean, abs=1e-6)
    assert "ensemble of the seeds" in zoo_markdown([results])


def test_ceilings_are_fractions_of_models_of_the_image(results: ZooResults) -> None:
    model = results.protocols["image"][0]
    ceiling = results.references["test"]["correlation_to_average"].ceiling
    assert ceiling is not None
    mean = model.scores["test"]["correlation_to_average"].mean
    assert mean is not None
    assert results.fraction(model, "test", "correlation_to_average") == (pytest.approx(mean / ceiling), "ceiling")
    assert results.fraction(model, "validation", "single_trial_correlation") is None  # no image is repeated


def test_the_oracle_of_a_simulation_is_that_of_the_protocol(results: ZooResults) -> None:
    size = {"train": 30, "validation": 5, "test_images": 6, "repeats": 4, "image_shape": (18, 32)}
    simulation = striate.simulate(neurons=4, seed=1, **size)
    found = references([simulation.recording], ["test"], [simulation.truth])
    image, state = (
        getattr(found["test"]["single_trial_correlation"], name) for name in ("oracle_image", "oracle_state")
    )
    assert 0 < image < state <= 1
    known = results.model_copy(update={"references": {"test": found["test"]}})
    for protocol, oracle in (("image", image), ("image + behaviour", state)):
        model = known.protocols[protocol][0]
        mean = model.scores["test"]["single_trial_correlation"].mean
        assert mean is not None
        assert known.fraction(model, "test", "single_trial_correlation") == (pytest.approx(mean / oracle), "oracle")
    with pytest.raises(InputError, match="no such recording"):
        references([small_recording()], ["test"], [simulation.truth])


def test_what_is_written_is_read_again(results: ZooResults, place: Path) -> None:
    assert ZooResults.read(place / "out") == results
    table = pd.read_parquet(place / "out" / "table.parquet")
    assert set(table["recipe"]) == {"tiny", "tiny × 2", "tiny-behavior", "tiny-behavior × 2"}
    assert table["fingerprints"].iloc[0].tolist() == [results.recordings[0].fingerprint]
    page = (place / "out" / "zoo.html").read_text()
    assert "Protocol image + behaviour" in page
    assert page.count("data:image/png") == 2
    text = (place / "out" / "zoo.md").read_text()
    assert text == zoo_markdown([results])
    assert "## Protocol: image\n" in text
    assert "`tiny`" in text
    with pytest.raises(InputError, match="cannot be read"):
        ZooResults.read(place)


def test_finished_runs_are_not_trained_again(
    results: ZooResults, place: Path, mouse: Recording, other: Recording
) -> None:
    executor = InProcess()
    recipes = [str(place / "tiny.toml")]
    again = run_zoo(
        [mouse], place / "out", recipes=recipes, seeds=2, test=True, overrides=ONE_EPOCH, executor=executor,
        progress=False,
    )  # fmt: skip
    assert not executor.started
    assert again.models[0] == results.models[0]
    results.write(place / "out")
    with pytest.raises(InputError, match="holds results of 7-1-1"):
        run_zoo([other], place / "out", recipes=recipes, executor=executor, progress=False)


def test_a_recipe_that_fails_is_left_out(place: Path, tmp_path: Path, mouse: Recording) -> None:
    (tmp_path / "huge.toml").write_text(
        (place / "tiny.toml").read_text().replace("batch_size = 16", "training_images = 4000")
    )
    recipes = [str(place / "tiny.toml"), str(tmp_path / "huge.toml")]
    options = {"seeds": 1, "overrides": ONE_EPOCH, "executor": InProcess(), "progress": False}
    found = run_zoo([mouse], tmp_path / "out", recipes=recipes, **options)
    assert [model.recipe for model in found.models] == ["tiny"]
    assert "1 of 1 trainings failed" in found.left_out["huge"]
    assert "4000 are asked for" in found.left_out["huge"]
    assert "Left out: `huge`" in zoo_markdown([found])
    with pytest.raises(StriateError, match="No training has finished"):
        run_zoo([mouse], tmp_path / "none", recipes=recipes[1:], **options)
