"""Withheld responses are found by what a file holds, whatever it is called and packed in; what is harmless is let through."""

import csv
import gzip
import io
import json
import lzma
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from pyarrow import feather, parquet
from tests.competition.examples import mouse

import striate
from striate.competition.fingerprints import response_hashes
from striate.competition.looking_into import Search
from striate.competition.withheld_responses import Population
from striate.recordings.layout import session_from_file_name

NEURONS, IMAGES = 14, 5
WITHHELD = np.random.default_rng(1).gamma(0.7, 1.3, (IMAGES * 4, NEURONS)).astype(np.float32)
TRACK = Population("sensorium", NEURONS, IMAGES)


def npy(values: NDArray[Any], **named: Any) -> bytes:
    target = io.BytesIO()
    np.save(target, values, **named)
    return target.getvalue()


def npz(values: NDArray[Any]) -> bytes:
    target = io.BytesIO()
    np.savez_compressed(target, one=values)
    return target.getvalue()


def zipped(**members: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target.getvalue()


def tarred(content: bytes, mode: str) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode=mode) as archive:  # type: ignore[call-overload]
        about = tarfile.TarInfo("some")
        about.size = len(content)
        archive.addfile(about, io.BytesIO(content))
    return target.getvalue()


def hdf5(fill: Callable[[Any], None], **named: Any) -> bytes:
    target = io.BytesIO()
    with h5py.File(target, "w", **named) as file:
        fill(file)
    return target.getvalue()


def each_neuron(file: Any) -> None:
    for number, column in enumerate(WITHHELD.T):
        file[f"cells/{number}"] = column


def table(columns: dict[str, Any]) -> bytes:
    target = io.BytesIO()
    parquet.write_table(pa.table(columns), target)
    return target.getvalue()


def wide(values: NDArray[Any]) -> dict[str, Any]:
    return {f"unit {number}": column for number, column in enumerate(values.T)}


def long(values: NDArray[Any]) -> dict[str, Any]:
    trial, unit = np.indices(values.shape)
    return {"trial": trial.ravel(), "unit": unit.ravel(), "response": values.ravel()}


def arrow(columns: dict[str, Any]) -> bytes:
    target = io.BytesIO()
    feather.write_feather(pa.table(columns), target, compression="zstd")
    return target.getvalue()


def text(rows: Any, *first: str, delimiter: str = ",") -> bytes:
    target = io.StringIO()
    csv.writer(target, delimiter=delimiter).writerows([first, *rows])
    return target.getvalue().encode()


def with_words_before(file: bytes) -> bytes:
    """As MATLAB writes HDF5."""
    target = io.BytesIO()
    with h5py.File(target, "w", userblock_size=512) as made:
        made["responses"] = WITHHELD
    content = bytearray(target.getvalue())
    content[: len(file)] = file
    return bytes(content)


FORMS: dict[str, Callable[[], bytes]] = {
    "NPY": lambda: npy(WITHHELD),
    "NPY, neurons first": lambda: npy(WITHHELD.T),
    "NPY, in the order of Fortran": lambda: npy(np.asfortranarray(WITHHELD)),
    "NPY of integers": lambda: npy(np.ceil(WITHHELD).astype(np.int16)),
    "NPY of averages": lambda: npy(WITHHELD.reshape(IMAGES, 4, NEURONS).mean(axis=1)),
    "NPY of images × repeats × neurons": lambda: npy(WITHHELD.reshape(IMAGES, 4, NEURONS)),
    "NPY, flat": lambda: npy(WITHHELD.ravel()),
    "NPY among zeros": lambda: npy(np.concatenate([np.zeros((90, NEURONS)), WITHHELD])),
    "NPY of objects": lambda: npy(WITHHELD.astype(object), allow_pickle=True),
    "NPZ": lambda: npz(WITHHELD),
    "a trial a file, zipped": lambda: zipped(**{f"{n}.npy": npy(row) for n, row in enumerate(WITHHELD)}),
    "zip in a zip": lambda: zipped(inner=zipped(other=npz(WITHHELD))),
    "NPY in gzip": lambda: gzip.compress(npy(WITHHELD)),
    "CSV in gzip in a zip": lambda: zipped(x=gzip.compress(text(WITHHELD.tolist()))),
    "tar": lambda: tarred(npy(WITHHELD), "w"),
    "tar.gz": lambda: tarred(npy(WITHHELD), "w:gz"),
    "HDF5": lambda: hdf5(lambda file: file.create_dataset("a/b", data=WITHHELD)),
    "HDF5, packed": lambda: hdf5(lambda file: file.create_dataset("a", data=WITHHELD.T, compression="gzip")),
    "HDF5 of neurons": lambda: hdf5(each_neuron),
    "MATLAB 7.3": lambda: with_words_before(b"MATLAB 7.3 MAT-file"),
    "HDF5 in a zip": lambda: zipped(x=hdf5(lambda file: file.create_dataset("a", data=WITHHELD))),
    "Parquet, a column a neuron": lambda: table(wide(WITHHELD)),
    "Parquet, a column an image": lambda: table(wide(WITHHELD.T)),
    "Parquet of lists": lambda: table({"trial": list(range(len(WITHHELD))), "r": WITHHELD.tolist()}),
    "Parquet, a row a response": lambda: table(long(WITHHELD)),
    "Parquet of structures": lambda: table({"r": [{"a": list(map(float, row))} for row in WITHHELD]}),
    "Arrow": lambda: arrow(wide(WITHHELD)),
    "Arrow of lists": lambda: arrow({"r": WITHHELD.tolist()}),
    "CSV": lambda: text(WITHHELD.tolist(), "a", "b"),
    "CSV with names of trials": lambda: text([[n, "x", *row] for n, row in enumerate(WITHHELD.tolist())]),
    "CSV of integers": lambda: text(np.ceil(WITHHELD).astype(int).tolist()),
    "CSV, neurons first": lambda: text(WITHHELD.T.tolist(), delimiter=";"),
    "CSV, a row a response": lambda: text([(1, 2, value) for value in WITHHELD.ravel().tolist()]),
    "JSON": lambda: json.dumps({"responses": WITHHELD.tolist()}).encode(),
    "pickle": lambda: pickle.dumps(WITHHELD),
    "raw": lambda: WITHHELD.tobytes(),
    "xz": lambda: lzma.compress(npy(WITHHELD)),
    "MATLAB 5": lambda: b"MATLAB 5.0 MAT-file, Platform: GLNXA64".ljust(128) + WITHHELD.tobytes(),
    "UTF-16": lambda: text(WITHHELD.tolist()).decode().encode("utf-16"),
    "cut off": lambda: hdf5(lambda file: file.create_dataset("a", data=WITHHELD))[:-100],
    "a zip that is cut off": lambda: zipped(x=WITHHELD.tobytes())[:-100],
    "words, then numbers": lambda: b"# Responses\n" * 400 + WITHHELD.tobytes(),
}


def look(content: bytes, folder: Path, *populations: Population) -> Any:
    file = folder / "harmless"
    file.write_bytes(content)
    return Search(populations or [TRACK], folder).look(file)


@pytest.mark.parametrize("form", FORMS)
def test_responses_are_found_in_every_form(form: str, tmp_path: Path) -> None:
    found = look(FORMS[form](), tmp_path)
    assert found is not None
    assert not found.certain
    assert found.why.isprintable()


@pytest.mark.parametrize("form", FORMS)
def test_of_other_neurons_nothing_is_found_but_what_cannot_be_looked_into(form: str, tmp_path: Path) -> None:
    """As many numbers of a track that has thousands of neurons are no tier of it."""
    assert look(FORMS[form](), tmp_path, Population("large", 7776, 100)) is None


HARMLESS: dict[str, Callable[[], bytes]] = {
    "README": lambda: b"# The mice\n\nTwo, of 90.5 days. See 10.1101/2022.1 and https://a.b/1.2.3.\n" * 8,
    "a table of neurons": lambda: text(np.random.default_rng(2).random((NEURONS, 3)).tolist(), "x", "y", "z"),
    "a picture": lambda: b"\x89PNG\r\n\x1a\n" + WITHHELD.tobytes(),
    "images": lambda: npy(np.ones((80, 1, 36, 64), np.uint8)),
    "behaviour": lambda: npy(np.ones((80, 3))),
    "a value a neuron": lambda: npy(np.ones(NEURONS)),
    "places of neurons": lambda: npy(np.ones((NEURONS, 3))),
    "responses that are withheld": lambda: npy(np.zeros((80, NEURONS))),
    "the same in HDF5": lambda: hdf5(lambda file: file.create_dataset("a", data=np.full((80, NEURONS), np.nan))),
    "names in HDF5": lambda: hdf5(lambda file: file.create_dataset("a", data=["a name"] * 100)),
    "too little to matter": lambda: bytes(NEURONS * IMAGES // 8 - 1),
    "nothing": lambda: b"",
    "a table of names": lambda: table(
        {"name": ["one"] * 100, "area": ["V1"] * 100, "at": pa.array([0] * 100, pa.timestamp("s"))}
    ),
}


@pytest.mark.parametrize("what", HARMLESS)
def test_what_is_harmless_is_let_through(what: str, tmp_path: Path) -> None:
    assert look(HARMLESS[what](), tmp_path) is None


def test_a_recording_of_other_neurons_is_let_through(tmp_path: Path) -> None:
    file = tmp_path / "static77-1-1-preproc0.zip"
    striate.write(mouse("77-1-1", finals=2, neurons=9), file)
    assert session_from_file_name(file.name)
    assert Search([TRACK], tmp_path).look(file) is None


def test_a_full_recording_is_found_without_its_name(tmp_path: Path) -> None:
    file = tmp_path / "harmless.zip"
    striate.write(mouse("11-1-1", finals=2, neurons=NEURONS), file)
    found = Search([TRACK], tmp_path).look(file)
    assert found is not None
    assert "data/responses/" in found.why


def test_a_trial_a_file_is_found_in_a_folder(tmp_path: Path) -> None:
    search, found = Search([TRACK], tmp_path), []
    for number, row in enumerate(WITHHELD):
        (tmp_path / f"{number}.npy").write_bytes(npy(row))
        found.append(search.look(tmp_path / f"{number}.npy"))
    assert found[: IMAGES - 1] == [None] * (IMAGES - 1)
    assert None not in found[IMAGES - 1 :]


KNOWN = Population("sensorium", NEURONS, IMAGES, frozenset(response_hashes(WITHHELD).tolist()))
ROW = WITHHELD[7:8]
WITH_ROW = np.concatenate([np.ones((2, NEURONS), np.float32), ROW])


@pytest.mark.parametrize(
    "content",
    [
        npy(WITH_ROW),
        npy(WITH_ROW[:, ::-1].T),
        npz(WITH_ROW),
        zipped(x=npy(ROW[0])),
        hdf5(lambda file: file.create_dataset("a", data=WITH_ROW)),
        table(wide(WITH_ROW)),
        table({"r": WITH_ROW.tolist()}),
        arrow({"r": WITH_ROW.tolist()}),
        text([[1, *map(repr, row)] for row in WITH_ROW.tolist()]),
    ],
    ids=["NPY", "neurons first, in another order", "NPZ", "one trial", "HDF5", "Parquet", "lists", "Arrow", "CSV"],
)
def test_who_has_the_vault_knows_a_single_trial_again(content: bytes, tmp_path: Path) -> None:
    assert look(content, tmp_path) is None, "without it, three rows are too few"
    found = look(content, tmp_path, KNOWN)
    assert found is not None
    assert found.certain
    assert look(npy(WITH_ROW[:2]), tmp_path, KNOWN) is None


def test_what_is_packed_endlessly_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.competition import looking_into

    monkeypatch.setattr(looking_into, "_MOST_UNPACKED", 2**20)
    found = look(gzip.compress(bytes(2**24)), tmp_path)
    assert found is not None
    assert "unpacks to more" in found.why
    content = npy(np.zeros((80, NEURONS)))
    assert look(content, tmp_path) is None
    for _ in range(9):
        content = zipped(x=content)
    found = look(content, tmp_path)
    assert found is not None
    assert "too deep" in found.why
    assert [each.name for each in tmp_path.iterdir()] == ["harmless"], "nothing is left of what was unpacked"


def test_a_claim_that_no_memory_could_hold_is_not_believed(tmp_path: Path) -> None:
    head = npy(WITHHELD).replace(b"(20, 14), ", b"(9999999999, 14), ")
    assert look(head, tmp_path) is not None


class Evil:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("was-run"),))


def test_no_object_is_ever_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    evil = np.array([Evil()] * 100, dtype=object)
    for content in (npy(evil, allow_pickle=True), zipped(x=npy(evil, allow_pickle=True)), pickle.dumps(Evil()) * 9):
        look(content, tmp_path)
    assert not (tmp_path / "was-run").exists()


def test_digits_in_hashes_and_words_are_no_numbers(tmp_path: Path) -> None:
    """As in a manifest: whatever the number of neurons is, some hash has as many runs of digits."""
    hashes = "\n".join(f'"file{number}": "{"a1" * NEURONS}",' for number in range(10 * IMAGES))
    assert look(hashes.encode(), tmp_path) is None
    assert look(hashes.replace("a1", "1 ").encode(), tmp_path) is not None
