"""A file of the wrong kind is recognised by its content, and the sentence says what to do with it."""

import gzip
import io
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.command import assert_one_sentence, run_in_process
from tests.fixtures.messages import assert_short

import striate
from striate._internal.file_types import FILE_TYPES, detect_file_type, detect_type_of_bytes
from striate.errors import InputError
from striate.recordings import check
from striate.recordings.array_files import read_array, read_arrays, read_table
from striate.submissions.open import open_submission, open_truth


def _folder(*names: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.mkdir()
        for name in names:
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(b"x")

    return make


def _zip(*names: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, b"x")

    return make


def _raw(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def _hdf5(path: Path, **attributes: str) -> None:
    with h5py.File(path, "w") as file:
        file["general"] = 1
        file.attrs.update(attributes)


def _tar(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("x"), io.BytesIO())


def _objects(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.array([{}], dtype=object), allow_pickle=True)


def _legacy_torch(path: Path) -> None:
    import torch

    torch.save({"a": torch.zeros(2)}, path, _use_new_zipfile_serialization=False)


def _torch(path: Path) -> None:
    import torch

    torch.save({"a": torch.zeros(2)}, path)


# file: (how to make it, its kind)
FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "v5.mat": (_raw(b"MATLAB 5.0 MAT-file, Platform: PCWIN64".ljust(128) + b"\0" * 64), "matlab5"),
    "session.nwb": (lambda path: _hdf5(path, nwb_version="2.6.0"), "nwb"),
    "other.h5": (_hdf5, "hdf5"),
    "objects.npy": (_objects, "pickled-npy"),
    "data.pkl": (lambda path: path.write_bytes(pickle.dumps({"a": 1})), "pickle"),
    "old.pth": (_legacy_torch, "torch"),
    "new.pth": (_torch, "torch"),
    "neurons.xlsx": (_zip("[Content_Types].xml", "xl/workbook.xml"), "excel"),
    "neurons.xls": (_raw(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 504), "excel"),
    "picture.png": (_raw(b"\x89PNG\r\n\x1a\n" + b"\0" * 50), "image"),
    "stack.tiff": (_raw(b"II*\0" + b"\0" * 50), "image"),
    "data.npy.gz": (lambda path: path.write_bytes(gzip.compress(b"x" * 99)), "gzip"),
    "data.tar": (_tar, "archive"),
    "data.7z": (_raw(b"7z\xbc\xaf\x27\x1c" + b"\0" * 50), "archive"),
    "saved.zip": (_raw(b"\r\n<!DOCTYPE html>\n<html>log in</html>"), "html"),
    "annexed.zip": (_raw(b"/annex/objects/MD5E-s416000000--d41d8cd98f00b204e9800998ecf8427e.zip\n"), "annex"),
    "linked.npy": (_raw(b"../../.git/annex/objects/aa/bb/MD5-s1--00"), "annex"),
    "lfs.zip": (_raw(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"), "lfs"),
    "empty.zip": (_raw(b""), "empty"),
    "cut.zip": (_raw(b"PK\x03\x04" + b"\0" * 50), "damaged-zip"),
    "s2p": (_folder("suite2p/plane0/F.npy", "suite2p/plane0/stat.npy"), "suite2p"),
    "plane0": (_folder("F.npy", "stat.npy", "spks.npy"), "suite2p"),
    "cube.zarr": (_folder(".zgroup", "images/.zarray"), "zarr"),
    "pictures": (_folder("1.png", "2.png", "notes.txt"), "images"),
    "run": (_folder("recipe.toml"), "run"),
}


@pytest.fixture(params=FILES)
def wrong(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    make, kind = FILES[request.param]
    make(tmp_path / request.param)
    return tmp_path / request.param, kind


def test_every_reader_says_what_a_file_is(wrong: tuple[Path, str]) -> None:
    path, name = wrong
    kind = detect_file_type(path)
    assert kind == FILE_TYPES[name]
    readers: list[Callable[[Path], object]] = [read_table, open_submission, open_truth, striate.open]
    readers += [read_array] if name != "empty" else []  # "no .npy array" says enough
    readers += [read_arrays] if name not in ("hdf5", "damaged-zip") else []  # it reads these, and says what is wrong
    for reader in readers:
        with pytest.raises(InputError) as refusal:
            reader(path)
        said = str(refusal.value)
        assert kind.description.split(",")[0] in said, reader
        assert "allow_pickle" not in said
        assert "unsafe" not in said
        assert_short(refusal.value, path)
    (finding,) = check(path).with_severity("error")
    assert kind.description in finding.message
    assert finding.fix.lower().startswith(kind.advice[:20].lower())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["v5.mat", "session.nwb", "s2p", "saved.zip"])
def test_the_commands_say_it_in_one_sentence(name: str, tmp_path: Path) -> None:
    make, kind = FILES[name]
    make(tmp_path / name)
    path, out = tmp_path / name, tmp_path / "out"
    description = FILE_TYPES[kind].description
    for arguments in (
        ("convert", path, "--session", "1-1-1", "--out", out),
        ("convert", "--responses", path, "--session", "1-1-1", "--out", out),
        ("convert", "--neurons", path, "--session", "1-1-1", "--out", out),
        ("info", path),
        ("score", path, path),
        ("train", "ln", path, "--out", out),
    ):
        assert_one_sentence(run_in_process(*arguments), description)
    assert not out.exists()


def test_files_of_the_right_kind_are_recognised(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(3))
    np.savez(tmp_path / "a.npz", images=np.zeros(3))
    pd.DataFrame({"x": [1], "y": [2]}).to_csv(tmp_path / "a.csv", index=False)
    pd.DataFrame({"x": [1], "y": [2]}).to_csv(tmp_path / "a16.csv", index=False, encoding="utf-16")
    pd.DataFrame({"x": [1], "y": [2]}).to_parquet(tmp_path / "a.parquet")
    for name, kind in (("a.npy", "npy"), ("a.npz", "npz"), ("a.csv", "table"), ("a.parquet", "parquet")):
        assert detect_file_type(tmp_path / name) == FILE_TYPES[kind]
    for name in ("a.csv", "a16.csv", "a.parquet"):
        assert read_table(tmp_path / name).to_dict("list") == {"x": [1], "y": [2]}


@given(st.binary(max_size=300))
def test_any_bytes_may_be_asked_about(content: bytes) -> None:
    kind = detect_type_of_bytes(content)
    assert kind is None or kind.advice
    assert (kind == FILE_TYPES["empty"]) == (not content)
