"""Verify downloaded files against the catalogue and against the records of their download."""

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
    """Result of verifying one file.

    Attributes
    ----------
    file
        Name of the file.
    path
        Expected path of the file.
    state
        ``"whole"``: matches the catalogue; ``"unchanged"``: same as when it was downloaded (the catalogue has no hash);
        ``"unconfirmed"``: same as when it was downloaded, but different from an unconfirmed hash of the catalogue;
        ``"damaged"``; ``"aside"``: not installed, because its hash differs from an unconfirmed hash; ``"missing"``.
    sha256
        SHA-256 of the file; None if it could not be read.
    reason
        Explanation of the state, as a clause.

    Examples
    --------
    >>> from pathlib import Path
    >>> from striate.fetch import FileStatus
    >>> FileStatus("a.zip", Path("data/a.zip"), "missing").state
    'missing'
    """

    file: str
    path: Path
    state: State
    sha256: str | None = None
    reason: str | None = None


def verify(
    files: Iterable[DataFile], folder: DatasetFolder, watch: Callable[[DataFile, int], None] = lambda _file, _done: None
) -> list[FileStatus]:
    """Read downloaded files again and compare their hashes with the catalogue and with the records of their download.

    Parameters
    ----------
    files
        Files of one dataset.
    folder
        Folder that they were downloaded to.
    watch
        Progress callback, called with a file and the number of its bytes read so far.

    Returns
    -------
    list of FileStatus
        One status for each file, in the given order.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import striate
    >>> from striate.catalog.local_files import DatasetFolder
    >>> from striate.fetch import verify
    >>> dataset = striate.catalog.get_dataset("sensorium2022")
    >>> statuses = verify(dataset.files, DatasetFolder(Path(tempfile.mkdtemp())))
    >>> {status.state for status in statuses}
    {'missing'}
    """
    return [_verify_file(file, folder, watch) for file in files]


def _verify_file(file: DataFile, folder: DatasetFolder, watch: Callable[[DataFile, int], None]) -> FileStatus:
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
