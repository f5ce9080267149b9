"""Verify downloaded files: size, SHA-256 or MD5, and the structure of zip files."""

import hashlib
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from striate._internal.zip_files import open_zip
from striate.catalog import DataFile
from striate.catalog.git_annex import AnnexKey
from striate.fetch.errors import DamagedError

_BLOCK = 4 * 2**20


class Hasher:
    """Hash a file incrementally while it is downloaded.

    Parameters
    ----------
    md5
        Whether to compute the MD5 in addition to the SHA-256.
    """

    def __init__(self, *, md5: bool = False) -> None:
        self._with_md5 = md5
        self.restart()

    def restart(self) -> None:
        """Reset the hashes to the start of the file."""
        self.position = 0
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False) if self._with_md5 else None

    def update(self, at: int, data: bytes | memoryview) -> None:
        """Hash `data`, which begins at offset `at` of the file. Data that does not continue the hashed bytes is ignored."""
        if at == 0 and self.position:
            self.restart()
        if at == self.position:
            self._sha256.update(data)
            if self._md5 is not None:
                self._md5.update(data)
            self.position += len(data)

    def hash_file(self, path: Path, watch: Callable[[int], None] = lambda _done: None) -> "FileDigest":
        """Return size and hashes of a file. Bytes that were passed to `update` are not read again.

        Parameters
        ----------
        path
            File to hash.
        watch
            Progress callback, called with the number of bytes hashed so far. It may raise to cancel.
        """
        size = path.stat().st_size
        if self.position > size:
            self.restart()
        with path.open("rb") as file:
            file.seek(self.position)
            while block := file.read(_BLOCK):
                self.update(self.position, block)
                watch(self.position)
        return FileDigest(size, self._sha256.hexdigest(), self._md5.hexdigest() if self._md5 is not None else None)


@dataclass(frozen=True)
class FileDigest:
    """Measured size (bytes) and hashes of a file."""

    size: int
    sha256: str
    md5: str | None = None


class UnconfirmedHashError(Exception):
    """The file is intact, but its SHA-256 differs from an unconfirmed hash of the catalogue."""

    def __init__(self, content: FileDigest) -> None:
        super().__init__(content.sha256)
        self.content = content


def check_file(
    file: DataFile,
    path: Path,
    content: FileDigest,
    *,
    key: AnnexKey | None = None,
    trusted: frozenset[str] = frozenset(),
) -> None:
    """Verify a file against its catalogue entry and git-annex key.

    Parameters
    ----------
    file
        Catalogue entry of the file.
    path
        Location of the file, which may still have a temporary name.
    content
        Measured size and hashes of the file.
    key
        git-annex key of the file, if a pointer was received.
    trusted
        SHA-256 hashes that the user accepts in addition to an unconfirmed hash of the catalogue.

    Raises
    ------
    DamagedError
        If the size, a confirmed hash or the zip structure does not match.
    UnconfirmedHashError
        If everything matches except an unconfirmed hash.
    """
    for size in (file.size, key.size if key else None):
        if size is not None and content.size != size:
            raise DamagedError(f"it has {content.size:,} bytes instead of {size:,}")
    vouched = content.sha256 in trusted and not file.confirmed
    for md5 in (file.md5, key.md5 if key else None):
        if md5 is not None and content.md5 is not None:
            if content.md5 != md5 and not vouched:
                raise DamagedError(f"its MD5 is {content.md5} instead of {md5}")
            vouched = True
    expected = file.sha256 or (key.sha256 if key else None)
    matches = content.sha256 == expected
    if file.name.lower().endswith(".zip"):
        _check_zip(path, thoroughly=not matches)
    if expected is not None and not matches and not vouched:
        if file.confirmed:
            raise DamagedError(f"its SHA-256 is {content.sha256} instead of {expected}", content.sha256)
        raise UnconfirmedHashError(content)


def _check_zip(path: Path, *, thoroughly: bool) -> None:
    """Verify the structure of a zip, and with `thoroughly` the checksum of every member."""
    try:
        with open_zip(path) as archive:
            names = archive.namelist()
            out = [n for n in names if n.startswith(("/", "\\")) or ".." in n.replace("\\", "/").split("/")]
            if out:
                raise DamagedError(f"a member of the zip, {out[0]!r}, leads out of it")
            if not names:
                raise DamagedError("the zip is empty")
            if thoroughly and (wrong := archive.testzip()) is not None:
                raise DamagedError(f"the checksum of {wrong} in the zip does not agree")
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise DamagedError(f"it is no sound zip ({str(error).rstrip('.') or type(error).__name__})") from error
