"""Written recordings are deterministic, complete, and have all files that the tools of 2022 need."""

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fixtures.archives import members_of
from tests.fixtures.messages import assert_short
from tests.fixtures.recordings import small_recording

import striate
from striate.errors import InputError
from striate.recordings import Recording, check, layout, write
from striate.recordings.archive import open_archive
from striate.recordings.tables import read_tables


def test_same_content_gives_same_bytes(tmp_path: Path) -> None:
    first = write(small_recording(), tmp_path / "a" / "x.zip")
    second = write(small_recording(), tmp_path / "b" / "x.zip")
    assert first.read_bytes() == second.read_bytes()
    write(small_recording(), tmp_path / "c")
    write(small_recording(), tmp_path / "d")
    files = sorted(p.relative_to(tmp_path / "c") for p in (tmp_path / "c").rglob("*.npy"))
    assert len(files) == 4 * 66 + 7 + 4 + 40
    for file in files:
        assert (tmp_path / "c" / file).read_bytes() == (tmp_path / "d" / file).read_bytes()


def test_official_name_top_folder_and_members(tmp_path: Path, recording: Recording) -> None:
    tmp_path.mkdir(exist_ok=True)
    path = write(recording, tmp_path)
    assert path.name == "static7-1-1-GrayImageNet-94c6ff995dac583098847cfecd43e7b6.zip"
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        assert all(name.startswith(path.stem + "/") for name in names)
        assert {i.date_time for i in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    below = {name.split("/", 1)[1] for name in names}
    assert set(layout.standard_meta_members()) <= below
    assert {f"data/{v}/{t}.npy" for v in layout.VARIABLES for t in range(66)} <= below


def test_types_are_those_of_the_tools_of_2022(recording: Recording) -> None:
    import io

    files = members_of(recording)
    kinds = {
        "data/images/0.npy": (np.uint8, (1, 18, 32)),
        "data/responses/0.npy": (np.float32, (12,)),
        "data/behavior/0.npy": (np.float64, (3,)),
        "data/pupil_center/0.npy": (np.float64, (2,)),
        "meta/neurons/cell_motor_coordinates.npy": (np.float64, (12, 3)),
        "meta/statistics/images/all/mean.npy": (np.float64, ()),
        "meta/statistics/responses/all/std.npy": (np.float64, (12,)),
    }
    for name, (dtype, shape) in kinds.items():
        array = np.load(io.BytesIO(files[name]), allow_pickle=False)
        assert (array.dtype, array.shape) == (np.dtype(dtype), shape), name
    assert np.load(io.BytesIO(files["meta/trials/tiers.npy"])).dtype.kind == "U"


@pytest.mark.slow
def test_existing_files_are_refused(tmp_path: Path, recording: Recording) -> None:
    path = write(recording, tmp_path / "a.zip")
    before = path.read_bytes()
    with pytest.raises(InputError, match="exists already"):
        write(small_recording(seed=9), path)
    assert path.read_bytes() == before
    write(small_recording(seed=9), path, overwrite=True)
    assert path.read_bytes() != before
    folder = write(recording, tmp_path / "folder")
    with pytest.raises(InputError, match="exists already"):
        write(small_recording(seed=9), folder)
    write(small_recording(seed=9), folder, overwrite=True)
    assert striate.open(folder).fingerprint == small_recording(seed=9).fingerprint


def test_failed_write_leaves_no_files(tmp_path: Path, recording: Recording) -> None:
    recording.trials["frame_image_class"] = [object()] * len(recording.trials)
    for name in ("a.zip", "b"):
        with pytest.raises(InputError, match="frame_image_class"):
            write(recording, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_stored_statistics_are_kept(tmp_path: Path, recording: Recording) -> None:
    opened = striate.open(write(recording, tmp_path / "a.zip"))
    statistics = dict(opened.statistics)
    odd = Recording(
        opened.session, opened.neurons, opened.trials, opened.images, opened.responses * 2, opened.behavior,
        opened.pupil_center, statistics=statistics,
    )  # fmt: skip
    again = striate.open(write(odd, tmp_path / "b.zip"))
    assert np.array_equal(again.statistics["responses"].std, statistics["responses"].std)


def test_zip_suffix_may_be_upper_case(tmp_path: Path, recording: Recording) -> None:
    assert zipfile.is_zipfile(write(recording, tmp_path / "lr0.5.ZIP"))
    assert write(recording, tmp_path / "v1.5").is_dir(), "a dot in the name of a folder is no ending"
    assert striate.open(tmp_path / "lr0.5.ZIP").fingerprint == striate.open(tmp_path / "v1.5").fingerprint


@pytest.mark.slow
@given(st.dictionaries(st.text(min_size=1, max_size=12), st.floats(allow_nan=False), max_size=4))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_column_is_read_back_or_refused(
    tmp_path_factory: pytest.TempPathFactory, columns: dict[str, float]
) -> None:
    made = small_recording(neurons=2, training=2, validation=0, test_images=1, repeats=2, shape=(2, 2))
    for name, value in columns.items():
        made.neurons[name] = value
    before = made.neurons.copy()
    place = tmp_path_factory.mktemp("written")
    try:
        write(made, place / "in" / "deep" / "er" / "folder")
    except InputError as refusal:
        assert_short(refusal, place)
        assert [path for path in place.rglob("*") if path.is_file()] == []
        return
    assert {path.relative_to(place).parts[:4] for path in place.rglob("*.npy")} == {("in", "deep", "er", "folder")}
    with open_archive(place / "in" / "deep" / "er" / "folder") as archive:
        tables = read_tables(archive)
    assert tables.neurons is not None
    pd.testing.assert_frame_equal(tables.neurons, before, check_like=True, check_dtype=False)


@pytest.mark.parametrize(
    ("table", "columns", "message"),
    [
        ("trials", {"tiers": "train"}, "columns 'tier' and 'tiers'.*same file"),
        ("trials", {"Block": 1, "block": 2}, "columns 'Block' and 'block'.*case"),
        ("neurons", {"unit_ids": 1}, "columns 'unit_id' and 'unit_ids'"),
        ("neurons", {"Cell_Motor_Coordinates": 1}, "'Cell_Motor_Coordinates'.*same"),
        ("neurons", {"a\u202eb": 1}, r"'a.u202eb' cannot be stored"),
        ("neurons", {"\n": 1}, "it is empty"),
    ],
)
@pytest.mark.parametrize("target", ["a.zip", "folder"])
def test_columns_that_cannot_be_file_names_are_refused(
    tmp_path: Path, recording: Recording, table: str, columns: dict[str, object], message: str, target: str
) -> None:
    for name, value in columns.items():
        getattr(recording, table)[name] = value
    with pytest.raises(InputError, match=message):
        write(recording, tmp_path / target)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_recording_refused_by_inspect_is_not_written(tmp_path: Path, recording: Recording) -> None:
    def refuse(written: Path) -> None:
        assert check(written).ok
        raise InputError("no")

    for name in ("a.zip", "folder"):
        with pytest.raises(InputError, match="no"):
            write(recording, tmp_path / name, inspect=refuse)
    assert list(tmp_path.iterdir()) == []


def test_column_that_begins_with_readme_is_kept(tmp_path: Path, recording: Recording) -> None:
    recording.trials["licence_plate"] = 1
    recording.trials["readme"] = 2
    recording.trials["License"] = 3
    assert {"licence_plate", "readme", "License"} <= set(striate.open(write(recording, tmp_path / "a.zip")).trials)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mouse.npz", "mouse.tar.gz", "mouse.H5", "mouse.mat"])
def test_suffixes_of_other_formats_are_refused(recording: Recording, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"would be a folder.*ends in \.zip"):
        striate.write(recording, tmp_path / name)
    assert not (tmp_path / name).exists()
    assert striate.write(recording, tmp_path / "mouse.v2").is_dir()
