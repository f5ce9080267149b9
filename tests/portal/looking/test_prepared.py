"""What is prepared of a recording is right, and shows nothing that is withheld."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image

from striate.data.standardisation import Standardisation
from striate.metrics import jackknife_oracle
from striate.recordings import Recording, write
from tests.competition.examples import TRACK
from tests.fixtures.recordings import colour_recording
from tests.portal.looking.prepared import STEP, TIERS, Looked, looked


def test_the_raster_has_the_responses_in_every_order(full: Recording, shown: Looked) -> None:
    expected = Standardisation.from_recording(full).responses(full.responses)
    orders = set(shown.summary["raster"]["levels"])
    assert orders == {f"{t}-{n}" for t in ("image", "time") for n in ("depth", "reliability", "response")}
    for order in orders:
        trials, neurons = (
            shown.column(f"{kind}.{name}") for kind, name in zip(("trials", "neurons"), order.split("-"), strict=True)
        )
        assert sorted(trials) == list(range(len(full.trials)))
        assert sorted(neurons) == list(range(len(full.neurons)))
        np.testing.assert_allclose(shown.level(order), np.minimum(expected[trials][:, neurons], 25), atol=STEP)
    tiers = [TIERS.index(each) for each in full.trials["tier"].iloc[shown.column("trials.image")]]
    assert tiers == sorted(tiers)
    images = full.trials.iloc[shown.column("trials.image")]
    assert (images.groupby("tier", sort=False)["image_id"].apply(lambda ids: ids.is_monotonic_increasing)).all()
    assert full.trials["trial_idx"].iloc[shown.column("trials.time")].is_monotonic_increasing
    assert full.neurons["z"].iloc[shown.column("neurons.depth")].is_monotonic_increasing


def test_the_columns_have_what_numpy_says(full: Recording, shown: Looked) -> None:
    values = Standardisation.from_recording(full).responses(full.responses)
    np.testing.assert_allclose(shown.column("neuron.response"), values.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(shown.column("trial.response"), values.mean(axis=1), rtol=1e-5)
    np.testing.assert_array_equal(shown.column("neuron.z"), full.neurons["z"].astype(np.float32))
    np.testing.assert_array_equal(shown.column("behavior.running speed"), full.behavior[:, 2])
    np.testing.assert_array_equal(shown.column("pupil_center.vertical"), full.pupil_center[:, 1])
    test = full.trials["tier"].isin(TIERS[2:]).to_numpy()
    oracle = jackknife_oracle(values[test], full.trials["image_id"].to_numpy()[test])
    np.testing.assert_allclose(shown.column("neuron.reliability"), oracle.values, rtol=1e-4)
    assert shown.names["units"] == full.neurons["unit_id"].tolist()
    assert shown.names["trials"] == full.trials["trial_idx"].tolist()
    summary = shown.summary
    assert {each["name"]: (each["trials"], each["images"], each["public"]) for each in summary["tiers"]} == {
        "train": (60, 60, 60),
        "validation": (10, 10, 10),
        "test": (24, 6, 24),
        "final_test": (20, 5, 20),
    }
    assert sum(summary["responses"]["counts"]) == values.size
    few = summary["responses"]["counts"][:4]
    assert few == np.histogram(values, np.array(summary["responses"]["edges"][:5]))[0].tolist()
    assert (summary["responses"]["zeros"], summary["withheld"]) == (0, [])


@pytest.mark.slow
def test_thumbnails_stand_in_the_order_of_the_tables(full: Recording, shown: Looked) -> None:
    sheets = shown.summary["sheets"]
    height, width = sheets["height"], sheets["width"]
    assert (height, width) == full.image_shape, "small images are shown as they are"
    ids, tiers, number = shown.names["images"], shown.column("image.tier"), 0
    for code, tier in enumerate(TIERS):
        for place in range(sheets["tiers"][tier]):
            sheet = np.asarray(Image.open(shown.folder / f"images-{tier}-{place // 48}.png"))
            y, x = (place % 48) // sheets["across"] * height, (place % 48) % sheets["across"] * width
            rows = np.flatnonzero((full.trials["tier"] == tier) & (full.trials["image_id"] == ids[number]))
            np.testing.assert_array_equal(sheet[y : y + height, x : x + width], full.images[rows[0], 0])
            assert tiers[number] == code
            assert shown.column("image.shown")[number] == len(rows)
            assert (shown.column("trial.image")[rows] == number).all()
            assert shown.column("image.mean")[number] == pytest.approx(full.images[rows[0]].mean())
            number += 1
    assert number == len(ids)


def _changed(recording: Recording, rows: NDArray[np.bool_], **arrays: NDArray[Any]) -> Recording:
    kept = {name: np.array(values) for name, values in recording.arrays.items()}
    for name, values in arrays.items():
        kept[name][rows] = values[rows]
    return Recording(recording.session, recording.neurons, recording.trials, **kept)


@pytest.mark.slow
def test_nothing_withheld_leaves_a_trace(full: Recording, tmp_path: Path) -> None:
    """Were the withheld responses and behaviour in a published archive by mistake, not one byte of what is shown would depend on them."""
    rng = np.random.default_rng(4)
    test, all_rows = full.trials["tier"].isin(TIERS[2:]).to_numpy(), np.ones(len(full.trials), dtype=bool)
    noise = {
        name: rng.gamma(2.0, 1.0, full.arrays[name].shape).astype(np.float32) for name in ("responses", "behavior")
    }
    other = _changed(_changed(full, test, responses=noise["responses"]), all_rows, behavior=noise["behavior"])
    zero = _changed(full, test, responses=np.zeros_like(full.responses))
    made = []
    for number, recording in enumerate((full, other, zero)):
        (tmp_path / str(number)).mkdir()
        made.append(looked(recording, tmp_path / str(number), track=True, withheld=("behavior",)))
    files = sorted(each.name for each in made[0].folder.iterdir())
    for one in made[1:]:
        assert sorted(each.name for each in one.folder.iterdir()) == files
        for file in files:
            if file != "summary.json":
                assert (one.folder / file).read_bytes() == (made[0].folder / file).read_bytes(), file
        about = [{**each.summary, "findings": None} for each in (made[0], one)]
        assert about[0] == about[1]
    summary = made[0].summary
    assert summary["withheld"] == ["behavior"]
    assert not any("pupil dilation" in name or "running" in name for name in summary["columns"])
    assert {each["variable"] for each in summary["statistics"]} == {"images", "responses", "pupil_center"}
    assert [each["public"] for each in summary["tiers"]] == [60, 10, 0, 0]


def test_withheld_responses_are_shown_as_withheld_and_not_as_zeros(full: Recording, tmp_path: Path) -> None:
    test = full.trials["tier"].isin(TIERS[2:]).to_numpy()
    public = looked(_changed(full, test, responses=np.zeros_like(full.responses)), tmp_path)
    assert "withheld-tier" in {each["rule"] for each in public.summary["findings"]}
    level = public.level("image-depth")
    hidden = test[public.column("trials.image")]
    assert np.isnan(level[hidden]).all()
    assert np.isfinite(level[~hidden]).all()
    assert np.isnan(public.column("trial.response")[test]).all()
    values = Standardisation.from_recording(full).responses(full.responses)[~test]
    np.testing.assert_allclose(public.column("neuron.response"), values.mean(axis=0), rtol=1e-5)
    assert "no image was shown more than once" in public.summary["reliability"]["reason"]
    assert set(public.summary["raster"]["levels"]) == {
        f"{t}-{n}" for t in ("image", "time") for n in ("depth", "response")
    }


def test_a_recording_is_drawn_by_its_own_benchmark(tmp_path: Path) -> None:
    """Tiers, behaviour and channels are those of a benchmark of which nothing is like SENSORIUM 2022."""
    recording = colour_recording()
    spec, made = recording.benchmark, looked(recording, tmp_path)
    summary = made.summary
    assert summary["failed"] == ""
    assert summary["benchmark"]["tiers"] == list(spec.tier_order)
    assert [each["name"] for each in summary["tiers"]] == ["fit", "stop", "seen", "unseen", "gratings"]
    tiers = [spec.tier_order[code] for code in made.column("trial.tier")]
    assert tiers == recording.trials["tier"].tolist()
    assert summary["withheld"] == []
    for name, components in (("behavior", spec.behavior_names), ("pupil_center", ("azimuth", "elevation"))):
        for place, component in enumerate(components):
            values = recording.arrays[name][:, place].astype(np.float32)
            np.testing.assert_array_equal(made.column(f"{name}.{component}"), values)
    assert {(each["variable"], each["component"], each["unit"]) for each in summary["statistics"]} == {
        ("images", "uv", "pixel value"),
        ("images", "green", "pixel value"),
        ("responses", "", "raw units"),
        *(("behavior", component, "raw units") for component in spec.behavior_names),
        *(("pupil_center", component, "raw units") for component in spec.pupil_center_names),
    }
    ids = made.names["images"]
    for number in (0, len(ids) - 1):
        image = recording.images[(recording.trials["image_id"] == ids[number]).to_numpy()][0]
        for place, channel in enumerate(image):
            assert made.column(f"image.mean.{place}")[number] == pytest.approx(channel.mean())
            assert made.column(f"image.contrast.{place}")[number] == pytest.approx(channel.std())
        assert made.column("image.mean")[number] == pytest.approx(image.mean())
    first = recording.images[(recording.trials["image_id"] == ids[0]).to_numpy()][0]
    sheets = [np.asarray(Image.open(made.folder / f"images-fit-0{end}.png"))[:32, :48] for end in ("", "-0", "-1")]
    np.testing.assert_array_equal(sheets[0], np.stack([first[0], first[1], first[0]], axis=-1))
    np.testing.assert_array_equal(sheets[1:], first)


def test_of_a_track_only_tiers_that_decide_a_board_are_hidden(tmp_path: Path) -> None:
    made = looked(colour_recording(), tmp_path, track=True)
    public = {each["name"]: each["public"] > 0 for each in made.summary["tiers"]}
    assert public == {"fit": True, "stop": True, "seen": False, "unseen": False, "gratings": True}


@pytest.mark.parametrize("channels", [("uv",), ("red", "green", "blue"), ("a", "b", "c", "d", "e")])
def test_images_of_any_number_of_channels_are_drawn(tmp_path: Path, channels: tuple[str, ...]) -> None:
    """By a benchmark that has no behaviour and no eye position, and whose pixels and responses may be negative."""
    rng = np.random.default_rng(0)
    tiers = np.repeat(["train", "validation", "test"], [6, 2, 4])
    recording = Recording(
        "one",
        pd.DataFrame({"unit_id": [1, 2], "x": [0.0, 1], "y": [0.0, 1], "z": [0.0, 1]}),
        pd.DataFrame({"tier": tiers, "image_id": [*range(8), 8, 8, 9, 9], "trial_idx": np.arange(12)}),
        rng.uniform(-1, 1, (12, len(channels), 9, 16)).astype(np.float32),
        rng.normal(size=(12, 2)).astype(np.float32),
        benchmark={
            "name": "plain",
            "stimulus": {"channels": channels, "range": [-1, 1]},
            "standardisation": {"responses": "none"},
        },
    )
    made = looked(recording, tmp_path)
    summary = made.summary
    assert summary["failed"] == ""
    assert (summary["withheld"], summary["benchmark"]["variables"]) == ([], {})
    assert not summary["benchmark"]["standardised"]
    files = {each.name for each in made.folder.glob("images-train-*")}
    apart = {f"images-train-0-{place}.png" for place in range(len(channels))} if len(channels) > 1 else set()
    assert files == {"images-train-0.png", *apart}
    mode = "RGB" if len(channels) > 1 else "L"
    assert Image.open(made.folder / "images-train-0.png").mode == mode


def test_what_is_no_recording_is_said_to_be_none(full: Recording, tmp_path: Path) -> None:
    from striate.portal.looking.prepare import prepare

    archive = tmp_path / "broken.zip"
    write(full, archive)
    archive.write_bytes(archive.read_bytes()[:-400])
    (tmp_path / "out").mkdir()
    (tmp_path / "aside").mkdir()
    prepare(archive, tmp_path / "out", tmp_path / "aside", TRACK, track=False, withheld=())
    summary = Looked(tmp_path / "out").summary
    assert summary["failed"]
    assert summary["findings"]
