"""What a fetch will do, before it does anything."""

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
    """One file of a plan.

    Attributes
    ----------
    file
        What the catalogue says of it.
    state
        Whether it is here whole, there but to be verified, here in part, or not at all.
    here
        Bytes that are here.
    size
        Bytes in all, as well as that is known.
    """

    file: DataFile
    state: State
    received: int
    size: int | None


@dataclass(frozen=True)
class Plan:
    """What a fetch will do.

    Attributes
    ----------
    dataset
        The dataset.
    folder
        Where its files will stand.
    entries
        The chosen files.
    free
        Bytes that the disk has left.
    """

    dataset: Dataset
    folder: Path
    files: tuple[PlannedFile, ...]
    bytes_free: int

    @property
    def missing(self) -> tuple[PlannedFile, ...]:
        """The files that are not whole."""
        return tuple(entry for entry in self.files if entry.state != "whole")

    @property
    def bytes_needed(self) -> int:
        """Bytes that are still to come, as well as that is known."""
        return sum(max(0, (entry.size or 0) - entry.received) for entry in self.missing)

    @property
    def unknown_sizes(self) -> int:
        """Number of files to come whose size nobody knows."""
        return sum(entry.size is None for entry in self.missing)

    def refuse_too_little_space(self) -> None:
        """Raise `LocalError` if the files will not fit on the disk."""
        if self.bytes_needed > self.bytes_free:
            raise LocalError(
                f"{self.dataset.name} needs {format_size(self.bytes_needed)} more, and the disk of {self.folder} has "
                f"{format_size(self.bytes_free)} left: free some space, choose fewer files, or another folder ({option('--to', 'to=…')})."
            )


def plan_fetch(of: Dataset, files: Sequence[DataFile], folder: DatasetFolder) -> Plan:
    """Look what is here already, and what is to come."""
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
