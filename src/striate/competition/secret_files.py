"""Files that give a competition away, known by what is in them: vaults, truths, and what striate keeps beside them."""

import mmap
import zipfile
import zlib
from pathlib import Path
from typing import IO

from striate._internal.zip_files import open_zip
from striate.competition.sealed import MAGIC

TRUTHS = (b"striate live truth", b"striate simulated truth", b"striate vault contents")
_HEAD, _LARGEST_FOOTER = 2000, 2**26  # bytes
_CHUNK = 2**22


def kind_of_secret(file: Path) -> str | None:
    """Say which secret a file is, or holds if it is a zip; None if it is none.

    Memory does not grow with the file.

    Parameters
    ----------
    file
        Any file that can be read.
    """
    with file.open("rb") as opened:
        found = kind_by_head(opened)
        if found is not None:
            return found
        opened.seek(0)
        if not zipfile.is_zipfile(opened):
            return None
        with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if any(content.find(form) >= 0 for form in _forms()):
                return "a truth of striate"
    return _in_zip(file)


def kind_by_head(opened: IO[bytes]) -> str | None:
    """Say which secret an opened file is, which stands at its begin; None if it is none, or a zip."""
    head = opened.read(_HEAD)
    if head.startswith(MAGIC):
        return "a vault (though only its passphrase opens it)"
    first = head.split(b"\n")[0]
    if first.startswith(b"trial_indices") and b"responses" in first:
        return "a ground truth of 2022 (a CSV of measured responses)"
    if head.startswith(b"PAR1") and b'"kind":"truth"' in _parquet_footer(opened).replace(b" ", b""):
        return "a truth: measured responses of test trials"
    return None


def _parquet_footer(opened: IO[bytes]) -> bytes:
    """What a Parquet file says of itself: it stands at its end, and before that mark its length."""
    end = opened.seek(0, 2)
    opened.seek(max(0, end - 8))
    length = min(int.from_bytes(opened.read(4), "little"), _LARGEST_FOOTER)
    opened.seek(max(0, end - 8 - length))
    return opened.read(length)


def _in_zip(file: Path) -> str | None:
    """Look into the members, one level deep: what is compressed does not show in the bytes of the file."""
    try:
        with open_zip(file) as archive:
            for member in archive.infolist():
                if member.is_dir() or member.flag_bits & 1:
                    continue
                with archive.open(member) as opened:
                    head = opened.read(4)
                with archive.open(member) as opened:
                    found = kind_by_head(opened) or (_by_marks(opened) if head.startswith(b"PK") else None)
                if found is not None:
                    return f"a zip with {found} in it ({member.filename})"
    except (zipfile.BadZipFile, zlib.error, RuntimeError, OSError, EOFError, ValueError, LookupError):
        return None  # what cannot be unpacked gives nothing away by being unpacked
    return None


def _by_marks(opened: IO[bytes]) -> str | None:
    before = b""
    opened.seek(0)
    while chunk := opened.read(_CHUNK):
        if any(form in before + chunk for form in _forms()):
            return "a truth of striate"
        before = chunk[-200:]
    return None


def _forms() -> list[bytes]:
    """The marks as bytes, and as NumPy stores text."""
    return [form for text in TRUTHS for form in (text, text.decode().encode("utf-32-le"))]
