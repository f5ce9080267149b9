"""How a file gets its place: only when it is whole, and never over something else."""

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
    """The place of one file of a dataset in a folder.

    Parameters
    ----------
    of, file
        The dataset, and its file.
    folder
        Where it is fetched to.
    options
        What may be replaced, and which hashes are trusted.
    watch
        Told how many bytes of a file were read to be checked; it may raise to stop.
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
        """Whether what stands there is the file: fetched, put there by hand, or renamed right before a kill.

        Raises
        ------
        InputError
            If something else stands there that may not be replaced.
        """
        if not os.path.lexists(self.target):
            return False
        why = self._another()
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

    def _another(self) -> str | None:
        """Say why what stands there is not the file; None if it is."""
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

    def fill(self, path: Path, content: FileDigest, key: AnnexKey | None, address: str | None) -> None:
        """Check a file that was received, and put it into its place.

        Raises
        ------
        DamagedError
            If it is not the file.
        InputError
            If an unconfirmed hash speaks against it: it is kept aside then.
        """
        try:
            check_file(self._file, path, content, key=key, trusted=self._options.trusted)
        except UnconfirmedHashError:
            os.replace(path, self._set_aside)
            raise self._not_confirmed(content) from None
        self._put(path, content, address)

    def install_set_aside(self) -> bool:
        """Put the file that was kept aside into its place, if it is trusted by now.

        Raises
        ------
        InputError
            If it is not.
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
        self._put(self._set_aside, content, None)
        return True

    def _read(self, path: Path) -> FileDigest:
        return Hasher(md5=self._file.md5 is not None).hash_file(path, self._watch)

    def _put(self, path: Path, content: FileDigest, address: str | None) -> None:
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
    """Bring a rename to the disk."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _shareable(address: str) -> str:
    """Drop what others should not see, since folders of data are passed on: passwords, and the way to a folder of this machine."""
    parts = urlsplit(address)
    if parts.scheme in ("http", "https"):
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return Path(address).name
