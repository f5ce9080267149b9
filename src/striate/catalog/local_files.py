"""What of a dataset is on this disk: the folders that it was fetched into, and a record of each file."""

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

_LONGEST_PLACE = 2**14  # bytes
STATE_FOLDER = ".striate"  # below a dataset's folder: records, and what is not whole yet


class FetchRecord(BaseModel):
    """What was found when a file was fetched.

    Attributes
    ----------
    file
        Its name in the dataset.
    size
        In bytes.
    sha256
        Hash of the content.
    modified
        Time of its last change, in nanoseconds: who changes the file changes that, too.
    fetched
        Date and time, UTC.
    address
        Where it came from; None if it was there already.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    file: str
    size: int
    sha256: str
    modified: int
    fetched: str
    address: str | None = None


class DatasetFolder:
    """A folder that a dataset is fetched into.

    Whole files stand at their names. Everything else is below ``.striate``: the record of each file, what was received
    so far of a file that is not whole, and files that were kept aside.

    Parameters
    ----------
    path
        The folder; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"<DatasetFolder {self.path}>"

    def file_path(self, file: DataFile) -> Path:
        """Where the whole file stands."""
        return self.path / file.name

    def state_path(self, file: DataFile, suffix: str) -> Path:
        """Path in the workshop for something that belongs to a file."""
        return self.path / STATE_FOLDER / f"{file.name}{suffix}"

    def read_record(self, file: DataFile) -> FetchRecord | None:
        """Record of a file; None if it was not fetched, or the record cannot be read."""
        try:
            return parse_as(FetchRecord, read_limited(self.state_path(file, ".json")))
        except (OSError, InputError):
            return None

    def write_record(self, file: DataFile, record: FetchRecord) -> None:
        """Write the record of a file."""
        with atomic_write(self.state_path(file, ".json"), overwrite=True) as aside:
            aside.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")

    def is_complete(self, file: DataFile) -> bool:
        """Whether a file is here, whole, and unchanged since it was verified."""
        record = self.read_record(file)
        try:
            status = self.file_path(file).stat()
        except OSError:
            return False
        return record is not None and (status.st_size, status.st_mtime_ns) == (record.size, record.modified)


def default_folder(name: str) -> Path:
    """Where a dataset is fetched to unless another folder is named."""
    return cache_folder() / "datasets" / name


def register_folder(name: str, folder: Path) -> None:
    """Note that a dataset is fetched into a folder, so that its recordings can be opened by name."""
    place = folder.absolute()
    if place == default_folder(name).absolute():
        return
    note = settings_folder() / "places" / name / hashlib.sha256(os.fsencode(place)).hexdigest()[:16]
    if not note.exists():
        with contextlib.suppress(InputError), atomic_write(note, overwrite=True) as aside:
            aside.write_bytes(os.fsencode(place))


def known_folders(name: str) -> list[DatasetFolder]:
    """Folders that a dataset was fetched into, the default one first."""
    found = [default_folder(name)]
    with contextlib.suppress(OSError):
        for note in sorted((settings_folder() / "places" / name).iterdir()):
            if not note.name.startswith("."):
                with contextlib.suppress(InputError):
                    place = read_limited(note, _LONGEST_PLACE)
                    found += [Path(os.fsdecode(place))] if place.startswith(b"/") and b"\0" not in place else []
    return [DatasetFolder(path) for path in found]


def preferred_folder(of: Dataset, files: Iterable[DataFile]) -> DatasetFolder:
    """Folder to fetch files of a dataset to where none is named: that which has most of them, mostly the default one."""
    chosen = list(files)
    return max(
        known_folders(of.name), key=lambda folder: sum(os.path.lexists(folder.file_path(file)) for file in chosen)
    )


def find_fetched(of: Dataset, file: DataFile) -> Path | None:
    """Path of a file of a dataset, if it is on this disk and whole."""
    for folder in known_folders(of.name):
        if folder.is_complete(file):
            return folder.file_path(file)
    return None
