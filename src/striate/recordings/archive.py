"""An archive as a container: a zip or a folder, seen as named members relative to the recording's root."""

import os
import re
import threading
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self

from isal import isal_zlib

from striate._internal.file_types import detect_file_type
from striate._internal.zip_files import open_zip
from striate.errors import InputError, listed
from striate.recordings import layout
from striate.recordings.check_findings import Finding, UnreadableError
from striate.recordings.check_rules import make_finding

LARGEST_MEMBER = 256 * 2**20  # bytes; a response vector of a million neurons has 8 MB

# an absolute path, a drive, a step upwards, or an end of text within
_LEADS_OUT = re.compile(r"^[/\\]|^[A-Za-z]:|(?:^|[/\\])\.\.(?:[/\\]|$)|\0")
_ROOTED = re.compile(r"^(?P<root>(?:.*/)?)(?:data/[^/]+/[^/]+\.npy|meta/(?:trials|neurons|statistics)/.+\.npy)$")


@dataclass(frozen=True)
class Member:
    """One file of an archive: its path in the archive and the size that the archive declares (bytes)."""

    name: str
    size: int


class Archive(ABC):
    """Members of a zip or a folder by their path below the recording's root (``data/…``, ``meta/…``).

    Attributes
    ----------
    path
        The zip or folder.
    members
        Files of the recording by path relative to its root.
    findings
        What is wrong or noteworthy about the container itself.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.findings: list[Finding] = []
        self.members: dict[str, Member] = {}
        self.root = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def read(self, member: str) -> bytes:
        """Bytes of one member; safe to call from several threads.

        Raises
        ------
        UnreadableError
            If it is damaged, longer or shorter than declared, too large or encrypted.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of open files."""

    def _index(self, files: list[Member]) -> None:
        """Sort files into members of the recording and the rest, and note what is wrong with their names."""
        unsafe = [m.name for m in files if _LEADS_OUT.search(m.name)]
        for name in unsafe[:20]:
            self.findings.append(
                make_finding(
                    "path-traversal", name, "the name leads out of the archive.", "Make the archive anew without it."
                )
            )
        outside = set(unsafe)
        safe = [m for m in files if m.name not in outside]
        for name, count in Counter(m.name for m in safe).items():
            if count > 1:
                self.findings.append(
                    make_finding(
                        "duplicate-member", name, f"the archive has {count} members of this name.", "Keep one."
                    )
                )
        junk = [m.name for m in safe if layout.IGNORED_FILES.search(m.name)]
        no_use = set(junk)
        useful = [m for m in safe if m.name not in no_use]
        roots = Counter(match["root"] for m in useful if (match := _ROOTED.match(m.name)))
        self.root = _choose_root(self.path, roots, self.findings)
        for member in useful:
            below = member.name.removeprefix(self.root) if member.name.startswith(self.root) else ""
            if below.startswith(("data/", "meta/")):
                self.members[below] = member
            elif not _ROOTED.match(member.name):
                junk.append(member.name)
        if junk:
            message = (
                f"{len(junk)} file{'s do' if len(junk) > 1 else ' does'} not belong to a recording: {listed(junk)}."
            )
            self.findings.append(make_finding("unrelated-file", self.path.name, message))

    def too_large(self, member: str) -> Finding | None:
        """Return a finding where a member declares more than `LARGEST_MEMBER` bytes."""
        size = self.members[member].size
        if size <= LARGEST_MEMBER:
            return None
        return make_finding(
            "oversized-member", member, f"{size} bytes; at most {LARGEST_MEMBER} are read.", "Split or mend it."
        )


def _choose_root(path: Path, roots: Counter[str], findings: list[Finding]) -> str:
    complete = [r for r in roots if roots[r] > 1] or list(roots)
    if not complete:
        problem = "there is neither `data/` nor `meta/` with arrays in it."
        fix = "Give a zip or folder in the SENSORIUM 2022 layout, or make one with `striate convert`."
        if path.is_dir() and (zips := sorted(file.name for file in path.glob("*.zip"))):
            problem = f"the folder holds {len(zips)} zip{'s' * (len(zips) > 1)}: {listed(zips)}."
            fix = "Give one of them."
        elif (kind := detect_file_type(path)) is not None and kind.name not in ("zip", "folder", "empty-folder"):
            problem, fix = f"this is {kind.description}.", f"{kind.advice[0].upper()}{kind.advice[1:]}."
        findings.append(make_finding("no-recording", path.name, problem, fix))
        return ""
    if len(complete) > 1:
        findings.append(
            make_finding(
                "several-recordings",
                path.name,
                f"{len(complete)} recordings are in it: {listed(sorted(complete))}.",
                "Give each its own archive (or name one of the folders).",
            )
        )
    return max(complete, key=lambda r: roots[r])


def iterate_files(folder: Path) -> Iterator[Path]:
    """Files of a recording's folder in a fixed order, also in folders that are links; a circle of links ends.

    A folder without any of a recording's folders, at the top or in a subfolder, holds no recording: only its own files and those of
    its subfolders are listed, because it may be a home folder or a whole disk.
    """
    seen: set[tuple[int, int]] = set()
    whole = _may_hold_a_recording(folder)
    for place, subfolders, names in os.walk(folder, followlinks=True):
        if not whole and Path(place) != folder:
            subfolders.clear()
        status = Path(place).stat()
        if (status.st_dev, status.st_ino) in seen:
            subfolders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        subfolders[:] = sorted(name for name in subfolders if not layout.IGNORED_FILES.search(name))
        yield from (Path(place, name) for name in sorted(names))


def _may_hold_a_recording(folder: Path) -> bool:
    """Whether a folder, or a folder in it, has one of the folders of a recording: ``data/images``, ``meta/trials`` and their like."""
    try:
        tops = [folder, *(Path(entry) for entry in os.scandir(folder) if entry.is_dir())]
    except OSError:
        return False
    parts = ("data/images", "data/responses", "meta/neurons", "meta/trials")
    return any(os.path.isdir(top / part) for top in tops for part in parts)  # noqa: PTH112 - False where access is denied


class FolderArchive(Archive):
    """A recording unpacked into a folder."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        files = []
        for file in iterate_files(path):
            try:
                size = file.stat().st_size
            except OSError:  # a link whose target is gone
                size = 0
            files.append(Member(file.relative_to(path).as_posix(), size))
        self._index(files)

    def read(self, member: str) -> bytes:
        """Bytes of one file."""
        if finding := self.too_large(member):
            raise UnreadableError(finding)
        file = self.path / self.members[member].name
        try:
            return file.read_bytes()
        except FileNotFoundError:
            problem = "the file is a link whose target is missing (a git-annex file that was not fetched?)."
            raise UnreadableError(make_finding("not-an-array", member, problem, "Fetch its content first.")) from None
        except OSError as error:
            raise UnreadableError(
                make_finding(
                    "not-an-array", member, f"the file cannot be read ({error.strerror}).", "Mend its permissions."
                )
            ) from error

    def close(self) -> None:
        """Nothing is held open."""


class ZipArchive(Archive):
    """A recording in a zip, whose members are inflated in memory, by several threads at once."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            self._zip = open_zip(path)
        except (zipfile.BadZipFile, OSError) as error:
            raise UnreadableError(_why_no_zip(path, error)) from None
        self._handle = os.open(path, os.O_RDONLY)
        self._lock = threading.Lock()
        infos = [i for i in self._zip.infolist() if not i.filename.endswith(("/", "\\"))]
        # some programs on Windows separate folders by "\", against the standard
        self._infos = {i.filename.replace("\\", "/"): i for i in infos}
        self._index([Member(i.filename.replace("\\", "/"), i.file_size) for i in infos])
        self._find_overlaps(infos)

    def _find_overlaps(self, infos: list[zipfile.ZipInfo]) -> None:
        ordered = sorted(infos, key=lambda i: i.header_offset)
        for first, second in pairwise(ordered):
            if first.header_offset + 30 + len(first.filename) + first.compress_size > second.header_offset:
                message = f"its bytes overlap with those of {second.filename}."
                self.findings.append(
                    make_finding("overlapping-members", first.filename, message, "Make the archive anew.")
                )
                return

    def read(self, member: str) -> bytes:
        """Inflated bytes of one member, with length and checksum verified."""
        if finding := self.too_large(member):
            raise UnreadableError(finding)
        info = self._infos[self.members[member].name]
        if info.flag_bits & 0x1:
            raise UnreadableError(
                make_finding(
                    "encrypted-member", member, "the member is encrypted.", "Make the archive without a password."
                )
            )
        try:
            data = self._inflate(info)
        except (  # type: ignore[misc]  # stubs of isal take its error for an instance
            zlib.error,
            isal_zlib.error,
            zipfile.BadZipFile,
            EOFError,
            OSError,
            NotImplementedError,
            RuntimeError,
            ValueError,
            LookupError,
            OverflowError,
            MemoryError,
        ) as error:
            raise UnreadableError(
                make_finding(
                    "truncated-member", member, f"the member is damaged ({error}).", "Download or make it again."
                )
            ) from None
        if len(data) != info.file_size:
            rule = "truncated-member" if len(data) < info.file_size else "oversized-member"
            message = f"the member inflates to {'more than ' if len(data) > info.file_size else ''}{min(len(data), info.file_size)} bytes; {info.file_size} are declared."
            raise UnreadableError(make_finding(rule, member, message, "Download or make the archive again."))
        if isal_zlib.crc32(data) != info.CRC:
            raise UnreadableError(
                make_finding(
                    "truncated-member", member, "the checksum does not agree.", "Download or make the archive again."
                )
            )
        return data

    def _inflate(self, info: zipfile.ZipInfo) -> bytes:
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            with self._lock:  # rare methods take the library's own road, one at a time
                return self._zip.read(info)
        header = os.pread(self._handle, 30, info.header_offset)
        if header[:4] != b"PK\x03\x04":
            raise zipfile.BadZipFile("no local header")
        start = (
            info.header_offset + 30 + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        )
        raw = os.pread(self._handle, info.compress_size, start)
        if info.compress_type == zipfile.ZIP_STORED:
            return raw
        inflater = isal_zlib.decompressobj(-15)
        return inflater.decompress(raw, info.file_size + 1)  # one byte more shows a lying header

    def close(self) -> None:
        """Close the file."""
        self._zip.close()
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def _why_no_zip(path: Path, error: Exception) -> Finding:
    kind = detect_file_type(path)
    if kind is None or kind.name in ("text", "folder"):
        if isinstance(error, OSError):
            problem = f"it cannot be read ({error.strerror})."
            return make_finding("not-an-archive", path.name, problem, "Mend its permissions.")
        problem, fix = "this is neither a zip nor a folder.", "Give a zip or folder in the SENSORIUM 2022 layout."
    else:
        detail = f" ({error})" if kind.name == "damaged-zip" else ""
        problem, fix = f"this is {kind.description}{detail}.", f"{kind.advice[0].upper()}{kind.advice[1:]}."
    return make_finding("not-an-archive", path.name, problem, fix)


def open_archive(path: Path) -> Archive:
    """Open a zip or a folder as an archive.

    Raises
    ------
    InputError
        If there is nothing at `path`, or it is neither a zip nor a folder.
    """
    if path.is_dir():
        return FolderArchive(path)
    if not path.exists():
        raise InputError(_nothing_at(path))
    if not path.is_file():
        raise InputError(f"{path} is neither a file nor a folder: give a zip or folder in the SENSORIUM 2022 layout.")
    return ZipArchive(path)


def _nothing_at(path: Path) -> str:
    neighbours = (
        sorted(p.name for p in path.parent.glob("*") if p.suffix.lower() == ".zip" or p.is_dir())
        if path.parent.is_dir()
        else []
    )
    beside = f"; beside it there are {listed(neighbours)}" if neighbours else ""
    return f"There is no archive at {path}{beside}: give the path of a recording's zip or folder."
