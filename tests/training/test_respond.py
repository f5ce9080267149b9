"""Responses of a run to raw images: the rates that it predicts, without the recording, or one sentence."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tests.fixtures.messages import assert_short
from tests.fixtures.recordings import small_recording
from tests.training.small import small_recipe

import striate
from striate.data import Standardisation
from striate.errors import InputError
from striate.models import load, save
from striate.training import Run, predict, train

Image = pytest.importorskip("PIL.Image")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with behaviour and eye position on two recordings, with fewer neurons than those have."""
    recipe = small_recipe(
        data__behavior=True, data__pupil_center=True, data__neurons=9, model__shifter=True, schedule__max_epochs=1
    )
    several = [small_recording(shape=(36, 64)), small_recording("8-1-1", shape=(36, 64), seed=3)]
    return train(recipe, several, tmp_path_factory.mktemp("runs") / "run", progress=False)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that sees images alone, of one recording."""
    out = tmp_path_factory.mktemp("runs") / "plain"
    return train(small_recipe(schedule__max_epochs=1), small_recording(shape=(36, 64)), out, progress=False)


@pytest.mark.slow
@pytest.mark.parametrize("session", ["7-1-1", "8-1-1"])
def test_a_recordings_own_trials_give_the_rates_that_predict_gives(run: Run, session: str) -> None:
    recording = small_recording(session, shape=(36, 64), seed=0 if session == "7-1-1" else 3)
    rows = recording.rows("test")
    predicted = predict(run, recording, "test")
    rates = run.respond(
        recording.images[rows],
        behavior=recording.behavior[rows],
        pupil_center=recording.pupil_center[rows],
        recording=session,
    )
    np.testing.assert_allclose(rates.to_numpy(), predicted.values, rtol=1e-6, atol=1e-6)
    assert rates.columns.tolist() == predicted.unit_ids.tolist()
    raw = run.respond(
        recording.images[rows],
        behavior=recording.behavior[rows],
        pupil_center=recording.pupil_center[rows],
        recording=recording,
        units="raw",
        batch_size=5,
    )
    columns = [recording.unit_ids.tolist().index(unit) for unit in predicted.unit_ids]
    scale = Standardisation.from_recording(recording).response_scale[columns]
    np.testing.assert_allclose(raw.to_numpy(), predicted.values * scale, rtol=1e-5)


def test_a_run_keeps_the_standardisation_that_it_was_trained_with(run: Run) -> None:
    recording = small_recording(shape=(36, 64))
    kept, own = run.standardisation("7-1-1"), Standardisation.from_recording(recording)
    columns = [recording.unit_ids.tolist().index(unit) for unit in run.unit_ids("7-1-1")]
    np.testing.assert_array_equal(kept.response_scale, own.response_scale[columns])
    for name in ("image_mean", "image_std", "behavior_std", "pupil_center_mean", "pupil_center_std"):
        np.testing.assert_array_equal(getattr(kept, name), getattr(own, name))
    assert run.inputs("7-1-1").image_shape == (36, 64)


@pytest.mark.slow
def test_images_may_be_given_in_many_ways(plain: Run, tmp_path: Path) -> None:
    pictures = small_recording(shape=(36, 64)).images[:3, 0]
    expected = plain.respond(pictures).to_numpy()
    files = []
    for i, picture in enumerate(pictures):
        files.append(tmp_path / f"{i}.png")
        Image.fromarray(picture).save(files[-1])
    np.save(tmp_path / "all.npy", pictures)
    colours = [Image.merge("RGB", [Image.fromarray(picture)] * 3) for picture in pictures]
    ways: dict[str, Any] = {
        "channel first": pictures[:, None],
        "channel last": pictures[..., None],
        "float": pictures.astype(np.float64),
        "int": pictures.astype(int),
        "tensor": torch.from_numpy(pictures),
        "lists": pictures.tolist(),
        "list of arrays": list(pictures),
        "list of tensors": list(torch.from_numpy(pictures)),
        "mixed": [pictures[0], files[1], colours[2]],
        "paths": files,
        "texts": [str(file) for file in files],
        "npy": tmp_path / "all.npy",
        "pillow": colours,
        "generator": (picture for picture in pictures),
    }
    for name, given in ways.items():
        np.testing.assert_allclose(plain.respond(given).to_numpy(), expected, rtol=1e-5, err_msg=name)
    (tmp_path / "all.npy").unlink()
    of_folder = plain.respond(tmp_path)
    np.testing.assert_array_equal(of_folder.to_numpy(), plain.respond(files).to_numpy())
    assert of_folder.index.tolist() == [str(file) for file in files]
    for one in (pictures[1], files[1], pictures[1:2, None], colours[1]):
        np.testing.assert_allclose(plain.respond(one).to_numpy(), expected[1:2], rtol=1e-5)


def test_images_of_any_size_go_the_way_of_the_recordings(plain: Run) -> None:
    screen = small_recording(shape=(36, 64)).images[:4, 0]
    smooth = np.asarray(Image.fromarray(screen[0]).resize((640, 360), Image.Resampling.BICUBIC))
    expected = plain.respond(screen[0]).to_numpy()
    np.testing.assert_allclose(plain.respond(smooth).to_numpy(), expected, rtol=0.2)
    input_sized = screen[:, :18, :32]  # of the size of the model's input: taken as it is
    with torch.no_grad():
        by_hand = plain.encoder().rates(
            torch.from_numpy(plain.standardisation("7-1-1").images(input_sized[:, None])), "7-1-1"
        )
    np.testing.assert_allclose(plain.respond(input_sized).to_numpy(), by_hand.numpy(), rtol=1e-6)
    mixed = plain.respond([screen[0], input_sized[0], input_sized[1], smooth, screen[1]])
    singly = [plain.respond(i).to_numpy() for i in (screen[0], input_sized[0], input_sized[1], smooth, screen[1])]
    np.testing.assert_allclose(mixed.to_numpy(), np.concatenate(singly), rtol=1e-5)
    with pytest.raises(InputError, match=r"40×40 pixels.*crop or pad"):
        plain.respond(np.zeros((40, 40)))


@pytest.mark.slow
def test_states_may_be_arrays_tables_or_the_median(run: Run) -> None:
    recording = small_recording(shape=(36, 64))
    images = recording.images[:3]
    behavior, pupil = recording.behavior[:3], recording.pupil_center[:3]

    def rates(behavior: Any, pupil_center: Any = "median") -> Any:
        return run.respond(images, behavior=behavior, pupil_center=pupil_center, recording="7-1-1").to_numpy()

    names = ("pupil_dilation", "pupil_dilation_derivative", "running_speed")
    table = pd.DataFrame(behavior, columns=list(names))
    expected = rates(behavior)
    np.testing.assert_array_equal(rates(table), expected)
    np.testing.assert_array_equal(rates(table[[names[2], names[0], names[1]]]), expected)
    np.testing.assert_array_equal(rates(dict(zip(names, behavior.T, strict=True))), expected)
    both = table.assign(x=pupil[:, 0], y=pupil[:, 1])
    np.testing.assert_array_equal(rates(both, both), rates(behavior, pupil))
    still = {"Pupil dilation": 30.0, "derivative of pupil dilation": 0, "running-speed": 0}
    np.testing.assert_array_equal(rates(still), rates([[30.0, 0, 0]] * 3))
    np.testing.assert_array_equal(rates(pd.Series(still)), rates([30.0, 0, 0]))
    training = recording.rows("train")
    median = np.median(recording.behavior[training], axis=0)
    np.testing.assert_allclose(rates("median"), rates(median), rtol=1e-6)
    assert not np.allclose(rates("median"), rates("mean"))


def test_a_run_responds_without_anything_but_its_folder(plain: Run, tmp_path: Path) -> None:
    images = small_recording(shape=(36, 64)).images[:2]
    moved = Run.open(shutil.copytree(plain.folder, tmp_path / "copy"))
    np.testing.assert_array_equal(moved.respond(images).to_numpy(), plain.respond(images).to_numpy())
    (moved.folder / "standardisation.json").write_text("{")
    with pytest.raises(InputError, match=r"standardisation\.json is damaged"):
        moved.respond(images)
    (moved.folder / "standardisation.json").unlink()
    with pytest.raises(InputError, match="does not say how its inputs were standardised"):
        moved.respond(images)


NOISE = np.random.default_rng(0).random((2, 36, 64))


@pytest.mark.parametrize(
    ("images", "says"),
    [
        (NOISE, r"between|go from .* to .*255 \* images"),
        (torch.from_numpy(NOISE).float(), r"255 \* images"),
        (NOISE > 0.5, "bool"),
        (4 * NOISE - 2, "as standardised ones do"),
        (1000 * NOISE, "go up to"),
        (NOISE * np.nan, "NaN"),
        (NOISE + 1j, "real numbers"),
        (np.zeros((3, 36, 64, 3)), "Turn colours to grey"),
        (np.zeros((3, 3, 36, 64)), "Turn colours to grey"),
        (np.zeros((36, 64, 3)), "colour"),
        (np.zeros(64), "have shape"),
        (np.zeros((0, 36, 64)), "have shape"),
        ([], "no images"),
        (7, "shape"),
        (None, "Expected images, got NoneType"),
        ({"a": 1}, "Expected images, got dict"),
        ("no.png", r"no image at no\.png"),
        (["no.png", "neither.png"], "no image at"),
        ([[1, 2], [3]], "no array"),
    ],
)
def test_what_is_no_raw_image_is_refused_in_one_sentence(plain: Run, images: Any, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        plain.respond(images)
    assert_short(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG\r\n\x1a\n", b"BM" + bytes(60), b"GIF89a" + bytes(9)])
def test_damaged_files_are_refused_in_one_sentence(plain: Run, tmp_path: Path, content: bytes) -> None:
    for name in ("image.png", "image.npy"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError) as caught:
            plain.respond(tmp_path / name)
        assert_short(caught.value)
        assert "\n" not in str(caught.value)


def test_files_whose_grey_values_are_unknown(plain: Run, tmp_path: Path) -> None:
    transparent = Image.new("RGBA", (64, 36), (9, 9, 9, 100))
    with pytest.raises(InputError, match="transparent"):
        plain.respond(transparent)
    assert plain.respond(Image.new("RGBA", (64, 36), (9, 9, 9, 255))).shape == (1, 12)
    Image.fromarray(np.zeros((36, 64), np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(InputError, match="8 bits a channel"):
        plain.respond(tmp_path / "deep.png")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "was trained on several recordings"),
        ({"recording": "9-9-9"}, "was not trained on recording '9-9-9'"),
        ({"recording": "7-1-1"}, 'uses behavior .*behavior="median"'),
        ({"recording": "7-1-1", "behavior": "median"}, "uses pupil_center"),
        ({"recording": "7-1-1", "behavior": "medium"}, "did you mean 'median'"),
        ({"recording": "7-1-1", "behavior": [1, 2]}, "behavior has shape"),
        ({"recording": "7-1-1", "behavior": np.zeros((5, 3))}, "behavior has shape"),
        ({"recording": "7-1-1", "behavior": [1, 2, float("nan")]}, "NaN"),
        ({"recording": "7-1-1", "behavior": {"running_speed": 1}}, "lacks pupil dilation"),
        ({"recording": "7-1-1", "behavior": {"runing_speed": 1}}, "did you mean 'running speed'"),
        ({"recording": "7-1-1", "behavior": {"running": 1, "speed": 1}}, "twice"),
        ({"recording": "7-1-1", "units": "spikes"}, "no units 'spikes'"),
        ({"recording": "7-1-1", "batch_size": 0}, "batch_size is 0"),
        ({"recording": "7-1-1", "behavior": "median", "pupil_center": {"z": 1}}, "no component 'z'"),
    ],
)
def test_states_that_do_not_fit_are_refused_in_one_sentence(run: Run, given: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        run.respond(small_recording(shape=(36, 64)).images[:4], **given)
    assert_short(caught.value)


def test_a_state_is_refused_where_the_model_does_not_use_it(plain: Run) -> None:
    with pytest.raises(InputError, match="does not use behavior: leave it out"):
        plain.respond(small_recording(shape=(36, 64)).images[:1], behavior="median")


def test_encoders_recognise_raw_images(plain: Run, tmp_path: Path) -> None:
    encoder = plain.encoder()
    noise = torch.from_numpy(NOISE[:, None, :18, :32]).float()
    for known in (encoder.image_ranges, {}):
        encoder.image_ranges = known
        with pytest.raises(InputError, match=r"run\.respond\(images\) takes raw images"):
            encoder.rates(255 * noise, "7-1-1")
        assert encoder.rates(4 * noise - 2, "7-1-1").shape == (2, 12)
    with pytest.raises(InputError, match=r"type torch\.uint8"):
        encoder.rates((255 * noise).byte(), "7-1-1")
    with pytest.raises(InputError, match="expected a tensor"):
        encoder.rates((255 * noise).numpy(), "7-1-1")  # type: ignore[arg-type]
    recording = small_recording(shape=(36, 64))
    black, white = Standardisation.from_recording(recording).image_range
    encoder = plain.encoder()
    assert encoder.image_ranges == {"7-1-1": (black, white)}
    save(encoder, tmp_path / "encoder.safetensors")
    assert load(tmp_path / "encoder.safetensors").image_ranges == encoder.image_ranges
    assert striate.predict(encoder, recording, data=plain.recipe.data).values.shape == (18, 12)


def pixels() -> np.ndarray:
    return np.asarray(small_recording(shape=(36, 64)).images[:3, 0])


def test_photographs_are_turned_as_viewers_turn_them(plain: Run, tmp_path: Path) -> None:
    image = pixels()[0]
    expected = plain.respond(image).to_numpy()
    for orientation, stored in ((1, image), (3, image[::-1, ::-1]), (6, np.rot90(image))):
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = tmp_path / f"{orientation}.png"
        Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif)
        np.testing.assert_array_equal(plain.respond(path).to_numpy(), expected)


@pytest.mark.parametrize("suffix", [".gif", ".tif"])
def test_files_of_several_images_are_refused(plain: Run, tmp_path: Path, suffix: str) -> None:
    first, *others = (Image.fromarray(one) for one in pixels())
    first.save(tmp_path / f"stack{suffix}", save_all=True, append_images=others)
    with pytest.raises(InputError, match=f"holds {1 + len(others)} images"):
        plain.respond(tmp_path / f"stack{suffix}")


def test_an_empty_array_of_images_is_refused(plain: Run) -> None:
    with pytest.raises(InputError, match=r"have shape \(0, 64\)"):
        plain.respond(np.zeros((0, 64), np.uint8))
