"""Open untrusted zip files. Inconsistent directories are rejected before any member is read."""

import zipfile
from pathlib import Path
from typing import IO


def open_zip(file: Path | IO[bytes]) -> zipfile.ZipFile:
    """Open a zip, and check that its directory is consistent with the size of the file.

    Parameters
    ----------
    file
        Path or open binary file.

    Raises
    ------
    zipfile.BadZipFile
        If the file is not a zip, or a member has no name or lies outside of the file.
    OSError
        If the file cannot be read.
    """
    try:
        opened = zipfile.ZipFile(file)
    except (ValueError, NotImplementedError, EOFError, LookupError, OverflowError) as error:
        raise zipfile.BadZipFile(str(error) or type(error).__name__) from error
    try:
        _check(opened)
    except BaseException:
        opened.close()
        raise
    return opened


def _check(opened: zipfile.ZipFile) -> None:
    assert opened.fp is not None
    size = opened.fp.seek(0, 2)
    for member in opened.infolist():
        if not member.filename:
            raise zipfile.BadZipFile("a member has no name")
        if not 0 <= member.header_offset <= member.header_offset + member.compress_size <= size:
            raise zipfile.BadZipFile(f"the member {ascii(member.filename)[:60]} lies outside of the file")
