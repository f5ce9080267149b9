"""Local copies of datasets: the folders that they were downloaded to, and a record of each downloaded file."""

import contextlib
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from striate._internal.atomic_write import atomic_write
from striate._internal.paths import cache_folder, settings_folder
from striate._internal.safe_parsing import parse_as, read_limited
from striate.catalog.dataset import DataFile, Dataset
from striate.errors import InputError

_MAX_PATH_BYTES = 2**14
STATE_FOLDER = ".striate"  # subfolder of a dataset's folder for records and partial files


class FetchRecord(BaseModel):
    """Record of a downloaded and verified file.

    Attributes
    ----------
    file
        Name of the file in the dataset.
    size
        Size in bytes.
    sha256
        SHA-256 of the file.
    modified
        Modification time in nanoseconds, by which later changes are detected.
    fetched
        Date and time of the download (UTC, ISO 8601).
    address
        URL or name of the folder that the file came from; None if the file existed before.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    file: str
    size: int
    sha256: str
    modified: int
    fetched: str
    address: str | None = None


class DatasetFolder:
    """Folder that a dataset is downloaded to.

    Complete files have their final names. The subfolder ``.striate`` holds the record of each file, partial files, and
    files whose hash the user has not accepted.

    Parameters
    ----------
    path
        Path of the folder; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"<DatasetFolder {self.path}>"

    def file_path(self, file: DataFile) -> Path:
        """Return the final path of a file."""
        return self.path / file.name

    def state_path(self, file: DataFile, suffix: str) -> Path:
        """Return the path of a state file that belongs to a file of the dataset, such as its record."""
        return self.path / STATE_FOLDER / f"{file.name}{suffix}"

    def read_record(self, file: DataFile) -> FetchRecord | None:
        """Return the record of a file; None if it has no readable record."""
        try:
            return parse_as(FetchRecord, read_limited(self.state_path(file, ".json")))
        except (OSError, InputError):
            return None

    def write_record(self, file: DataFile, record: FetchRecord) -> None:
        """Write the record of a file."""
        with atomic_write(self.state_path(file, ".json"), overwrite=True) as aside:
            aside.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")

    def is_complete(self, file: DataFile) -> bool:
        """Whether a file is present and unchanged since it was verified, by size and modification time."""
        record = self.read_record(file)
        try:
            status = self.file_path(file).stat()
        except OSError:
            return False
        return record is not None and (status.st_size, status.st_mtime_ns) == (record.size, record.modified)


def default_folder(name: str) -> Path:
    """Return the default destination folder of a dataset."""
    return cache_folder() / "datasets" / name


def register_folder(name: str, folder: Path) -> None:
    """Remember that a dataset was downloaded to a folder, so that its recordings can be opened by name."""
    place = folder.absolute()
    if place == default_folder(name).absolute():
        return
    note = settings_folder() / "places" / name / hashlib.sha256(os.fsencode(place)).hexdigest()[:16]
    if not note.exists():
        with contextlib.suppress(InputError), atomic_write(note, overwrite=True) as aside:
            aside.write_bytes(os.fsencode(place))


def known_folders(name: str) -> list[DatasetFolder]:
    """Return all folders that a dataset was downloaded to, the default folder first."""
    found = [default_folder(name)]
    with contextlib.suppress(OSError):
        for note in sorted((settings_folder() / "places" / name).iterdir()):
            if not note.name.startswith("."):
                with contextlib.suppress(InputError):
                    place = read_limited(note, _MAX_PATH_BYTES)
                    found += [Path(os.fsdecode(place))] if place.startswith(b"/") and b"\0" not in place else []
    return [DatasetFolder(path) for path in found]


def preferred_folder(of: Dataset, files: Iterable[DataFile]) -> DatasetFolder:
    """Return the destination folder to use when the user names none: the known folder with most of the files."""
    chosen = list(files)
    return max(
        known_folders(of.name), key=lambda folder: sum(os.path.lexists(folder.file_path(file)) for file in chosen)
    )


def find_fetched(of: Dataset, file: DataFile) -> Path | None:
    """Return the path of a complete local copy of a file, or None."""
    for folder in known_folders(of.name):
        if folder.is_complete(file):
            return folder.file_path(file)
    return None
