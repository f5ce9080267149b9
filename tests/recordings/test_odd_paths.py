"""Recordings under unusual paths: names that are not UTF-8, long names, links, Windows zips."""

import os
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tests.fixtures.archives import TOP, members_of
from tests.fixtures.recordings import small_recording
from tests.submissions.examples import example

import striate
from striate._internal.atomic_write import atomic_write, atomic_write_folder, utf8_path
from striate.errors import InputError
from striate.recordings import check, write
from striate.recordings.archive import iterate_files
from striate.submissions import Submission
from striate.submissions.formats import sensorium_csv

no_utf8 = pytest.mark.skipif(sys.platform != "linux", reason="names of files are UTF-8 there")


@pytest.mark.slow
@no_utf8
@pytest.mark.parametrize("name", [b"a\xff.zip", b"folder\xfe"])
def test_path_that_is_not_utf8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: bytes) -> None:
    folder = tmp_path / os.fsdecode(b"data\xff")
    monkeypatch.setenv("STRIATE_CACHE", str(folder / "cache"))
    made = small_recording()
    path = write(made, folder / os.fsdecode(name))
    report = check(path)
    assert report.ok
    report.to_json().encode()
    for _ in range(2):  # packed, and read from the cache
        assert striate.open(path).fingerprint == made.fingerprint
    with pytest.raises(InputError):
        striate.open(folder / os.fsdecode(b"absent\xff"))


@no_utf8
def test_prediction_files_under_a_path_that_is_not_utf8(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"out\xff")
    _, submission, _ = example()
    submission.write(folder / os.fsdecode(b"p\xff.parquet"))
    assert Submission.read(folder / os.fsdecode(b"p\xff.parquet")).fingerprint == submission.fingerprint
    sensorium_csv.write(submission, folder / "csv")
    assert sensorium_csv.read(folder / "csv").fingerprint == submission.fingerprint
    with utf8_path(folder / os.fsdecode(b"p\xff.parquet")) as readable:
        assert Path(readable.encode().decode()).read_bytes()[:4] == b"PAR1"


@pytest.mark.slow
@pytest.mark.parametrize("length", [241, 255])
def test_long_names(tmp_path: Path, length: int) -> None:
    made = small_recording(neurons=3, training=4, validation=2, test_images=1, repeats=2)
    for name in ("x" * (length - 4) + ".zip", "y" * length):
        path = write(made, tmp_path / name)
        write(made, path, overwrite=True)
        assert striate.open(path).fingerprint == made.fingerprint
    assert len(list(tmp_path.iterdir())) == 2


def test_too_long_name_is_refused(tmp_path: Path) -> None:
    for writer in (atomic_write, atomic_write_folder):
        with pytest.raises(InputError, match="more than 255 bytes"), writer(tmp_path / ("x" * 256)) as aside:
            (aside / "file" if aside.is_dir() else aside).write_bytes(b"x")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError):
        striate.open(tmp_path / ("x" * 256))


@pytest.mark.slow
@pytest.mark.parametrize("linked", ["data", "data/images", "meta", "meta/neurons"])
def test_linked_folders(tmp_path: Path, linked: str) -> None:
    made = small_recording()
    path = write(made, tmp_path / "here" / "recording")
    (tmp_path / "elsewhere").mkdir()
    (path / linked).rename(tmp_path / "elsewhere" / "part")
    (path / linked).symlink_to(tmp_path / "elsewhere" / "part")
    (path / "data" / "around").symlink_to(path)  # a circle
    assert check(path).ok
    assert striate.open(path).fingerprint == made.fingerprint


@pytest.mark.slow
def test_change_of_a_linked_file_is_detected(tmp_path: Path) -> None:
    path = write(small_recording(), tmp_path / "here" / "recording")
    (path / "data" / "images").rename(tmp_path / "images")
    (path / "data" / "images").symlink_to(tmp_path / "images")
    before = striate.open(path).images[0].copy()
    file = tmp_path / "images" / "0.npy"
    np.save(file, 255 - np.load(file))
    assert np.array_equal(striate.open(path).images[0], 255 - before)


@pytest.mark.slow
@pytest.mark.parametrize("some", [True, False])
def test_zip_with_windows_separators(tmp_path: Path, some: bool) -> None:
    made = small_recording()
    path = tmp_path / "static7-1-1-x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{TOP}\\data\\", b"")
        for name, content in members_of(made).items():
            info = zipfile.ZipInfo("x")
            info.filename = f"{TOP}\\{name}".replace("/", "\\") if not some or "data" in name else f"{TOP}/{name}"
            archive.writestr(info, content)
    assert check(path).ok
    assert striate.open(path).fingerprint == made.fingerprint


@pytest.mark.parametrize("name", ["..\\evil.npy", "C:\\evil.npy", "\\evil.npy", "data\\..\\..\\evil.npy"])
def test_windows_path_traversal_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "static7-1-1-x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in {**members_of(small_recording()), name: b"x"}.items():
            archive.writestr(f"{TOP}/{member}" if member != name else name, content)
    assert "path-traversal" in check(path).rules


def test_shared_cases_with_windows_separators(shared: Path) -> None:
    assert len(striate.open(shared / "cases" / "windows-names.zip").neurons) > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["...zip", "README.zip", "a\\b.zip", "a\nb.zip", " .zip"])
def test_zip_of_any_name_can_be_opened(tmp_path: Path, name: str) -> None:
    made = small_recording(neurons=3, training=4, validation=2, test_images=1, repeats=2)
    assert striate.open(write(made, tmp_path / name)).fingerprint == made.fingerprint


def test_folder_without_recording_is_not_searched_recursively(tmp_path: Path) -> None:
    """It may be a home folder, or a whole disk."""
    (tmp_path / "projects" / "one").mkdir(parents=True)
    for name in ("a.txt", "projects/b.txt", "projects/one/deep.txt"):
        (tmp_path / name).write_text("x")
    assert [file.name for file in iterate_files(tmp_path)] == ["a.txt", "b.txt"]
    with pytest.raises(InputError, match="neither `data/` nor `meta/`"):
        striate.open(tmp_path)
    (tmp_path / "projects" / "meta" / "trials").mkdir(parents=True)
    assert [file.name for file in iterate_files(tmp_path)] == ["a.txt", "b.txt", "deep.txt"]
