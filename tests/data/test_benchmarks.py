"""Loaders of another benchmark than SENSORIUM 2022: channels, behaviours, tiers and standardisation are those of its description."""

from typing import Any

import numpy as np
import pytest
import torch
from tests.fixtures.recordings import colour_recording, small_recording

import striate
from striate.benchmarks import BenchmarkSpec, load_benchmark
from striate.data import Standardisation
from striate.data.raw_images import RawImages
from striate.errors import InputError
from striate.recordings import Recording


def described(**tables: Any) -> Recording:
    """A recording whose benchmark differs from `COLOUR_MICE` in some tables."""
    recording = colour_recording()
    spec = recording.benchmark.model_dump(mode="json", exclude_none=True)
    return recording.with_benchmark(load_benchmark({**spec, **tables, "name": "other-mice"}))


def test_batches_have_the_channels_and_behaviours_of_the_benchmark() -> None:
    recording = colour_recording(withhold=True)
    data = striate.loaders(recording, behavior=True, pupil_center=True, image_size=(16, 24), batch_size=8)
    assert data.input_shape == (2 + 5, 16, 24)
    assert data.behavior_size == 5
    assert list(data) == ["fit", "stop", "seen", "unseen", "gratings"]
    batch = next(iter(data.train))
    assert batch.tier == "fit"
    assert batch.images.shape == (8, 7, 16, 24)
    assert batch.behavior is not None
    assert torch.equal(batch.images[:, 2:, 3, 4], batch.behavior)
    assert len(data.validation.dataset) == 8
    assert next(iter(data.test)).tier == "seen"
    assert data.final_test.dataset.with_responses is False
    assert data["gratings"].dataset.with_responses
    assert data.prediction("public").dataset.tier == "seen"
    with pytest.raises(InputError, match=r"There is no tier 'test'.*fit, stop, seen"):
        data["test"]


def test_behaviour_need_not_be_appended_to_the_image() -> None:
    recording = colour_recording()
    with_planes, without = (
        next(iter(striate.loaders(recording, behavior=True, behavior_planes=planes, image_size="original").train))
        for planes in (True, False)
    )
    assert without.images.shape[1] == 2
    assert torch.equal(without.images, with_planes.images[:, :2])
    assert without.behavior is not None
    assert torch.equal(without.behavior, with_planes.behavior)
    with pytest.raises(InputError, match="behavior_planes = false has an effect only with behavior = true"):
        striate.loaders(recording, behavior_planes=False)


def test_each_channel_is_standardised_by_itself() -> None:
    recording = colour_recording()
    rows = recording.rows("fit")
    data = striate.loaders(recording, image_size="original", shuffle=False)
    images = torch.cat([batch.images for batch in data.train])
    assert np.allclose(images.mean((0, 2, 3)), 0, atol=1e-5)
    assert np.allclose(images.std((0, 2, 3), correction=0), 1, atol=1e-5)
    low, high = data.standardisation.image_range
    assert low == pytest.approx(((0 - data.standardisation.image_mean) / data.standardisation.image_std).min())
    assert high == pytest.approx(((255 - data.standardisation.image_mean) / data.standardisation.image_std).max())
    scalar = striate.loaders(described(standardisation={}), image_size="original", shuffle=False)
    together = torch.cat([batch.images for batch in scalar.train])
    pixels = recording.images[rows].astype(float)
    assert np.allclose(together, (pixels - pixels.mean()) / pixels.std(), atol=1e-4)


def test_methods_of_the_description_are_used() -> None:
    recording = colour_recording()
    fit, behavior = recording.rows("fit"), recording.behavior
    zscore = Standardisation.from_recording(recording)
    mean, std = behavior[fit].mean(0), behavior[fit].std(0)
    assert np.allclose(zscore.behavior(behavior), (behavior - mean) / std, atol=1e-5)
    assert np.allclose(
        zscore.pupil_center(recording.pupil_center), recording.pupil_center / recording.pupil_center[fit].std(0)
    )
    raw = Standardisation.from_recording(
        described(standardisation=dict.fromkeys(("images", "responses", "behavior", "pupil_center"), "none"))
    )
    assert np.array_equal(raw.images(recording.images), recording.images)
    assert np.allclose(raw.responses(recording.responses), recording.responses)
    assert np.allclose(raw.behavior(behavior), behavior)
    assert raw.image_range == (0, 255)


def test_the_lower_bound_of_standard_deviations_is_that_of_the_description() -> None:
    recording = colour_recording()
    recording.responses[:, 0] = 1.0
    std = recording.responses[recording.rows("fit")].astype(float).std(0)
    scale = Standardisation.from_recording(recording).response_scale
    assert scale[0] == pytest.approx(0.05 * std.mean())


def test_a_benchmark_without_behaviour_has_none_as_input() -> None:
    full = colour_recording()
    spec = BenchmarkSpec(name="bare", stimulus=full.benchmark.stimulus, tiers=full.benchmark.tiers)
    bare = full.with_benchmark(spec)
    assert next(iter(striate.loaders(bare, image_size="original").train)).behavior is None
    for key in ("behavior", "pupil_center"):
        with pytest.raises(InputError, match=rf"benchmark bare has none: set data.{key} = false"):
            striate.loaders(bare, image_size="original", **{key: True})


def test_recordings_of_two_benchmarks_are_loaded_side_by_side() -> None:
    data = striate.loaders(
        [small_recording(), colour_recording()], image_size="original", tiers=["train", "validation"]
    )
    assert {session: list(one) for session, one in data.items()} == {
        "7-1-1": ["train", "validation"],
        "mouse_a": ["fit", "stop"],
    }
    assert {batch.tier for batch in next(iter(data.cycle())).values()} == {"train", "fit"}
    assert "<th" in data._repr_html_()
    with pytest.raises(InputError, match="inputs of different shapes"):
        _ = data.input_shape


@pytest.mark.parametrize("shape", [(2, 32, 48), (32, 48, 2), (3, 2, 32, 48), (3, 32, 48, 2)])
def test_raw_images_of_several_channels(shape: tuple[int, ...]) -> None:
    stimulus = colour_recording().benchmark.stimulus
    images = RawImages(np.full(shape, 7, np.uint8), stimulus)
    assert [one.shape for one in images] == [(2, 32, 48)] * (3 if len(shape) == 4 else 1)


def test_image_files_are_colour_only_where_the_benchmark_is() -> None:
    image_module = pytest.importorskip("PIL.Image")
    red = image_module.new("RGB", (6, 4), (255, 0, 0))
    rgb = BenchmarkSpec(name="rgb", stimulus={"channels": ["red", "green", "blue"], "range": (0, 1)}).stimulus
    (colour,) = RawImages(red, rgb)
    assert colour.shape == (3, 4, 6)
    assert colour.max((1, 2)).tolist() == [1, 0, 0]
    (grey,) = RawImages(red)
    assert grey.shape == (1, 4, 6)
    assert grey.max() == 76, "0.299 R"
    with pytest.raises(InputError, match=r"channels uv, green: give arrays \(2, H, W\)"):
        list(RawImages(red, colour_recording().benchmark.stimulus))
    with pytest.raises(InputError, match="go up to 255; give pixel values from 0"):
        RawImages(np.full((3, 4, 6), 255, np.uint8), rgb)
    with pytest.raises(InputError, match="with the channels red, green, blue"):
        RawImages(np.zeros((4, 6)), rgb)


def test_by_default_images_have_the_size_that_their_benchmark_names() -> None:
    assert striate.loaders(small_recording()).input_shape == (1, 36, 64)
    assert striate.loaders(small_recording(shape=(20, 20))).input_shape == (1, 36, 36)
    assert striate.loaders(colour_recording()).input_shape == (2, 32, 48)
    stimulus = {"channels": ["uv", "green"], "height": 32, "width": 48, "input_size": [16, 24]}
    assert striate.loaders(described(stimulus=stimulus)).input_shape == (2, 16, 24)
    with pytest.raises(InputError, match=r"\[36, 64\] would distort the images of mouse_a.*such as \[36, 54\]"):
        striate.loaders(colour_recording(), image_size=(36, 64))
