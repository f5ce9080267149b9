"""Detect file types by signature, for error messages about files of the wrong type."""

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from striate._internal.zip_files import open_zip
from striate.errors import InputError

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
NPY_SIGNATURE = b"\x93NUMPY"

_START = 4096  # bytes read from the start of a file


@dataclass(frozen=True)
class FileType:
    """Type of a file or folder.

    Attributes
    ----------
    name
        Short name, such as ``"matlab5"``.
    description
        Noun phrase with article, such as ``"a MATLAB file of version 5 to 7"``.
    advice
        What the user can do with such a file: imperative clauses without a full stop.
    general
        Whether the advice applies to any expected type; if False, it applies where a recording is expected.
    """

    name: str
    description: str
    advice: str
    general: bool = False


_CONVERT = "make a recording of it with `striate convert`"
_UNPACK = "unpack it first"
_NO_PICKLE = "striate never loads pickles, which can run any code: save plain arrays with numpy.save or numpy.savez"

_TYPES = (
    FileType("empty", "an empty file", "write or download it again", general=True),
    FileType(
        "annex", "a git-annex pointer instead of the data", "fetch the content first (git annex get)", general=True
    ),
    FileType("lfs", "a Git LFS pointer instead of the data", "fetch the content first (git lfs pull)", general=True),
    FileType(
        "html",
        "a web page",
        "download the file again; the host sent a page instead, perhaps because it was down or wants a log-in",
        general=True,
    ),
    FileType("npy", "a NumPy array", "give the arrays to `striate convert` by --images, --responses and so on"),
    FileType("pickled-npy", "a NumPy file of pickled Python objects", _NO_PICKLE, general=True),
    FileType("npz", "a NumPy archive of arrays (.npz)", _CONVERT),
    FileType("pickle", "a Python pickle", _NO_PICKLE, general=True),
    FileType("torch", "a PyTorch file", "give data; weights belong to striate.models"),
    FileType("hdf5", "an HDF5 file", _CONVERT),
    FileType("matlab73", "a MATLAB file of version 7.3", _CONVERT),
    FileType(
        "matlab5",
        "a MATLAB file of version 5 to 7",
        "load it in MATLAB, save it again with the option '-v7.3', and give that to `striate convert`",
    ),
    FileType(
        "nwb",
        "an NWB file",
        "read its images and responses with pynwb, one row a trial, and give the arrays to striate.convert",
    ),
    FileType(
        "excel", "an Excel workbook", "save the sheet as CSV (comma-separated, with decimal points)", general=True
    ),
    FileType("image", "a single image", "stack all images into one array (trials, height, width), and use numpy.save"),
    FileType("gzip", "a gzip file", _UNPACK, general=True),
    FileType("archive", "a compressed archive (not a zip)", f"{_UNPACK}, or pack it as a zip", general=True),
    FileType("damaged-zip", "a zip that is cut off or damaged", "download or make it again", general=True),
    FileType("zip", "a zip", "give a zip of a recording in the SENSORIUM 2022 layout"),
    FileType("parquet", "a Parquet file", "give it where a table, predictions or a truth is wanted"),
    FileType("pdf", "a PDF", "give the data"),
    FileType("json", "a JSON file", "give the data"),
    FileType("utf16", "text in UTF-16", "save it as UTF-8", general=True),
    FileType("table", "a text table (CSV or TSV)", "give it where a table of neurons, trials or predictions is wanted"),
    FileType("text", "a text file", "give the data"),
    FileType(
        "suite2p",
        "a Suite2p folder",
        "average the activity in spks.npy over each trial, and give the array to `striate convert --responses`",
    ),
    FileType("zarr", "a Zarr folder", "read its arrays with zarr, and give them to striate.convert"),
    FileType("images", "a folder of images", "stack them into one array (trials, height, width), and use numpy.save"),
    FileType("run", "a run that striate train wrote", "give it to `striate predict` or `striate report`"),
    FileType("ensemble", "an ensemble of runs", "give it to `striate predict` or `striate report`"),
    FileType("competition", "the folder of a competition", "give one of the archives in it"),
    FileType("store", "a packed store, which striate made from an archive", "give the archive"),
    FileType("empty-folder", "an empty folder", "give the file, or the folder that holds it"),
    FileType("folder", "a folder", "give a file"),
)
FILE_TYPES = {kind.name: kind for kind in _TYPES}

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image"),
    (b"\xff\xd8\xff", "image"),
    (b"II*\0", "image"),
    (b"MM\0*", "image"),
    (b"II+\0", "image"),
    (b"GIF8", "image"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "excel"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "archive"),
    (b"\xfd7zXZ\0", "archive"),
    (b"7z\xbc\xaf\x27\x1c", "archive"),
    (b"Rar!\x1a\x07", "archive"),
    (b"\x28\xb5\x2f\xfd", "archive"),
    (b"PAR1", "parquet"),
    (b"%PDF", "pdf"),
    (b"\xff\xfe", "utf16"),
    (b"\xfe\xff", "utf16"),
    (b"MATLAB 5.0 MAT-file", "matlab5"),
    (b"MATLAB 7.3 MAT-file", "matlab73"),
    (HDF5_SIGNATURE, "hdf5"),
    (b"version https://git-lfs.github.com/spec/", "lfs"),
)
_ANNEX = re.compile(rb"^[^\n]{0,200}annex/objects/")
_LEGACY_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_IMAGES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif")


def detect_file_type(path: Path) -> FileType | None:
    """Detect the type of a file or folder by its content; None if it is unknown or unreadable."""
    try:
        if path.is_dir():
            return FILE_TYPES[_detect_folder(path)]
        with path.open("rb") as file:
            start = file.read(_START)
        name = _detect_start(start)
        if name == "zip":
            name = _detect_zip(path)
        elif name == "hdf5" or (name is None and _is_hdf5(path)):
            name = _detect_hdf5(path)
    except OSError:
        return None
    return FILE_TYPES[name] if name else None


def detect_type_of_bytes(start: bytes) -> FileType | None:
    """Detect the type of a file by its first bytes; None if it is unknown."""
    name = _detect_start(start)
    return FILE_TYPES[name] if name else None


def wrong_file_type(path: Path, wanted: str, otherwise: str, *, recording: bool = True) -> InputError:
    """Return the error for a file of an unexpected type.

    Parameters
    ----------
    path
        Existing file or folder.
    wanted
        Expected type with article, such as ``"a .npy array"``.
    otherwise
        Advice if the type has none: an imperative clause without a full stop.
    recording
        Whether a recording is expected. If False, only general advice is given.
    """
    kind = detect_file_type(path)
    but = f" but {kind.description}" if kind is not None else ""
    advice = kind.advice if kind is not None and (recording or kind.general) else otherwise
    return InputError(f"{path} is not {wanted}{but}: {advice}.")


def _detect_start(start: bytes) -> str | None:
    if not start:
        return "empty"
    if start.startswith(NPY_SIGNATURE):
        return "pickled-npy" if re.search(rb"'descr': *\[?[^}]*'\|O'", start[:1024]) else "npy"
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if found := next((name for signature, name in _SIGNATURES if start.startswith(signature)), None):
        return found
    if _ANNEX.match(start):
        return "annex"
    if start.startswith(_LEGACY_TORCH):
        return "torch"
    if start[0] == 0x80 and len(start) > 1 and start[1] in range(2, 6):
        return "pickle"
    if start[257:262] == b"ustar":
        return "archive"
    return _detect_text(start)


def _detect_text(start: bytes) -> str | None:
    if b"\0" in start:
        return None
    try:
        text = start[: start.rfind(b"\n") + 1 or len(start)].decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    beginning = text.lstrip()
    if re.match(r"<(!doctype|html|head|body|\?xml|!--)", beginning, re.IGNORECASE):
        return "html"
    if beginning[:1] in ("{", "["):
        return "json"
    lines = [line for line in text.splitlines()[:5] if line.strip()]
    counts = [{mark: line.count(mark) for mark in ",;\t"} for line in lines]
    if counts and any(all(count[mark] == counts[0][mark] > 0 for count in counts) for mark in ",;\t"):
        return "table"
    return "text"


def _detect_zip(path: Path) -> str:
    try:
        with open_zip(path) as opened:
            names = opened.namelist()
    except zipfile.BadZipFile:
        return "damaged-zip"
    if any(name.startswith("xl/") for name in names):
        return "excel"
    if any(name.endswith("/data.pkl") or name == "data.pkl" for name in names):
        return "torch"
    if names and all(name.endswith(".npy") for name in names) and (path.suffix == ".npz" or "/" not in names[0]):
        return "npz"
    return "zip"


def _is_hdf5(path: Path) -> bool:
    """Whether a file is HDF5 with a user block, whose size is 512 bytes times a power of two."""
    with path.open("rb") as file:
        for offset in (512, 1024, 2048, 4096):
            file.seek(offset)
            if file.read(len(HDF5_SIGNATURE)) == HDF5_SIGNATURE:
                return True
    return False


def _detect_hdf5(path: Path) -> str:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return "nwb" if "nwb_version" in file.attrs else "hdf5"
    except (OSError, RuntimeError, ValueError, KeyError):
        return "hdf5"


def _detect_folder(folder: Path) -> str:
    names = {entry.name for entry in folder.iterdir()}
    if not names:
        return "empty-folder"
    if "suite2p" in names or {"F.npy", "stat.npy"} <= names or any(folder.glob("plane*/stat.npy")):
        return "suite2p"
    if names & {".zgroup", ".zarray", "zarr.json"}:
        return "zarr"
    for mark, name in (
        ("recipe.toml", "run"),
        ("ensemble.json", "ensemble"),
        ("competition.toml", "competition"),
        ("recording.json", "store"),
    ):
        if mark in names:
            return name
    if sum(Path(name).suffix.lower() in _IMAGES for name in names) > len(names) / 2:
        return "images"
    return "folder"
