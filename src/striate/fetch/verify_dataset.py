"""Whether what was fetched is still what it was."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from striate.catalog import DataFile
from striate.catalog.local_files import DatasetFolder
from striate.fetch.checksums import Hasher, UnconfirmedHashError, check_file
from striate.fetch.errors import DamagedError

State = Literal["whole", "unchanged", "unconfirmed", "damaged", "aside", "missing"]


@dataclass(frozen=True)
class FileStatus:
    """What was found of one file.

    Attributes
    ----------
    file
        Its name.
    path
        Where it stands, or should.
    state
        ``"whole"``: as the catalogue says; ``"unchanged"``: as it was when it was fetched, for the catalogue has no hash;
        ``"unconfirmed"``: likewise, though the catalogue has another hash, which nobody has confirmed; ``"damaged"``;
        ``"aside"``: not in its place, but kept aside, for its hash is unconfirmed; ``"missing"``.
    sha256
        Hash of what is there.
    reason
        Why it is not whole, as a clause.
    """

    file: str
    path: Path
    state: State
    sha256: str | None = None
    reason: str | None = None


def verify(
    files: Iterable[DataFile], folder: DatasetFolder, watch: Callable[[DataFile, int], None] = lambda _file, _done: None
) -> list[FileStatus]:
    """Read files again, and hold them against the catalogue, and against what was found when they were fetched.

    Parameters
    ----------
    files
        Of one dataset.
    folder
        Where they were fetched to.
    watch
        Told how many bytes of a file were read.
    """
    return [_verdict(file, folder, watch) for file in files]


def _verdict(file: DataFile, folder: DatasetFolder, watch: Callable[[DataFile, int], None]) -> FileStatus:
    path = folder.file_path(file)
    if not path.is_file():
        return FileStatus(file.name, path, "aside" if folder.state_path(file, ".aside").is_file() else "missing")
    try:
        content = Hasher(md5=file.md5 is not None).hash_file(path, lambda done: watch(file, done))
    except OSError as error:
        return FileStatus(file.name, path, "damaged", reason=f"it cannot be read ({error.strerror})")
    record = folder.read_record(file)
    if record is not None and record.sha256 != content.sha256:
        reason = f"its SHA-256 was {record.sha256} when it was fetched"
        return FileStatus(file.name, path, "damaged", content.sha256, reason)
    try:
        check_file(file, path, content)
    except DamagedError as error:
        return FileStatus(file.name, path, "damaged", content.sha256, error.reason)
    except UnconfirmedHashError:
        reason = f"the catalogue has {file.sha256}, which nobody has confirmed"
        return FileStatus(file.name, path, "unconfirmed", content.sha256, reason)
    known = file.sha256 is not None or file.md5 is not None
    since = None if known else "since it was fetched; the catalogue has no hash"
    return FileStatus(file.name, path, "whole" if known else "unchanged", content.sha256, since)
