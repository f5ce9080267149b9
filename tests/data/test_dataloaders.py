"""What batches hold: inputs and responses as the evaluation requires, tier by tier."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fixtures.recordings import small_recording
from torch.nn.functional import interpolate

import striate
from striate.benchmarks import load_benchmark
from striate.benchmarks.spec_tables import Stimulus
from striate.data import Batch, DataSettings, Loaders, Standardisation, TrialLoader
from striate.errors import InputError, WithheldError
from striate.recordings import Recording


def joined(loader: TrialLoader, name: str) -> np.ndarray:
    return np.concatenate([getattr(batch, name).numpy() for batch in loader])


def plain_form(recording: Recording, tier: str, size: tuple[int, int]) -> dict[str, np.ndarray]:
    """The same by the letter: trial by trial, planes appended to the full image, all rescaled together."""
    train = recording.rows("train")
    std = recording.responses[train].astype(float).std(0)
    pixels = recording.images[train].astype(float)
    pupil = recording.pupil_center[train]
    rows, images, responses, behavior, pupil_center = [], [], [], [], []
    for t in range(len(recording.trials)):
        if recording.trials["tier"][t] != tier:
            continue
        rows.append(t)
        behavior.append(recording.behavior[t] / recording.behavior[train].std(0))
        pupil_center.append((recording.pupil_center[t] - pupil.mean(0)) / pupil.std(0))
        responses.append(recording.responses[t] / np.maximum(std, 0.01 * std.mean()))
        image = (recording.images[t] - pixels.mean()) / pixels.std()
        planes = [np.full(image.shape, value) for value in behavior[-1]]
        full = torch.from_numpy(np.concatenate([image, *planes]))
        images.append(interpolate(full[None], size, mode="bilinear", align_corners=False, antialias=False)[0])
    return {
        "rows": np.array(rows),
        "images": np.stack(images),
        "responses": np.stack(responses),
        "behavior": np.stack(behavior),
        "pupil_center": np.stack(pupil_center),
    }


@pytest.mark.parametrize("cache_gib", [None, 0])
@pytest.mark.parametrize("size", [(36, 64), (9, 16), (7, 12)])
def test_batches_are_what_a_loop_over_trials_gives(size: tuple[int, int], cache_gib: float | None) -> None:
    recording = small_recording()
    loaders = striate.loaders(
        recording, behavior=True, pupil_center=True, image_size=size, batch_size=7, cache_gib=cache_gib
    )
    for tier in recording.tiers:
        expected = plain_form(recording, tier, size)
        batches = list(loaders[tier])
        order = np.argsort(np.concatenate([batch.rows for batch in batches]))
        for name, values in expected.items():
            got = np.concatenate([getattr(batch, name) for batch in batches])[order]
            np.testing.assert_allclose(got, values, rtol=1e-5, atol=1e-5, err_msg=name)


def test_rescaling_by_four_averages_the_middle_of_each_4_by_4_square() -> None:
    """Half-pixel centres and no anti-aliasing: of 4 × 4 pixels only the inner 2 × 2 are seen, equally."""
    recording = small_recording(shape=(144, 256), training=6, validation=2, test_images=1, repeats=2)
    loaders = striate.loaders(recording)
    assert loaders.input_shape == (1, 36, 64)
    batch = next(iter(loaders.validation))
    raw = recording.images[batch.rows].astype(float).reshape(len(batch), 1, 36, 4, 64, 4)
    statistics = recording.statistics["images"]
    expected = (raw[:, :, :, 1:3, :, 1:3].mean((3, 5)) - statistics.mean) / statistics.std
    np.testing.assert_allclose(batch.images, expected, atol=1e-5)


def test_images_stay_as_recorded_if_asked() -> None:
    recording = small_recording()
    for size in (None, "original", recording.image_shape):
        batch = next(iter(striate.loaders(recording, image_size=size).validation))
        expected = Standardisation.from_recording(recording).images(recording.images[batch.rows])
        np.testing.assert_array_equal(batch.images, expected)


def test_a_size_that_would_distort_is_refused() -> None:
    with pytest.raises(InputError, match=r"would distort the images of 7-1-1, which have 20×20 .*\[36, 36\]"):
        striate.loaders(small_recording(shape=(20, 20)), image_size=[36, 64])
    striate.loaders(small_recording(shape=(135, 240), training=4, validation=1, test_images=1), image_size=[36, 64])


@given(st.integers(1, 300), st.integers(1, 300))
@settings(max_examples=50)
def test_the_size_of_the_benchmark_keeps_proportions(height: int, width: int) -> None:
    stimulus = load_benchmark().stimulus
    chosen = DataSettings().input_size(stimulus, (height, width))
    assert chosen[0] == 36
    assert chosen == (36, 64) or abs(chosen[1] - 36 * width / height) <= max(0.5, 1 - 36 * width / height)
    assert Stimulus().input_size_of(height, width) == (height, width)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_any_stored_dtype_gives_the_same_batches(dtype: type) -> None:
    recording = small_recording()
    arrays = {**recording.arrays, "images": recording.images.astype(dtype)}
    other = Recording("7-1-1", recording.neurons, recording.trials, **arrays)
    batches = [next(iter(striate.loaders(r).validation)) for r in (recording, other)]
    assert torch.equal(batches[0].images, batches[1].images)
    assert {batch.images.dtype for batch in batches} == {torch.float32}


def test_a_batch_is_typed() -> None:
    recording = small_recording()
    batch = next(iter(striate.loaders(recording, batch_size=16).train))
    assert isinstance(batch, Batch)
    assert (batch.session, batch.tier, len(batch)) == ("7-1-1", "train", 16)
    assert batch.images.shape == (16, 1, 36, 64)
    assert batch.measured_responses().shape == (16, 12)
    assert (batch.rows.dtype, batch.images.dtype, batch.responses.dtype) == (torch.int64, torch.float32, torch.float32)
    assert batch.behavior is None
    assert batch.pupil_center is None
    with pytest.raises(AttributeError):
        batch.images = batch.images


def test_what_a_notebook_prints_is_one_line() -> None:
    loaders = striate.loaders(small_recording(), behavior=True, batch_size=16)
    batch = next(iter(loaders.train))
    assert repr(batch) == "<Batch 7-1-1 train: images (16, 4, 36, 64), responses (16, 12), behavior (16, 3)>"
    assert repr(loaders.train) == "<TrialLoader 7-1-1 train: 40 trials in 3 batches>"


def test_behavior_comes_as_planes_and_as_a_vector() -> None:
    batch = next(iter(striate.loaders(small_recording(), behavior=True).train))
    assert batch.images.shape[1:] == (4, 36, 64)
    for channel in range(3):
        plane = batch.images[:, 1 + channel]
        assert torch.equal(plane, batch.behavior[:, channel, None, None].expand_as(plane))


def test_tiers_are_a_mapping_and_attributes() -> None:
    loaders = striate.loaders(small_recording(final_images=3))
    assert isinstance(loaders, Loaders)
    assert list(loaders) == ["train", "validation", "test", "final_test"]
    assert [loaders.train, loaders.validation, loaders.test, loaders.final_test] == list(loaders.values())
    assert all(isinstance(loader, torch.utils.data.DataLoader) for loader in loaders.values())
    assert loaders["live_test"] is loaders.test
    assert loaders.session == "7-1-1"


def test_only_the_tiers_asked_for_are_loaded() -> None:
    loaders = striate.loaders(small_recording(), tiers=["validation", "live_test"])
    assert list(loaders) == ["validation", "test"]
    assert "train" not in loaders
    assert loaders.get("train") is None
    with pytest.raises(InputError, match="Tier 'train' of 7-1-1 is not loaded; loaded: validation, test"):
        _ = loaders.train
    with pytest.raises(InputError, match="no trials of tier 'final_test'"):
        striate.loaders(small_recording(), tiers=["final_test"])
    with pytest.raises(InputError, match="no tier 'tset'"):
        striate.loaders(small_recording(), tiers=["tset"])
    with pytest.raises(InputError, match="tiers is empty"):
        striate.loaders(small_recording(), tiers=[])


def test_evaluation_tiers_come_in_file_order() -> None:
    recording = small_recording()
    loaders = striate.loaders(recording, batch_size=3)
    for tier in ("validation", "test"):
        for _ in range(2):
            np.testing.assert_array_equal(joined(loaders[tier], "rows"), recording.rows(tier))
        np.testing.assert_array_equal(joined(loaders[tier], "responses"), loaders.responses(tier))
    unshuffled = striate.loaders(recording, shuffle=False)
    np.testing.assert_array_equal(joined(unshuffled.train, "rows"), recording.rows("train"))


def test_withheld_responses_are_neither_given_nor_trained_on() -> None:
    recording = small_recording("8-1-1", final_images=4, withhold=True)
    loaders = striate.loaders(recording, batch_size=8)
    for tier in ("test", "final_test"):
        batches = list(loaders[tier])
        assert sum(map(len, batches)) == recording.rows(tier).size
        assert all(batch.responses is None for batch in batches)
        with pytest.raises(WithheldError, match=f"tier '{tier}' of 8-1-1 has no responses"):
            batches[0].measured_responses()
        with pytest.raises(WithheldError, match=f"responses of tier '{tier}' of 8-1-1 are withheld"):
            loaders.responses(tier)
    trained_on = {row for batch in loaders.train for row in batch.rows.tolist()}
    assert trained_on == set(recording.rows("train").tolist())
    assert loaders.responses("validation").any()


@pytest.mark.parametrize("key", ["behavior", "pupil_center"])
def test_withheld_inputs_cannot_be_asked_for(key: str) -> None:
    recording = small_recording(without_behavior=True)
    with pytest.raises(InputError, match=f"of 7-1-1 is withheld .* set data.{key} = false"):
        striate.loaders(recording, **{key: True})
    assert len(striate.loaders(recording).train) == 1


def test_prediction_is_of_every_trial_in_file_order_without_responses() -> None:
    recording = small_recording("8-1-1", final_images=4, withhold=True)
    loaders = striate.loaders(recording, tiers=["validation"], batch_size=8, pupil_center=True)
    partial = striate.loaders(recording, training_images=5, pupil_center=True)
    for tier in recording.tiers:
        loader = loaders.prediction(tier)
        np.testing.assert_array_equal(joined(loader, "rows"), recording.rows(tier))
        assert all(batch.responses is None for batch in loader)
        np.testing.assert_array_equal(joined(loader, "images"), joined(partial.prediction(tier), "images"))
        np.testing.assert_array_equal(joined(loader, "pupil_center"), joined(partial.prediction(tier), "pupil_center"))
    assert joined(loaders.prediction("train"), "rows").size == partial.responses("train").shape[0]


@pytest.mark.slow
@settings(deadline=None, max_examples=15)
@given(
    st.sampled_from([None, 0, 1e-5, 5e-5, 1e-4, 4e-4, 1e-3]),
    st.booleans(),
    st.sampled_from([None, (9, 16)]),
    st.sampled_from([None, 5]),
)
def test_what_is_kept_in_memory_changes_no_value(
    cache_gib: float | None, behavior: bool, size: tuple[int, int] | None, neurons: int | None
) -> None:
    """Limits between nothing and everything give exactly the same batches."""
    recording = small_recording()
    chosen = {"behavior": behavior, "image_size": size, "neurons": neurons, "batch_size": 16}
    limited = striate.loaders(recording, cache_gib=cache_gib, **chosen)
    whole = striate.loaders(recording, cache_gib=1, **chosen)
    for tier in recording.tiers:
        for one, other in zip(limited[tier], whole[tier], strict=True):
            assert torch.equal(one.rows, other.rows)
            assert torch.equal(one.images, other.images)
            assert torch.equal(one.responses, other.responses)


def test_trials_that_share_an_id_but_not_the_pixels_keep_their_own() -> None:
    recording = small_recording()
    rows = recording.rows("test")
    recording.images[rows[3]] = 255 - recording.images[rows[3]]
    batch = next(iter(striate.loaders(recording, image_size=None).test))
    np.testing.assert_array_equal(
        batch.images, Standardisation.from_recording(recording).images(recording.images[rows])
    )


def test_to_moves_every_tensor() -> None:
    batch = next(iter(striate.loaders(small_recording(), behavior=True, pupil_center=True).train))
    moved = batch.to("meta")
    tensors = ("rows", "images", "responses", "behavior", "pupil_center")
    assert {getattr(moved, name).device.type for name in tensors} == {"meta"}
    assert {getattr(batch, name).device.type for name in tensors} == {"cpu"}
    assert (moved.session, moved.tier, moved.images.shape) == (batch.session, batch.tier, batch.images.shape)
    without = next(iter(striate.loaders(small_recording()).prediction("test"))).to("cpu")
    assert without.responses is None


@pytest.mark.parametrize("cache_gib", [0, 1])
def test_batches_come_on_the_device_asked_for(cache_gib: float) -> None:
    chosen = {"behavior": True, "pupil_center": True, "cache_gib": cache_gib}
    for batch in striate.loaders(small_recording(), device="meta", **chosen).train:
        tensors = (batch.rows, batch.images, batch.responses, batch.behavior, batch.pupil_center)
        assert {tensor.device.type for tensor in tensors} == {"meta"}
        assert batch.images.shape == (40, 4, 36, 64)
    with pytest.raises(InputError, match="leave them out with device meta"):
        striate.loaders(small_recording(), device="meta", workers=1)
    for missing in ("cuda:99", torch.device("cuda", 99), "gpu"):
        with pytest.raises(InputError, match="There is no device"):
            striate.loaders(small_recording(), device=missing)
    assert next(iter(striate.loaders(small_recording(), device="auto").train)).images.shape[0] == 40


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("cache_gib", [None, 0])
def test_a_gpu_gets_the_same_batches(cache_gib: float | None) -> None:
    chosen = {"behavior": True, "batch_size": 16, "cache_gib": cache_gib}
    on_cpu = striate.loaders(small_recording(), pin_memory=True, **chosen)
    on_gpu = striate.loaders(small_recording(), device="cuda", **chosen)
    for one, other in zip(on_cpu.train, on_gpu.train, strict=True):
        assert one.images.is_pinned()
        assert other.images.is_cuda
        assert torch.equal(one.rows, other.rows.cpu())
        torch.testing.assert_close(one.to("cuda").images, other.images)
        torch.testing.assert_close(one.to("cuda").responses, other.responses)


def test_loading_draws_nothing_from_the_global_generators() -> None:
    recording = small_recording()
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    list(striate.loaders(recording, neurons=3, training_images=9).train)
    assert torch.equal(before[0], torch.get_rng_state())
    np.testing.assert_array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002


def mapped(recording: Recording, folder: Path) -> Recording:
    """The same recording with its large arrays memory-mapped, read-only."""
    arrays = recording.arrays
    for name in ("images", "responses"):
        np.save(folder / f"{name}.npy", arrays[name])
        arrays[name] = np.load(folder / f"{name}.npy", mmap_mode="r")
    return Recording(recording.session, recording.neurons, recording.trials, **arrays)


@pytest.mark.parametrize("cache_gib", [None, 0])
def test_memory_mapped_recordings_reach_other_processes_as_maps(tmp_path: Path, cache_gib: float | None) -> None:
    """A started (not forked) worker receives the dataset pickled: without a copy of the recording's arrays."""
    recording = mapped(small_recording(shape=(72, 128)), tmp_path)
    loader = striate.loaders(recording, image_size=(9, 16), cache_gib=cache_gib).validation
    sent = pickle.dumps(loader.dataset)
    assert len(sent) < recording.images.nbytes / 4
    received = pickle.loads(sent)
    everything = range(len(received))
    assert torch.equal(received[everything].images, loader.dataset[everything].images)
    assert torch.equal(received[everything].responses, loader.dataset[everything].responses)


def test_a_part_of_a_mapped_array_reaches_other_processes_as_it_is(tmp_path: Path) -> None:
    whole = mapped(small_recording(), tmp_path)
    some = slice(5, None)
    arrays = {name: values[some] for name, values in whole.arrays.items()}
    part = Recording("7-1-1", whole.neurons, whole.trials.iloc[some].reset_index(drop=True), **arrays)
    dataset = striate.loaders(part, cache_gib=0).validation.dataset
    everything = range(len(dataset))
    assert torch.equal(pickle.loads(pickle.dumps(dataset))[everything].images, dataset[everything].images)


def test_a_dataset_is_indexed_by_position_among_its_trials() -> None:
    recording = small_recording()
    dataset = striate.loaders(recording).validation.dataset
    assert dataset[2].rows.tolist() == [recording.rows("validation")[2]]
    assert dataset[[3, 0]].rows.tolist() == recording.rows("validation")[[3, 0]].tolist()
    with pytest.raises(IndexError):
        _ = dataset[len(dataset)]


@pytest.mark.slow
def test_real_archives(shared: Path) -> None:
    for name in sorted((shared / "archives").glob("*.zip")):
        recording = striate.open(name)
        behavior = not recording.behavior_withheld
        loaders = striate.loaders(recording, behavior=behavior)
        assert loaders.input_shape == (4 if behavior else 1, 36, 64)
        trained_on = np.concatenate([batch.rows for batch in loaders.train])
        np.testing.assert_array_equal(np.sort(trained_on), recording.rows("train"))
        for tier, loader in loaders.items():
            withheld = tier in recording.withheld_tiers
            assert all((batch.responses is None) == withheld for batch in loader)
        images = joined(loaders.train, "images")[:, 0]
        assert abs(images.mean()) < 0.1
        assert 0.5 < images.std() <= 1.05  # rescaling averages, so a little less than 1
