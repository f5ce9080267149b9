"""MATLAB arrays are read with their axis order, or refused if it is ambiguous."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.fixtures.command import assert_one_sentence, run_in_process
from tests.fixtures.messages import assert_short

import striate
from striate.errors import InputError
from striate.recordings.array_files import read_arrays
from striate.recordings.axis_order import transpose_axes

TRIALS, NEURONS, HEIGHT, WIDTH = 40, 5, 18, 32


def arrays(trials: int = TRIALS, neurons: int = NEURONS, height: int = HEIGHT, width: int = WIDTH) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "images": rng.integers(0, 256, (trials, height, width)).astype(np.uint8),
        "responses": rng.exponential(1, (trials, neurons)),
        "coordinates": rng.uniform(0, 500, (neurons, 3)),
    }


def write_matlab(path: Path, variables: dict[str, Any], *, header: bool = True, attributes: bool = True) -> Path:
    """Write arrays as MATLAB does with -v7.3: axes reversed, each with its class, after a header of 512 bytes."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, values in variables.items():
            if isinstance(values, list):  # a cell array of character vectors, as a column
                cells = [file.create_dataset(f"#refs#/{name}{i}", data=_codes(word)) for i, word in enumerate(values)]
                for cell in cells:
                    cell.attrs["MATLAB_class"] = np.bytes_("char")
                references = np.array([[cell.ref for cell in cells]], dtype=h5py.ref_dtype)
                dataset, kind = file.create_dataset(name, data=references), "cell"
            else:
                array = np.asarray(values)
                array = array.reshape(-1, 1) if array.ndim == 1 else array  # MATLAB has no fewer than two axes
                dataset, kind = file.create_dataset(name, data=array.T), "double"
            if attributes:
                dataset.attrs["MATLAB_class"] = np.bytes_(kind)
    if header:
        with path.open("r+b") as raw:
            raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\x02IM")
    return path


def _codes(word: str) -> np.ndarray:
    return np.frombuffer(word.encode("utf-16-le"), dtype=np.uint16).reshape(-1, 1)


@pytest.mark.slow
@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("trials_first", [True, False])
def test_trials_first_and_trials_last_in_matlab(tmp_path: Path, trials_first: bool, header: bool) -> None:
    made = arrays()
    tiers = ["train"] * 30 + ["validation"] * 10
    variables = {
        "images": made["images"] if trials_first else np.moveaxis(made["images"], 0, 2),
        "responses": made["responses"] if trials_first else made["responses"].T,
        "neurons/coordinates": made["coordinates"] if trials_first else made["coordinates"].T,
        "behavior": np.ones((TRIALS, 3)) if trials_first else np.ones((3, TRIALS)),
        "trials/tier": tiers,
        "trials/block": np.arange(TRIALS),
    }
    path = write_matlab(tmp_path / "a.mat", variables, header=header)
    outcome = run_in_process("convert", path, "--session", "12-3-1", "--out", tmp_path / "out.zip")
    assert outcome.status == 0, outcome
    assert f"{HEIGHT} × {WIDTH} pixels" in outcome.out
    recording = striate.open(tmp_path / "out.zip")
    assert np.array_equal(recording.images[:, 0], made["images"])
    assert np.array_equal(recording.responses, made["responses"])
    assert np.array_equal(recording.coordinates, made["coordinates"])
    assert recording.trials["tier"].tolist() == tiers
    assert recording.trials["block"].tolist() == list(range(TRIALS))


def test_distinct_images_in_matlab(tmp_path: Path) -> None:
    made = arrays()
    ids = np.arange(TRIALS) % 20
    variables = {
        "images": np.moveaxis(made["images"][:20], 0, 2),
        "responses": made["responses"].T,
        "neurons/coordinates": made["coordinates"].T,
        "trials/image_id": ids,
    }
    given_arrays = read_arrays(write_matlab(tmp_path / "a.mat", variables))
    recording = striate.convert(session="1-1-1", **given_arrays)
    assert np.array_equal(recording.images[:, 0], made["images"][ids])


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(st.tuples(st.integers(4, 7), st.integers(2, 7), st.integers(2, 7), st.integers(2, 7)), st.booleans())
def test_matlab_axes_are_inferred_or_refused(
    tmp_path_factory: pytest.TempPathFactory, sizes: tuple[int, int, int, int], trials_first: bool
) -> None:
    trials, neurons, height, width = sizes
    assume(height <= width)
    made = arrays(trials, neurons, height, width)
    variables = {
        "images": made["images"] if trials_first else np.moveaxis(made["images"], 0, 2),
        "responses": made["responses"] if trials_first else made["responses"].T,
        **{f"neurons/{axis}": made["coordinates"][:, i] for i, axis in enumerate("xyz")},
    }
    path = write_matlab(tmp_path_factory.mktemp("m") / "a.mat", variables)
    try:
        recording = striate.convert(session="1-1-1", **read_arrays(path))
    except InputError as refusal:
        assert trials == neurons or trials in (height, width)
        assert_short(refusal, path)
        stated = ("THW", "TN") if trials_first else ("HWT", "NT")
        given_arrays = read_arrays(path, image_axes=stated[0], response_axes=stated[1])
        recording = striate.convert(session="1-1-1", **given_arrays)
    assert np.array_equal(recording.images[:, 0], made["images"])
    assert np.array_equal(recording.responses, made["responses"])


def test_exchanged_height_and_width_are_refused_unless_given(tmp_path: Path) -> None:
    made = arrays()
    with h5py.File(tmp_path / "a.h5", "w") as file:  # as h5write of MATLAB stores H × W × T, without a mark of its own
        file["images"] = np.moveaxis(made["images"], 2, 1)
        file["responses"] = made["responses"]
        file["neurons/coordinates"] = made["coordinates"]
    call = ("convert", tmp_path / "a.h5", "--session", "1-1-1", "--out", tmp_path / "out.zip")
    assert_one_sentence(run_in_process(*call), "32 pixels high and 18 wide", "--image-axes")
    assert not (tmp_path / "out.zip").exists()
    assert run_in_process(*call, "--image-axes", "TWH").status == 0
    assert np.array_equal(striate.open(tmp_path / "out.zip").images[:, 0], made["images"])


@pytest.mark.parametrize("axes", ["HWT", "THW", "WTH", "hwt"])
def test_given_axes(axes: str) -> None:
    made = arrays()
    order = ["THW".index(letter) for letter in axes.upper()]
    recording = striate.convert(
        session="1-1-1",
        images=made["images"].transpose(order),
        image_axes=axes,
        responses=made["responses"].T,
        response_axes="NT",
        neurons={"coordinates": made["coordinates"]},
    )
    assert np.array_equal(recording.images[:, 0], made["images"])
    assert np.array_equal(recording.responses, made["responses"])


@pytest.mark.parametrize("axes", ["", "TH", "HWTC", "NHW", "TTT"])
def test_invalid_axes_are_refused(axes: str) -> None:
    with pytest.raises(InputError, match=r"give the letters of THW.*T trials or images"):
        transpose_axes(np.zeros((2, 3, 4)), axes, "THW", "images")


def test_cells_without_text_are_refused(tmp_path: Path) -> None:
    path = write_matlab(tmp_path / "a.mat", {"images": ["a", "b"]})
    with h5py.File(path, "r+") as file:
        del file["#refs#/images0"].attrs["MATLAB_class"]
        file["#refs#/images0"].attrs["MATLAB_class"] = np.bytes_("struct")
        del file["#refs#/images1"]
    with pytest.raises(InputError) as refusal:
        read_arrays(path)
    assert_short(refusal.value, path)


def test_columns_and_rows_of_hdf5_are_vectors(shared: Path, tmp_path: Path) -> None:
    made = arrays()
    for number, shape in enumerate(((-1, 1), (1, -1))):
        with h5py.File(tmp_path / f"{number}.h5", "w") as file:
            file["images"], file["responses"] = made["images"], made["responses"]
            for index, axis in enumerate("xyz"):
                file[f"neurons/{axis}"] = made["coordinates"][:, index].reshape(shape)
            file["trials/image_id"] = np.arange(TRIALS).reshape(shape)
        recording = striate.convert(session="1-1-1", **read_arrays(tmp_path / f"{number}.h5"))
        assert np.array_equal(recording.coordinates, made["coordinates"])
    for name in ("matlab_hwt.h5", "col.h5"):
        recording = striate.convert(session="1-1-1", **read_arrays(shared / "cases" / name))
        assert recording.image_shape == (18, 32)
