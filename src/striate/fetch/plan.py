"""Plan a download: which files are missing, how many bytes, and whether the disk has room."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from striate._internal.progress_bars import format_size
from striate.catalog import DataFile, Dataset
from striate.catalog.local_files import DatasetFolder
from striate.errors import option
from striate.fetch.errors import LocalError
from striate.fetch.partial_file import PartialFile

State = Literal["whole", "there", "begun", "missing"]


@dataclass(frozen=True)
class PlannedFile:
    """State of one file before a download.

    Attributes
    ----------
    file
        Catalogue entry of the file.
    state
        ``"whole"``: complete and verified; ``"there"``: present, but not verified; ``"begun"``: partly downloaded;
        ``"missing"``.
    received
        Bytes on disk.
    size
        Total size in bytes, possibly approximate; None if unknown.

    Examples
    --------
    >>> from striate.catalog import DataFile
    >>> from striate.fetch import PlannedFile
    >>> PlannedFile(DataFile(name="a.zip"), "begun", received=512, size=2048).state
    'begun'
    """

    file: DataFile
    state: State
    received: int
    size: int | None


@dataclass(frozen=True)
class Plan:
    """What a download will do. Made by `plan_fetch`.

    Attributes
    ----------
    dataset
        Dataset to download.
    folder
        Destination folder.
    files
        State of each selected file.
    bytes_free
        Free space on the disk of the destination, in bytes.

    Examples
    --------
    >>> from pathlib import Path
    >>> import striate
    >>> from striate.fetch import Plan
    >>> plan = Plan(striate.catalog.get_dataset("sensorium2022"), Path("data"), files=(), bytes_free=10**9)
    >>> plan.bytes_needed
    0
    """

    dataset: Dataset
    folder: Path
    files: tuple[PlannedFile, ...]
    bytes_free: int

    @property
    def missing(self) -> tuple[PlannedFile, ...]:
        """Files that are not complete and verified."""
        return tuple(entry for entry in self.files if entry.state != "whole")

    @property
    def bytes_needed(self) -> int:
        """Number of bytes still to download, not counting files of unknown size."""
        return sum(max(0, (entry.size or 0) - entry.received) for entry in self.missing)

    @property
    def unknown_sizes(self) -> int:
        """Number of missing files of unknown size."""
        return sum(entry.size is None for entry in self.missing)

    def refuse_too_little_space(self) -> None:
        """Raise `LocalError` if the disk has too little free space."""
        if self.bytes_needed > self.bytes_free:
            raise LocalError(
                f"{self.dataset.name} needs {format_size(self.bytes_needed)} more, and the disk of {self.folder} has "
                f"{format_size(self.bytes_free)} left: free some space, choose fewer files, or another folder ({option('--to', 'to=…')})."
            )


def plan_fetch(of: Dataset, files: Sequence[DataFile], folder: DatasetFolder) -> Plan:
    """Find out which files are on disk already and which have to be downloaded.

    Parameters
    ----------
    of
        Dataset to download.
    files
        Selected files of the dataset.
    folder
        Destination folder; it need not exist.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import striate
    >>> from striate.catalog.local_files import DatasetFolder
    >>> from striate.fetch import plan_fetch
    >>> dataset = striate.catalog.get_dataset("sensorium2022")
    >>> plan = plan_fetch(dataset, dataset.select(mice=[2]), DatasetFolder(Path(tempfile.mkdtemp())))
    >>> [file.state for file in plan.files]
    ['missing']
    """
    return Plan(of, folder.path, tuple(_entry(file, folder) for file in files), _free(folder.path))


def _entry(file: DataFile, folder: DatasetFolder) -> PlannedFile:
    if folder.is_complete(file):
        received = folder.file_path(file).stat().st_size
        return PlannedFile(file, "whole", received, received)
    if folder.file_path(file).is_file():
        there = folder.file_path(file).stat().st_size
        return PlannedFile(file, "there", there, there)
    partial = PartialFile(folder.state_path(file, ".part"))
    known = partial.origin
    size = file.size if file.size is not None or known is None else known.total
    return PlannedFile(file, "begun" if partial.size else "missing", partial.size, size or file.about)


def _free(path: Path) -> int:
    for place in (path, *path.absolute().parents):
        if place.is_dir():
            return shutil.disk_usage(place).free
    return 0
