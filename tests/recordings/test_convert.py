"""Arrays of a lab are converted to a recording, or refused with a message that names the problem."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from tests.fixtures.command import assert_one_sentence, run_in_process

import striate
from striate.errors import InputError
from striate.recordings import check
from striate.recordings.array_files import read_array, read_arrays, read_table

TRIALS, NEURONS, IMAGES = 60, 7, 40


def arrays() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    distinct_images = rng.integers(0, 256, (IMAGES, 12, 20), dtype=np.uint8)
    shown = np.concatenate([np.arange(IMAGES), np.repeat(np.arange(4), 5)])
    return {
        "session": "12-3-1",
        "images": distinct_images[shown],
        "responses": rng.exponential(1, (TRIALS, NEURONS)),
        "neurons": {"x": rng.normal(size=NEURONS), "y": rng.normal(size=NEURONS), "z": rng.normal(size=NEURONS)},
    }


def test_default_tiers_ids_and_order() -> None:
    recording = striate.convert(**arrays())
    assert recording.session == "12-3-1"
    assert recording.trials["image_id"].nunique() == IMAGES
    assert {t: len(recording.rows(t)) for t in recording.tiers} == {"train": 32, "validation": 4, "test": 24}
    assert recording.trials["trial_idx"].tolist() == list(range(TRIALS))
    assert recording.unit_ids.tolist() == list(range(1, NEURONS + 1))
    assert recording.behavior_withheld
    again = striate.convert(**arrays(), seed=1)
    assert set(again.rows("validation")) != set(recording.rows("validation"))


def test_distinct_images_are_indexed_by_image_id() -> None:
    arguments = arrays()
    shown = np.concatenate([np.arange(IMAGES), np.repeat(np.arange(4), 5)])
    distinct_images = arguments["images"][:IMAGES]
    recording = striate.convert(**{**arguments, "images": distinct_images}, trials={"image_id": shown})
    assert np.array_equal(recording.images[:, 0], distinct_images[shown])


def test_all_columns_are_kept(tmp_path: Path) -> None:
    arguments = arrays()
    tiers = np.array(["train"] * 30 + ["validation"] * 10 + ["live_test"] * 20)
    behavior, pupil = (
        np.random.default_rng(1).normal(size=(TRIALS, 3)),
        np.random.default_rng(2).normal(size=(TRIALS, 2)),
    )
    recording = striate.convert(
        **{
            **arguments,
            "neurons": pd.DataFrame(arguments["neurons"]).assign(area="LM", depth_group=np.arange(NEURONS)),
        },
        trials=pd.DataFrame(
            {"tier": tiers, "image_id": np.arange(TRIALS), "trial_idx": np.arange(TRIALS)[::-1], "block": 1}
        ),
        behavior=behavior,
        pupil_center=pupil,
        out=tmp_path / "mouse.zip",
    )
    assert (tmp_path / "mouse.zip").is_file()
    assert recording.tiers == ("train", "validation", "test")
    assert set(recording.neurons["area"]) == {"LM"}
    assert recording.neurons["depth_group"].tolist() == list(range(NEURONS))
    assert set(recording.trials["block"]) == {1}
    assert np.array_equal(recording.behavior, behavior)
    assert np.array_equal(recording.responses, arguments["responses"])


def test_converted_recording_passes_the_check(tmp_path: Path) -> None:
    striate.convert(**arrays(), out=tmp_path / "static12-3-1-x.zip")
    report = check(tmp_path / "static12-3-1-x.zip")
    assert report.ok
    assert report.rules <= {"ragged-repeats", "zeroed-behavior", "zeroed-pupil-center"}


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "transposed responses": ({"responses": np.ones((NEURONS, TRIALS))}, "Rows of responses are trials"),
    "responses that are negative": ({"responses": -np.ones((TRIALS, NEURONS))}, "negative"),
    "responses that are not finite": ({"responses": np.full((TRIALS, NEURONS), np.nan)}, "not finite"),
    "responses in three dimensions": ({"responses": np.ones((TRIALS, NEURONS, 2))}, "2 dimensions"),
    "responses that are words": ({"responses": np.full((TRIALS, NEURONS), "a")}, "integers or floats"),
    "ragged responses": ({"responses": [[1.0], [1.0, 2.0]]}, "equal length"),
    "colour images": ({"images": np.zeros((TRIALS, 3, 12, 20))}, "grey images"),
    "images of 0 to 1": ({"images": np.random.default_rng(0).uniform(0, 1, (TRIALS, 12, 20))}, "multiply by 255"),
    "images out of range": ({"images": np.full((TRIALS, 12, 20), 300.0)}, "0–255"),
    "fewer images than trials, no ids": ({"images": np.zeros((5, 12, 20))}, "image_id"),
    "ids beyond the images": (
        {"images": np.zeros((5, 12, 20)), "trials": {"image_id": np.arange(TRIALS)}}, "from 0 to 4",
    ),
    "trials of another length": ({"trials": {"image_id": np.arange(3)}}, "trials has 3 rows"),
    "columns of different length": ({"trials": {"image_id": np.arange(60), "tier": ["train"]}}, "different lengths"),
    "an unknown tier": ({"trials": {"tier": ["training"] * TRIALS}}, "did you mean 'train'"),
    "no z": ({"neurons": {"x": np.zeros(NEURONS), "y": np.zeros(NEURONS)}}, "has no z"),
    "neurons of another length": ({"neurons": {"x": [0], "y": [0], "z": [0]}}, "7 columns"),
    "coordinates of two columns": ({"neurons": {"coordinates": np.zeros((NEURONS, 2))}}, "x, y, z"),
    "positions that are not finite": ({"neurons": dict.fromkeys("xyz", np.full(NEURONS, np.nan))}, "finite"),
    "doubled unit ids": (
        {"neurons": {"unit_id": np.ones(NEURONS, int), **dict.fromkeys("xyz", np.zeros(NEURONS))}}, "is not unique",
    ),
    "unit ids that are names": (
        {"neurons": {"unit_id": list("abcdefg"), **dict.fromkeys("xyz", np.zeros(NEURONS))}}, "got 'a': leave the column out for 1 to 7",
    ),
    "unit ids that are not whole": (
        {"neurons": {"unit_id": np.arange(NEURONS) + 0.5, **dict.fromkeys("xyz", np.zeros(NEURONS))}}, "whole numbers, got 0.5",
    ),
    "image ids that are missing": ({"trials": {"image_id": [*range(TRIALS - 1), np.nan]}}, "image_id is missing in rows 59"),
    "image ids that are not whole": ({"trials": {"image_id": np.arange(TRIALS) / 2}}, "whole numbers or text, got 0.5"),
    "trial indices that are missing": ({"trials": {"trial_idx": ["a"] * 59 + [None]}}, "trial_idx is missing in rows 59"),
    "an area that is missing": (
        {"neurons": {"area": [None, *"bcdefg"], **dict.fromkeys("xyz", np.zeros(NEURONS))}}, "'area' is missing in rows 0: give text",
    ),
    "behaviour of two columns that is not finite": ({"behavior": np.full((TRIALS, 2), np.nan)}, "pupil dilation"),
    "behaviour of two columns": ({"behavior": np.zeros((TRIALS, 2))}, "pupil dilation"),
    "eye position of three columns": ({"pupil_center": np.zeros((TRIALS, 3))}, "horizontal"),
    "tier and tiers": ({"trials": {"tier": ["train"] * TRIALS, "tiers": ["test"] * TRIALS}}, "'tier' and 'tiers'"),
    "image_id and frame_image_id": (
        {"trials": {"image_id": np.arange(TRIALS), "frame_image_id": np.arange(TRIALS)[::-1]}}, "'image_id' and 'frame_image_id'",
    ),
    "Tier and tier": ({"trials": {"Tier": ["train"] * TRIALS, "tier ": ["test"] * TRIALS}}, "'Tier' and 'tier'"),
    "positions twice": (
        {"neurons": {"coordinates": np.zeros((NEURONS, 3)), "x": np.zeros(NEURONS)}}, "'coordinates' and 'x'",
    ),
    "unit_id and unit_ids": (
        {"neurons": {"unit_id": range(7), "unit_ids": range(7), **dict.fromkeys("xyz", np.zeros(NEURONS))}}, "'unit_id' and 'unit_ids'",
    ),
    "as many images as trials, numbered in another order": (
        {"images": np.random.default_rng(0).integers(0, 256, (TRIALS, 12, 20)), "trials": {"image_id": np.arange(TRIALS)[::-1]}},
        "in another order",
    ),
    "as many images as trials, some shown twice": (
        {"images": np.random.default_rng(0).integers(0, 256, (TRIALS, 12, 20)), "trials": {"image_id": np.arange(TRIALS) // 2}},
        "in another order",
    ),
    "masked responses": (
        {"responses": np.ma.masked_array(np.ones((TRIALS, NEURONS)), mask=np.eye(TRIALS, NEURONS, dtype=bool))}, "7 masked entries",
    ),
    "masked images": ({"images": np.ma.masked_less(np.zeros((TRIALS, 12, 20)), 1)}, "masked"),
    "masked positions": (
        {"neurons": {"coordinates": np.ma.masked_less(np.zeros((NEURONS, 3)), 1)}}, "neurons' coordinates have 21 masked",
    ),
    "masked image ids": ({"trials": {"image_id": np.ma.masked_less(np.arange(TRIALS), 5)}}, "trials' image_id have 5 masked"),
    "unit ids of 64 bits without a sign": (
        {"neurons": {"unit_id": np.arange(NEURONS, dtype=np.uint64) + 2**63, **dict.fromkeys("xyz", np.zeros(NEURONS))}},
        "does not fit 64 bits",
    ),
    "unit ids beyond 64 bits": (
        {"neurons": {"unit_id": [2**70 + i for i in range(NEURONS)], **dict.fromkeys("xyz", np.zeros(NEURONS))}}, "does not fit 64 bits",
    ),
    "image ids too large for a float": ({"trials": {"image_id": np.arange(TRIALS) + 2.0**60}}, "too large to be exact"),
    "ragged images": ({"images": [np.zeros((2, 2)), np.zeros((2, 3))] * 30}, "equal length"),
    "ragged coordinates": ({"neurons": {"coordinates": [[1, 2, 3]] * 6 + [[1, 2]]}}, "equal length"),
    "positions with decimal commas": (
        {"neurons": {"x": ["1,5"] * NEURONS, "y": range(NEURONS), "z": range(NEURONS)}}, "neurons' x has decimal commas, such as '1,5'",
    ),
    "positions that are words": (
        {"neurons": {"x": ["left"] * NEURONS, "y": range(NEURONS), "z": range(NEURONS)}}, "neurons' x holds 'left'",
    ),
    "a column of objects": ({"trials": {"what": [{}] * TRIALS}}, "dict objects"),
    "a session with a slash": ({"session": "a/b"}, "cannot name a session"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_invalid_arguments_are_refused(name: str, tmp_path: Path) -> None:
    change, message = BAD[name]
    with pytest.raises(InputError, match=message):
        striate.convert(**{**arrays(), **change}, out=tmp_path / "mouse.zip")
    assert list(tmp_path.iterdir()) == []


def test_ids_may_be_whole_floats_or_text() -> None:
    arguments = arrays()
    arguments["neurons"]["unit_id"] = np.arange(NEURONS) + 5.0
    recording = striate.convert(**arguments, trials={"image_id": [f"picture {row}" for row in range(TRIALS)]})
    assert recording.unit_ids.tolist() == list(range(5, 5 + NEURONS))
    assert recording.trials["image_id"].iloc[3] == "picture 3"


def test_ids_may_be_objects_or_nullable_columns(tmp_path: Path) -> None:
    arguments = arrays()
    ids = [np.int64(5), 6, 7.0, np.float32(8), 9, 10, 11]
    neurons = pd.DataFrame({**arguments["neurons"], "unit_id": pd.Series(ids, dtype=object)})
    neurons["depth"] = pd.array(range(NEURONS), dtype="Int64")
    trials = pd.DataFrame({"image_id": pd.Series([*range(TRIALS)], dtype=object)})
    arguments = {**arguments, "neurons": neurons, "trials": trials, "out": tmp_path / "a.zip"}
    arguments["images"] = np.random.default_rng(0).integers(0, 256, (TRIALS, 12, 20, 1), dtype=np.uint8)
    arguments["responses"] = arguments["responses"].astype(np.longdouble).tolist()
    recording = striate.convert(**arguments)
    assert recording.unit_ids.tolist() == list(range(5, 12))
    assert recording.neurons["depth"].tolist() == list(range(NEURONS))
    assert np.array_equal(recording.images[:, 0], arguments["images"][..., 0])


def test_column_names_ignore_case_and_spaces() -> None:
    arguments = arrays()
    neurons = {name.upper(): values for name, values in arguments["neurons"].items()}
    tiers = ["train"] * 30 + ["validation"] * 30
    recording = striate.convert(**{**arguments, "neurons": neurons}, trials={" Tier ": tiers})
    assert recording.trials["tier"].tolist() == tiers


def test_as_many_images_as_trials() -> None:
    arguments = arrays()
    shown = np.concatenate([np.arange(IMAGES), np.repeat(np.arange(4), 5)])
    labels = 5000 + np.random.default_rng(0).permutation(IMAGES)[shown]
    for ids in (shown, labels, [f"picture {i}" for i in shown]):
        recording = striate.convert(**arguments, trials={"image_id": ids})
        assert np.array_equal(recording.images[:, 0], arguments["images"])


@pytest.mark.parametrize(
    ("header", "message"), [("x,y,z,area,area", "two columns 'area'"), ("x,y,z, x", "two columns 'x'")]
)
def test_duplicate_columns_are_refused(header: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "neurons.csv").write_text(f"{header}\n" + ",".join("1" * len(header.split(","))) + "\n")
    with pytest.raises(InputError, match=message):
        read_table(tmp_path / "neurons.csv")


@pytest.mark.slow
def test_command_reads_npz_hdf5_and_single_files(tmp_path: Path) -> None:
    arguments = arrays()
    columns = {f"neurons/{name}": values for name, values in arguments["neurons"].items()}
    np.savez(tmp_path / "a.npz", images=arguments["images"], responses=arguments["responses"], **columns)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["images"], file["responses"] = arguments["images"], arguments["responses"]
        for name, values in columns.items():
            file[name] = values
        file["trials/tier"] = ["train"] * 30 + ["validation"] * 30
    np.save(tmp_path / "images.npy", arguments["images"])
    np.save(tmp_path / "responses.npy", arguments["responses"])
    pd.DataFrame(arguments["neurons"]).to_csv(tmp_path / "neurons.csv", index=False)
    single = ("--images", tmp_path / "images.npy", "--responses", tmp_path / "responses.npy", "--neurons", tmp_path / "neurons.csv")  # fmt: skip
    for number, source in enumerate(((tmp_path / "a.npz",), (tmp_path / "a.h5",), single)):
        out = tmp_path / f"{number}.zip"
        outcome = run_in_process("convert", *source, "--session", "12-3-1", "--out", out)
        assert outcome.status == 0, outcome
        assert np.allclose(striate.open(out).responses, arguments["responses"])
    assert striate.open(tmp_path / "1.zip").tiers == ("train", "validation")
    assert_one_sentence(
        run_in_process("convert", tmp_path / "a.npz", "--session", "12-3-1", "--out", tmp_path / "0.zip"),
        "exists already",
    )


def unreadable(folder: Path) -> dict[str, Path]:
    files = {
        name: folder / name for name in ("cut.npz", "text.h5", "pickle.npz", "single.npz", "unknown.npz", "few.npz")
    }
    np.savez(files["cut.npz"], images=np.zeros((5, 5, 5)))
    files["cut.npz"].write_bytes(files["cut.npz"].read_bytes()[:100])
    files["text.h5"].write_text("not HDF5")
    np.savez(files["pickle.npz"], images=np.array([{}], dtype=object))
    with files["single.npz"].open("wb") as handle:
        np.save(handle, np.zeros(3))
    np.savez(files["unknown.npz"], pictures=np.zeros(3))
    np.savez(files["few.npz"], images=np.zeros((3, 4, 5)))
    return {**files, "absent.npz": folder / "absent.npz"}


def test_command_refuses_unreadable_files(tmp_path: Path) -> None:
    for name, path in unreadable(tmp_path).items():
        out = tmp_path / "out.zip"
        assert_one_sentence(run_in_process("convert", path, "--session", "1-1-1", "--out", out), name)
        assert not out.exists()
    assert_one_sentence(run_in_process("convert", "--session", "1-1-1", "--out", tmp_path / "out.zip"), "not given")


def test_read_array_refuses_tables(tmp_path: Path) -> None:
    (tmp_path / "behavior.csv").write_text("pupil,running\n1,2\n")
    (tmp_path / "empty.npy").touch()
    for name in ("behavior.csv", "empty.npy"):
        with pytest.raises(InputError, match=f"{name} is no .npy array: save it with numpy.save") as refusal:
            read_array(tmp_path / name)
        assert "pickle" not in str(refusal.value)


def test_input_files_are_never_overwritten(tmp_path: Path) -> None:
    arguments = arrays()
    np.savez(tmp_path / "all.npz", images=arguments["images"], responses=arguments["responses"], **arguments["neurons"])
    before = (tmp_path / "all.npz").read_bytes()
    place = tmp_path / "all.npz"
    command = ("convert", place, "--session", "1-1-1", "--out", place, "--overwrite")
    assert_one_sentence(run_in_process(*command), "would be overwritten")
    with pytest.raises(InputError, match="would be a folder in spite of its suffix"):
        striate.convert(**arguments, out=place, overwrite=True)
    assert place.read_bytes() == before
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    recording = striate.convert(**arguments)
    with pytest.raises(InputError, match="something other than a recording"):
        striate.write(recording, tmp_path / "thesis", overwrite=True)
    assert (tmp_path / "thesis" / "chapter.txt").exists()


def test_negative_seed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must not be negative, got -1"):
        striate.convert(**arrays(), seed=-1)


def test_wrong_separator_is_named(tmp_path: Path) -> None:
    (tmp_path / "neurons.csv").write_text("x;y;z\n1;2;3\n")
    with pytest.raises(InputError, match="seems to be separated by ';'"):
        read_table(tmp_path / "neurons.csv")


@pytest.mark.parametrize("out", ["mouse.zip", "mouse"])
def test_column_named_like_a_path_stays_in_the_output_folder(tmp_path: Path, out: str) -> None:
    arguments = arrays()
    np.save(tmp_path / "images.npy", arguments["images"])
    np.save(tmp_path / "responses.npy", arguments["responses"])
    names = ("../../../../evil", "/tmp/evil", "dF/F", "C:evil", "..", "a\\b", "README")
    neurons = pd.DataFrame({**arguments["neurons"], **{name: range(NEURONS) for name in names}})
    neurons.to_csv(tmp_path / "neurons.csv", index=False)
    place = tmp_path / "deep" / "inside"
    sources = [f"--{name}={tmp_path / name}.npy" for name in ("images", "responses")]
    outcome = run_in_process(
        "convert", *sources, f"--neurons={tmp_path}/neurons.csv", "--session=12-3-1", f"--out={place / out}"
    )
    assert outcome.status == 0, outcome
    written = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*")}
    assert written == {"images.npy", "responses.npy", "neurons.csv", "deep"}
    assert not list(tmp_path.parent.glob("evil*"))
    assert set(names) <= set(striate.open(place / out).neurons.columns)


def test_command_writes_no_invalid_recording(tmp_path: Path) -> None:
    arguments = arrays()
    columns = {f"neurons/{name}": values for name, values in arguments["neurons"].items()}
    tiers = ["train"] * 30 + ["test"] * 30  # the same images in both
    np.savez(
        tmp_path / "a.npz",
        images=arguments["images"],
        responses=arguments["responses"],
        **columns,
        **{"trials/tier": tiers},
    )
    outcome = run_in_process("convert", tmp_path / "a.npz", "--session", "12-3-1", "--out", tmp_path / "out.zip")
    assert outcome.status == 1
    assert "image-across-tiers" in outcome.out
    assert "wrote nothing" in outcome.out
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def measured_states() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "running_speed": rng.random(TRIALS),
            "pupil_dilation_derivative": rng.random(TRIALS),
            "pupil_dilation": rng.random(TRIALS),
            "vertical": rng.random(TRIALS),
            "horizontal": rng.random(TRIALS),
        }
    )


def test_behavior_columns_are_selected_by_name() -> None:
    states = measured_states()
    for values in (states, {name: states[name].to_numpy() for name in states}):
        recording = striate.convert(**arrays(), behavior=values, pupil_center=values)
        ordered = ["pupil_dilation", "pupil_dilation_derivative", "running_speed"]
        np.testing.assert_array_equal(recording.behavior, states[ordered])
        np.testing.assert_array_equal(recording.pupil_center, states[["horizontal", "vertical"]])
    numbered = states.iloc[:, :3].set_axis(range(3), axis="columns")
    np.testing.assert_array_equal(striate.convert(**arrays(), behavior=numbered).behavior, numbered)
    with pytest.raises(InputError, match="no component 'whisking'"):
        striate.convert(**arrays(), behavior=states.iloc[:, :3].rename(columns={"running_speed": "whisking"}))


def test_labels_of_neurons_and_trials_are_matched() -> None:
    arguments = arrays()
    neurons = pd.DataFrame(arguments["neurons"]).assign(unit_id=[13, 5, 8, 21, 3, 2, 1])
    trials = pd.DataFrame({"trial_idx": np.arange(TRIALS)}, index=np.arange(TRIALS) + 100)
    responses = pd.DataFrame(arguments["responses"], columns=neurons["unit_id"], index=trials.index)
    expected = striate.convert(**{**arguments, "neurons": neurons})
    shuffled = responses.sample(frac=1, axis=0, random_state=0).sample(frac=1, axis=1, random_state=0)
    states = measured_states().set_index(trials.index)
    for columns in (shuffled.columns, shuffled.columns.astype(str)):
        recording = striate.convert(
            **{**arguments, "neurons": neurons, "responses": shuffled.set_axis(columns, axis="columns")},
            trials=trials,
            behavior=states.sample(frac=1, random_state=1),
        )
        np.testing.assert_array_equal(recording.responses, expected.responses)
        np.testing.assert_array_equal(recording.behavior[:, 2], states["running_speed"])
    by_trial = responses.set_axis(np.arange(TRIALS) * 3).sample(frac=1, random_state=2)
    numbered = {"trial_idx": np.arange(TRIALS) * 3}
    recording = striate.convert(**{**arguments, "neurons": neurons, "responses": by_trial}, trials=numbered)
    np.testing.assert_array_equal(recording.responses, expected.responses)
    named = responses.set_axis(
        [f"cell {number}" for number in range(NEURONS)], axis="columns"
    )  # no unit ids: as they stand
    np.testing.assert_array_equal(
        striate.convert(**{**arguments, "neurons": neurons, "responses": named}).responses, arguments["responses"]
    )
    with pytest.raises(InputError, match="no unit ids of the neurons"):
        striate.convert(**{**arguments, "neurons": neurons, "responses": responses.rename(columns={13: 14})})
    with pytest.raises(InputError, match="rows of responses and of trials have different labels"):
        striate.convert(**{**arguments, "responses": responses.rename(index={100: 99})}, trials=trials)


def test_ids_may_be_the_index_of_a_table() -> None:
    arguments = arrays()
    neurons = pd.DataFrame(arguments["neurons"], index=pd.Index([13, 5, 8, 21, 3, 2, 1], name="Unit_ID"))
    trials = pd.DataFrame({"shown_at": 0.0}, index=pd.RangeIndex(7, 7 + TRIALS, name="trial_idx"))
    recording = striate.convert(**{**arguments, "neurons": neurons}, trials=trials)
    assert recording.unit_ids.tolist() == [13, 5, 8, 21, 3, 2, 1]
    assert recording.trials["trial_idx"].tolist() == list(range(7, 7 + TRIALS))
    with pytest.raises(InputError, match="columns of 2 levels"):
        striate.convert(
            **arguments, trials=trials.set_axis(pd.MultiIndex.from_tuples([("a", "shown_at")]), axis="columns")
        )


def test_bytes_are_decoded_and_missing_tiers_are_refused() -> None:
    tiers = np.array(["train"] * 30 + ["validation"] * 10 + ["test"] * 20)
    ids = np.arange(TRIALS)
    for values in (tiers.astype("S"), [tier.encode() for tier in tiers]):
        recording = striate.convert(**arrays(), trials={"tier": values, "image_id": ids})
        assert recording.trials["tier"].tolist() == tiers.tolist()
    with pytest.raises(InputError, match="tier is missing in rows 2"):
        striate.convert(**arrays(), trials={"tier": [*tiers[:2], None, *tiers[3:]], "image_id": ids})
    with pytest.raises(InputError, match=r"several types \(int, str\)"):
        mixed = pd.DataFrame({"note": [1, "a"] * (TRIALS // 2)})
        striate.convert(**arrays(), trials=mixed, out="never.zip")


def test_meta_tensors_are_refused() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(InputError, match="holds no values"):
        striate.convert(**{**arrays(), "responses": torch.zeros((TRIALS, NEURONS), device="meta")})


@pytest.mark.filterwarnings("error")
def test_responses_beyond_single_precision_are_kept(tmp_path: Path) -> None:
    arguments = arrays()
    recording = striate.convert(**{**arguments, "responses": arguments["responses"] * 1e39}, out=tmp_path / "mouse.zip")
    np.testing.assert_array_equal(recording.responses, arguments["responses"] * 1e39)


def test_rows_of_csv_are_never_shifted(tmp_path: Path) -> None:
    table = tmp_path / "neurons.csv"
    table.write_text("x,y,z\n9,1,2,3\n8,1,2,3\n")
    with pytest.raises(InputError, match="more fields than its header"):
        read_table(table)
    table.write_text("# exported today\nx,y,z\n1,2,3\n")
    with pytest.raises(InputError, match="more fields than its header"):
        read_table(table)
    table.write_text("x,y,z\n1,2,3,\n4,5,6,\n\n,,\n,,\n")  # as spreadsheets write them
    assert read_table(table).to_numpy().tolist() == [[1, 2, 3], [4, 5, 6]]


def test_text_that_could_mean_a_missing_value_is_kept(tmp_path: Path) -> None:
    table = tmp_path / "neurons.csv"
    table.write_text("x,area,layer,depth\n1,NA,None,NA\n2,V1,null,3\n3,,NA,\n")
    read = read_table(table)
    assert read["area"].iloc[:2].tolist() == ["NA", "V1"]
    assert read["area"].isna().tolist() == [False, False, True]
    assert read["layer"].tolist() == ["None", "null", "NA"]
    assert np.isnan(read["depth"].iloc[0])


def hdf5(path: Path, **more: Any) -> Path:
    arguments = arrays()
    with h5py.File(path, "w") as file:
        for name in ("images", "responses"):
            file[name] = arguments[name]
        for axis in "xyz":
            file[f"neurons/{axis}"] = arguments["neurons"][axis]
        for name, values in more.items():
            file[name.replace("__", "/")] = values
    return path


def test_hdf5_links_are_followed(tmp_path: Path) -> None:
    path = hdf5(tmp_path / "lab.h5", behavior=np.random.default_rng(0).random((TRIALS, 3)))
    with h5py.File(path, "a") as file:
        file["trials/pupil"] = np.arange(TRIALS)
        file["trials/frame"] = h5py.SoftLink("/trials/pupil")
        file["trials/again"] = file["trials/pupil"]
        file["neurons/all"] = h5py.SoftLink("/neurons")  # a circle
    table = read_arrays(path)["trials"]
    assert sorted(table) == ["again", "frame", "pupil"]
    assert all(values.tolist() == list(range(TRIALS)) for values in table.values())


@pytest.mark.parametrize(
    ("link", "message"),
    [
        (h5py.SoftLink("/nowhere"), "'trials/tier' as a broken link"),
        (h5py.ExternalLink("other.h5", "/tier"), "'trials/tier' as a link into 'other.h5'"),
    ],
)
def test_broken_hdf5_links_are_named(tmp_path: Path, link: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):  # without tiers, others would be drawn
        read_arrays(hdf5(tmp_path / "lab.h5", trials__tier=link))


def test_hdf5_enumerations_are_read_as_text(tmp_path: Path) -> None:
    path = hdf5(tmp_path / "lab.h5")
    with h5py.File(path, "a") as file:
        kind = h5py.enum_dtype({"pyramidal": 0, "interneuron": 1}, basetype="i1")
        file.create_dataset("neurons/kind", data=np.arange(NEURONS) % 2, dtype=kind)
        file["neurons/red"] = np.arange(NEURONS) < 2
    neurons = read_arrays(path)["neurons"]
    assert neurons["kind"].tolist() == (["pyramidal", "interneuron"] * NEURONS)[:NEURONS]
    assert neurons["red"].tolist() == [True, True, *[False] * (NEURONS - 2)]


def test_unreadable_hdf5_datasets_are_named(tmp_path: Path) -> None:
    def with_filter(file: h5py.File) -> None:
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_chunk((TRIALS, 3))
        plan.set_filter(32001, h5py.h5z.FLAG_OPTIONAL)
        space = h5py.h5s.create_simple((TRIALS, 3))
        dataset = h5py.h5d.create(file.id, b"behavior", h5py.h5t.NATIVE_DOUBLE, space, plan)
        dataset.write_direct_chunk((0, 0), np.ones((TRIALS, 3)).tobytes())

    cases = {
        "rows of different lengths": lambda file: file.create_dataset("trials/a", (TRIALS,), h5py.vlen_dtype(float)),
        "references": lambda file: file.create_dataset("trials/b", (TRIALS,), h5py.ref_dtype),
        "without values": lambda file: file.create_dataset("trials/c", data=h5py.Empty("f")),
        "number 32001": with_filter,
    }
    for message, add in cases.items():
        path = hdf5(tmp_path / "lab.h5")
        with h5py.File(path, "a") as file:
            add(file)
        with pytest.raises(InputError, match=message):
            read_arrays(path)
