"""Install downloaded files: verify them, and move them to their final path without overwriting other files."""

import contextlib
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from striate._internal.atomic_write import refuse_existing
from striate.catalog import DataFile, Dataset
from striate.catalog.git_annex import AnnexKey
from striate.catalog.local_files import DatasetFolder, FetchRecord
from striate.errors import InputError, option
from striate.fetch.checksums import FileDigest, Hasher, UnconfirmedHashError, check_file
from striate.fetch.errors import DamagedError
from striate.fetch.options import Options


class FileInstaller:
    """Verify one file of a dataset and move it to its final path.

    Parameters
    ----------
    of, file
        Dataset, and one of its files.
    folder
        Destination folder.
    options
        Settings, among them `overwrite` and `trusted`.
    watch
        Progress callback, called with the number of bytes verified so far. It may raise to cancel.
    """

    def __init__(
        self, of: Dataset, file: DataFile, folder: DatasetFolder, options: Options, watch: Callable[[int], None]
    ) -> None:
        self.target = folder.file_path(file)
        self._of = of
        self._file = file
        self._folder = folder
        self._options = options
        self._watch = watch
        self._set_aside = folder.state_path(file, ".aside")

    def is_installed(self) -> bool:
        """Whether the final path holds the file already, downloaded before or placed there by the user.

        Raises
        ------
        InputError
            If the path holds a different file that may not be replaced.
        """
        if not os.path.lexists(self.target):
            return False
        why = self._mismatch()
        if why is None:
            return True
        if self._options.overwrite and not self.target.is_dir():
            return False
        record = self._folder.read_record(self._file)
        if record is not None:
            raise InputError(
                f"{self.target} was whole when it was fetched ({record.fetched[:10]}), and was changed or damaged since ({why}): "
                f"fetch it again with {option('--overwrite', 'Options(overwrite=True)')}, or move it away."
            )
        raise InputError(
            f"{self.target} is there already, and is not the {self._file.name} of {self._of.name} ({why}): move it away, or "
            f"allow it to be replaced ({option('--overwrite', 'Options(overwrite=True)')})."
        )

    def _mismatch(self) -> str | None:
        """Return why the existing file is not the right one; None if it is."""
        if not self.target.is_file():
            return "it is no file"
        content = self._read(self.target)
        try:
            check_file(self._file, self.target, content, trusted=self._options.trusted)
        except DamagedError as error:
            return error.reason
        except UnconfirmedHashError:
            return f"its SHA-256 is {content.sha256}, the catalogue's is {self._file.sha256}"
        record = self._folder.read_record(self._file)
        if record is not None and record.sha256 != content.sha256:
            return f"its SHA-256 was {record.sha256}, and is {content.sha256} now"
        self._write_record(content, record.address if record else None)
        return None

    def install(self, path: Path, content: FileDigest, key: AnnexKey | None, address: str | None) -> None:
        """Verify a downloaded file and move it to its final path.

        Raises
        ------
        DamagedError
            If verification fails.
        InputError
            If only an unconfirmed hash differs. The file is kept, but not installed.
        """
        try:
            check_file(self._file, path, content, key=key, trusted=self._options.trusted)
        except UnconfirmedHashError:
            os.replace(path, self._set_aside)
            raise self._not_confirmed(content) from None
        self._move(path, content, address)

    def install_set_aside(self) -> bool:
        """Install a file that an earlier run did not install because of its hash, if the hash is trusted now.

        Raises
        ------
        InputError
            If the hash is still not trusted.
        """
        if not self._set_aside.is_file():
            return False
        content = self._read(self._set_aside)
        try:
            check_file(self._file, self._set_aside, content, trusted=self._options.trusted)
        except UnconfirmedHashError:
            raise self._not_confirmed(content) from None
        except DamagedError:
            self._set_aside.unlink()
            return False
        self._move(self._set_aside, content, None)
        return True

    def _read(self, path: Path) -> FileDigest:
        return Hasher(md5=self._file.md5 is not None).hash_file(path, self._watch)

    def _move(self, path: Path, content: FileDigest, address: str | None) -> None:
        self.target.parent.mkdir(parents=True, exist_ok=True)
        refuse_existing(self.target, self._options.overwrite)
        os.replace(path, self.target)
        _sync_folder(self.target.parent)
        self._write_record(content, address)

    def _write_record(self, content: FileDigest, address: str | None) -> None:
        record = FetchRecord(
            file=self._file.name,
            size=content.size,
            sha256=content.sha256,
            modified=self.target.stat().st_mtime_ns,
            fetched=datetime.now(UTC).isoformat(timespec="seconds"),
            address=address and _shareable(address),
        )
        self._folder.write_record(self._file, record)

    def _not_confirmed(self, content: FileDigest) -> InputError:
        file, of = self._file, self._of
        return InputError(
            f"{file.name} has SHA-256 {content.sha256}, and the catalogue has {file.sha256}, which nobody has confirmed. The file "
            f"is sound and was kept aside as {self._set_aside}. If you trust where it came from, take it with: striate fetch {of.name} "
            f"{file.session or file.name} --accept-hash {content.sha256}. Please report both hashes, so that the catalogue can be "
            f"mended{f' ({of.homepage})' if of.homepage else ''}."
        )


def _sync_folder(folder: Path) -> None:
    """Flush a rename to disk."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _shareable(address: str) -> str:
    """Remove passwords and local paths from an address, because data folders are shared with others."""
    parts = urlsplit(address)
    if parts.scheme in ("http", "https"):
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return Path(address).name
