"""Recordings, their members, and the files that are converted to them."""

import io
import tempfile
from pathlib import Path
from unittest.mock import patch

import numpy as np

from tests.fuzz.targets.tables import tables
from tests.fuzz.targets.target import Target, bytes_of, reader_of


def recording(**changes: object) -> object:
    from tests.fixtures.recordings import small_recording

    return small_recording(neurons=3, training=3, validation=1, test_images=1, repeats=2, shape=(4, 6), **changes)  # type: ignore[arg-type]


def archives() -> list[bytes]:
    import striate

    return [bytes_of(lambda path: striate.write(recording(), path), "a.zip")]  # type: ignore[arg-type]


def check_zip(path: Path) -> None:
    import striate

    striate.check(path)
    with tempfile.TemporaryDirectory() as cache_, patch.dict("os.environ", STRIATE_CACHE=cache_):
        striate.open(path)


def npy() -> list[bytes]:
    from striate.recordings.npy_format import dump

    arrays = [np.arange(6.0).reshape(2, 3), np.array(["train", "test"]), np.zeros((2, 0), np.int16), np.array(3.5)]
    return [dump(array) for array in arrays]


def _parse_npy(path: Path) -> None:
    from striate.recordings import npy_format as npy

    npy.parse(path.read_bytes(), "a.npy")
    np.array(npy.memory_map(path))


def _member(name: str) -> Target:
    """A recording whose member `name` is the input."""

    def read(path: Path) -> None:
        from tests.fixtures.archives import members_of, write_zip

        files = members_of(recording())  # type: ignore[arg-type]
        files[name] = path.read_bytes()
        archive = path.with_name("static7-1-1-x.zip")
        write_zip(archive, files)
        check_zip(archive)

    def seeds() -> list[bytes]:
        from tests.fixtures.archives import members_of

        return [members_of(recording())[name]]  # type: ignore[arg-type]

    return Target(read, "a.npy", seeds)


def _store_manifest(path: Path) -> None:
    import striate
    from striate.errors import InputError
    from striate.recordings import pack
    from striate.recordings.archive import open_archive

    folder = path.parent / "store"
    if not folder.exists():
        folder.mkdir()
        striate.write(recording(), path.parent / "b.zip")  # type: ignore[arg-type]
        with open_archive(path.parent / "b.zip") as archive:
            pack.pack(archive, folder)
    (folder / pack.MANIFEST).write_bytes(path.read_bytes())
    try:
        pack.load(folder)
    except pack.DamagedStoreError as error:
        raise InputError(str(error)) from None


def _manifest_seed() -> list[bytes]:
    import striate
    from striate.recordings import pack
    from striate.recordings.archive import open_archive

    with tempfile.TemporaryDirectory() as folder:
        striate.write(recording(), Path(folder) / "b.zip")  # type: ignore[arg-type]
        store = Path(folder) / "store"
        store.mkdir()
        with open_archive(Path(folder) / "b.zip") as archive:
            pack.pack(archive, store)
        return [(store / pack.MANIFEST).read_bytes()]


def _npz() -> list[bytes]:
    from tests.fixtures.recordings import small_recording

    recording = small_recording(neurons=2, training=2, validation=1, test_images=1, repeats=2, shape=(3, 4))
    content = io.BytesIO()
    arrays = {
        "images": recording.images,
        "responses": recording.responses,
        "trials/tier": recording.trials["tier"].to_numpy(str),
    }
    np.savez_compressed(content, **arrays, **{f"neurons/{name}": recording.neurons[name] for name in "xyz"})
    return [content.getvalue()]


def hdf5() -> list[bytes]:
    import h5py

    def write(path: Path) -> None:
        with h5py.File(path, "w") as file:
            file["images"] = np.zeros((4, 3, 4), np.uint8)
            file["responses"] = np.zeros((4, 2))
            for name in "xyz":
                file[f"neurons/{name}"] = np.arange(2.0)
            file["trials/tier"] = ["train", "train", "test", "test"]

    return [bytes_of(write, "a.h5")]


def _mat73() -> list[bytes]:
    """A file of MATLAB 7.3: HDF5 behind 512 bytes of its own."""
    from tests.recordings.test_matlab import write_matlab

    images = np.arange(60, dtype=np.uint8).reshape(5, 3, 4)
    made = {"images": images, "responses": np.ones((5, 2)), "neurons/x": np.ones(2)}
    return [bytes_of(lambda path: write_matlab(path, made), "a.mat")]


def _any_kind() -> list[bytes]:
    """Files that are taken for something else, or for nothing."""
    matlab = b"MATLAB 5.0 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\1IM" + bytes(64)
    tiff = b"II*\0\x08\0\0\0" + bytes(32)
    return [matlab, tiff, b"\x80\x04\x95K\0.", b"%PDF-1.7\n", b"a,b\n1,2\n", *hdf5(), *_npz(), *archives(), *tables()]


def _what_it_is(path: Path) -> None:
    from striate._internal.file_types import detect_file_type, wrong_file_type

    detect_file_type(path)
    raise wrong_file_type(path, "a recording", "give a recording")


def _folder(path: Path) -> None:
    """A file of any kind within a folder that should be a recording."""
    import striate

    inner = path.parent / "folder" / "data" / "images"
    inner.mkdir(parents=True)
    path.rename(inner / "0.npy")
    striate.check(path.parent / "folder")


TARGETS: dict[str, Target] = {
    "recording": Target(check_zip, "static7-1-1-x.zip", archives),
    "npy": Target(_parse_npy, "a.npy", npy),
    "tiers": _member("meta/trials/tiers.npy"),
    "trial-indices": _member("meta/trials/trial_idx.npy"),
    "unit-ids": _member("meta/neurons/unit_ids.npy"),
    "coordinates": _member("meta/neurons/cell_motor_coordinates.npy"),
    "image": _member("data/images/0.npy"),
    "responses": _member("data/responses/1.npy"),
    "packed-store": Target(_store_manifest, "recording.json", _manifest_seed),
    "npz-to-convert": Target(reader_of("striate.recordings.array_files", "read_arrays"), "a.npz", _npz),
    "hdf5-to-convert": Target(reader_of("striate.recordings.array_files", "read_arrays"), "a.h5", hdf5),
    "csv-to-convert": Target(
        reader_of("striate.recordings.array_files", "read_table"),
        "a.csv",
        lambda: [b"unit_id,x,y,area\n1,2.5,3,V1\n2,1e3,4,LM\n"],
    ),
    "parquet-to-convert": Target(reader_of("striate.recordings.array_files", "read_table"), "a.parquet", tables),
    "npy-to-convert": Target(reader_of("striate.recordings.array_files", "read_array"), "a.npy", npy),
    "behavior": _member("data/behavior/1.npy"),
    "pupil-center": _member("data/pupil_center/1.npy"),
    "image-ids": _member("meta/trials/frame_image_id.npy"),
    "matlab-to-convert": Target(reader_of("striate.recordings.array_files", "read_arrays"), "a.mat", _mat73),
    "tsv-to-convert": Target(
        reader_of("striate.recordings.array_files", "read_table"), "a.tsv", lambda: [b"unit_id\tx\n1\t2.5\n"]
    ),
    "file-of-any-kind": Target(_what_it_is, "a", _any_kind),
    "folder": Target(_folder, "a", _any_kind),
}
