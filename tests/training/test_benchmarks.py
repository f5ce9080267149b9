"""The line from data to predictions for a benchmark that striate does not know: one TOML file, and nothing else."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.fixtures.recordings import COLOUR_MICE, colour_recording, small_recording
from tests.training.small import TABLES, small_recipe

import striate
from striate.errors import InputError
from striate.recordings import Recording
from striate.training import Run
from striate.training.input_statistics import RunInputs, SessionInputs

SIZE: dict[str, Any] = {"neurons": 6, "train": 40, "validation": 8, "test_images": 4, "final_images": 3, "repeats": 3}


def recordings(tmp_path: Path) -> list[Recording]:
    """Two simulated mice, written and opened again."""
    each = (
        striate.simulate(benchmark=COLOUR_MICE, session=session, track=track, seed=1, **SIZE).recording
        for session, track in (("mouse_a", None), ("mouse_b", "moving"))
    )
    opened = [striate.open(striate.write(one, tmp_path / f"{one.session}.zip")) for one in each]
    assert all(striate.check(one).ok for one in opened)
    return opened


def train_and_predict(recipe: Any, made: list[Recording], tmp_path: Path, overrides: list[str]) -> Run:
    run = striate.train(recipe, made, tmp_path / "run", overrides=overrides, seed=1)
    assert run.sessions == ("mouse_a", "mouse_b")
    predictions = striate.predict(run, made[1])
    assert list(dict.fromkeys(predictions.tier)) == ["seen", "unseen", "gratings"]
    assert predictions.values.shape == (sum(len(made[1].rows(tier)) for tier in ("seen", "unseen", "gratings")), 6)
    assert predictions.protocol == run.protocol == "image + behaviour"
    return Run.open(tmp_path / "run")


@pytest.mark.slow
def test_from_a_description_to_predictions(tmp_path: Path) -> None:
    made = recordings(tmp_path)
    run = train_and_predict(small_recipe(), made, tmp_path, ["data.image_size='original'", "data.behavior=true"])
    rows = made[0].rows("seen")
    images = made[0].images[rows]
    rates = run.respond(images, recording="mouse_a", behavior=made[0].behavior[rows])
    predicted = striate.predict(run, made[0], tiers="seen").values
    np.testing.assert_allclose(rates.to_numpy(), predicted, rtol=1e-4, atol=1e-5)
    state = {"pupil dilation": 4, "running_speed": 1, "whisking": 5, "Licking": 5, "head-angle": 5}
    assert run.respond(images, recording="mouse_a", behavior=state).shape == (len(rows), 6)
    state.pop("Licking")
    with pytest.raises(InputError, match="behavior lacks licking"):
        run.respond(images, recording="mouse_a", behavior=state)
    with pytest.raises(InputError, match=r"expected \(2, H, W\) or \(T, 2, H, W\), with the channels uv, green"):
        run.respond(images[:, 0], recording="mouse_a", behavior="median")


@pytest.mark.slow
def test_a_recipe_of_striate_is_trained_on_it(tmp_path: Path) -> None:
    run = train_and_predict("cnn-small-behavior", recordings(tmp_path), tmp_path, ["schedule.max_epochs=2"])
    assert run.recipe.data.image_size == (32, 48), "the size of the benchmark, as a run records it"


def test_a_run_records_the_size_that_the_benchmark_names(tmp_path: Path) -> None:
    recipe, recording = {**TABLES, "data": {"batch_size": 16}}, small_recording(shape=(36, 64))
    by_name = striate.train(recipe, recording, tmp_path / "by-name", overrides=["schedule.max_epochs=1"])
    assert by_name.recipe.data.image_size == (36, 64)
    size = ["schedule.max_epochs=1", "data.image_size=[36,64]"]
    by_size = striate.train(recipe, recording, tmp_path / "by-size", overrides=size)
    names = ("recipe.toml", "weights.safetensors")
    assert all((by_name.folder / name).read_bytes() == (by_size.folder / name).read_bytes() for name in names)


def test_statistics_of_the_inputs_are_kept_with_the_benchmark(tmp_path: Path) -> None:
    recording = colour_recording()
    kept = RunInputs(recordings={"mouse_a": SessionInputs.from_recording(recording, behavior=True, pupil_center=True)})
    kept.write(tmp_path / "inputs.json")
    again = RunInputs.read(tmp_path / "inputs.json").recordings["mouse_a"]
    assert again == kept.recordings["mouse_a"]
    standardisation = again.standardisation("mouse_a", np.ones(6))
    original = striate.data.Standardisation.from_recording(recording)
    for name in ("images", "behavior", "pupil_center"):
        values = recording.arrays[name]
        assert np.array_equal(getattr(standardisation, name)(values), getattr(original, name)(values))
