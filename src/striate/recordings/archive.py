"""Archives of recordings: zips and folders, as named members relative to the root of the recording."""

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
from striate.recordings.checks.report import Finding, UnreadableError
from striate.recordings.checks.rules import make_finding

MAX_MEMBER_SIZE = 256 * 2**20  # bytes; the responses of a million neurons in one trial have 8 MB

# an absolute path, a drive, a parent folder, or a null character
_UNSAFE_NAME = re.compile(r"^[/\\]|^[A-Za-z]:|(?:^|[/\\])\.\.(?:[/\\]|$)|\0")
_RECORDING_MEMBER = re.compile(
    r"^(?P<root>(?:.*/)?)(?:data/[^/]+/[^/]+\.npy|meta/(?:trials|neurons|statistics)/.+\.npy)$"
)


@dataclass(frozen=True)
class Member:
    """One file of an archive: its path in the archive, and its declared size in bytes."""

    name: str
    size: int


class Archive(ABC):
    """Members of a zip or folder by their path relative to the root of the recording (``data/…``, ``meta/…``).

    Attributes
    ----------
    path
        Path of the zip or folder.
    members
        Files of the recording by path relative to its root.
    findings
        Findings about the container itself.
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
        """Return the bytes of one member. Safe to call from several threads.

        Raises
        ------
        UnreadableError
            If the member is damaged, has another size than declared, is too large or encrypted.
        """

    @abstractmethod
    def close(self) -> None:
        """Close open files."""

    def _index(self, files: list[Member]) -> None:
        """Find the members of the recording, and report unsafe, duplicate and unrelated names."""
        unsafe = [m.name for m in files if _UNSAFE_NAME.search(m.name)]
        for name in unsafe[:20]:
            self.findings.append(
                make_finding(
                    "path-traversal",
                    name,
                    "the name points outside of the archive.",
                    "Create the archive again without it.",
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
        unrelated = [m.name for m in safe if layout.IGNORED_FILES.search(m.name)]
        ignored = set(unrelated)
        candidates = [m for m in safe if m.name not in ignored]
        roots = Counter(match["root"] for m in candidates if (match := _RECORDING_MEMBER.match(m.name)))
        self.root = _choose_root(self.path, roots, self.findings)
        for member in candidates:
            relative = member.name.removeprefix(self.root) if member.name.startswith(self.root) else ""
            if relative.startswith(("data/", "meta/")):
                self.members[relative] = member
            elif not _RECORDING_MEMBER.match(member.name):
                unrelated.append(member.name)
        if unrelated:
            message = f"{len(unrelated)} file{'s do' if len(unrelated) > 1 else ' does'} not belong to a recording: {listed(unrelated)}."
            self.findings.append(make_finding("unrelated-file", self.path.name, message))

    def too_large(self, member: str) -> Finding | None:
        """Return a finding if the declared size of a member exceeds `MAX_MEMBER_SIZE`, else None."""
        size = self.members[member].size
        if size <= MAX_MEMBER_SIZE:
            return None
        return make_finding(
            "oversized-member",
            member,
            f"{size} bytes; at most {MAX_MEMBER_SIZE} are read.",
            "Split it, or write it again.",
        )


def _choose_root(path: Path, roots: Counter[str], findings: list[Finding]) -> str:
    candidates = [r for r in roots if roots[r] > 1] or list(roots)
    if not candidates:
        problem = "there is neither `data/` nor `meta/` with arrays in it."
        fix = "Give a zip or folder in the SENSORIUM 2022 layout, or write one with `striate convert`."
        if path.is_dir() and (zips := sorted(file.name for file in path.glob("*.zip"))):
            problem = f"the folder holds {len(zips)} zip{'s' * (len(zips) > 1)}: {listed(zips)}."
            fix = "Give one of them."
        elif (kind := detect_file_type(path)) is not None and kind.name not in ("zip", "folder", "empty-folder"):
            problem, fix = f"this is {kind.description}.", f"{kind.advice[0].upper()}{kind.advice[1:]}."
        findings.append(make_finding("no-recording", path.name, problem, fix))
        return ""
    if len(candidates) > 1:
        findings.append(
            make_finding(
                "several-recordings",
                path.name,
                f"it contains {len(candidates)} recordings: {listed(sorted(candidates))}.",
                "Put each recording into its own archive, or give the path of one of the folders.",
            )
        )
    return max(candidates, key=lambda r: roots[r])


def iterate_files(folder: Path) -> Iterator[Path]:
    """Iterate over the files of a folder in a fixed order. Links are followed; cycles of links end.

    If neither the folder nor one of its subfolders has the folders of a recording, only the files of the folder and of its
    subfolders are listed, because it may be a home folder or a disk.
    """
    visited: set[tuple[int, int]] = set()
    recursive = _may_hold_a_recording(folder)
    for parent, subfolders, names in os.walk(folder, followlinks=True):
        if not recursive and Path(parent) != folder:
            subfolders.clear()
        status = Path(parent).stat()
        if (status.st_dev, status.st_ino) in visited:
            subfolders.clear()
            continue
        visited.add((status.st_dev, status.st_ino))
        subfolders[:] = sorted(name for name in subfolders if not layout.IGNORED_FILES.search(name))
        yield from (Path(parent, name) for name in sorted(names))


def _may_hold_a_recording(folder: Path) -> bool:
    """Whether a folder or one of its subfolders has a folder of a recording, such as ``data/images`` or ``meta/trials``."""
    try:
        candidates = [folder, *(Path(entry) for entry in os.scandir(folder) if entry.is_dir())]
    except OSError:
        return False
    parts = ("data/images", "data/responses", "meta/neurons", "meta/trials")
    return any(os.path.isdir(top / part) for top in candidates for part in parts)  # noqa: PTH112 - False if access is denied


class FolderArchive(Archive):
    """A recording in a folder."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        files = []
        for file in iterate_files(path):
            try:
                size = file.stat().st_size
            except OSError:  # a broken link
                size = 0
            files.append(Member(file.relative_to(path).as_posix(), size))
        self._index(files)

    def read(self, member: str) -> bytes:
        """Return the bytes of one file."""
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
                    "not-an-array", member, f"the file cannot be read ({error.strerror}).", "Change its permissions."
                )
            ) from error

    def close(self) -> None:
        """Do nothing: no file is kept open."""


class ZipArchive(Archive):
    """A recording in a zip. Several threads can decompress members in memory at the same time."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            self._zip = open_zip(path)
        except (zipfile.BadZipFile, OSError) as error:
            raise UnreadableError(_explain_no_zip(path, error)) from None
        self._handle = os.open(path, os.O_RDONLY)
        self._lock = threading.Lock()
        infos = [i for i in self._zip.infolist() if not i.filename.endswith(("/", "\\"))]
        # some programs on Windows separate folders by "\", which the standard forbids
        self._infos = {i.filename.replace("\\", "/"): i for i in infos}
        self._index([Member(i.filename.replace("\\", "/"), i.file_size) for i in infos])
        self._find_overlaps(infos)

    def _find_overlaps(self, infos: list[zipfile.ZipInfo]) -> None:
        ordered = sorted(infos, key=lambda i: i.header_offset)
        for first, second in pairwise(ordered):
            if first.header_offset + 30 + len(first.filename) + first.compress_size > second.header_offset:
                message = f"its bytes overlap with those of {second.filename}."
                self.findings.append(
                    make_finding("overlapping-members", first.filename, message, "Create the archive again.")
                )
                return

    def read(self, member: str) -> bytes:
        """Return the decompressed bytes of one member, after verifying length and checksum."""
        if finding := self.too_large(member):
            raise UnreadableError(finding)
        info = self._infos[self.members[member].name]
        if info.flag_bits & 0x1:
            raise UnreadableError(
                make_finding(
                    "encrypted-member", member, "the member is encrypted.", "Create the archive without a password."
                )
            )
        try:
            data = self._decompress(info)
        except (  # type: ignore[misc]  # the stubs of isal declare its error as an instance
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
                    "truncated-member", member, f"the member is damaged ({error}).", "Download or create it again."
                )
            ) from None
        if len(data) != info.file_size:
            rule = "truncated-member" if len(data) < info.file_size else "oversized-member"
            message = f"the member inflates to {'more than ' if len(data) > info.file_size else ''}{min(len(data), info.file_size)} bytes; {info.file_size} are declared."
            raise UnreadableError(make_finding(rule, member, message, "Download or create the archive again."))
        if isal_zlib.crc32(data) != info.CRC:
            raise UnreadableError(
                make_finding(
                    "truncated-member", member, "the checksum does not agree.", "Download or create the archive again."
                )
            )
        return data

    def _decompress(self, info: zipfile.ZipInfo) -> bytes:
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            with self._lock:  # rare methods use zipfile, which is not thread-safe
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
        decompressor = isal_zlib.decompressobj(-15)
        return decompressor.decompress(raw, info.file_size + 1)  # one more byte reveals a wrong declared size

    def close(self) -> None:
        """Close the zip."""
        self._zip.close()
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def _explain_no_zip(path: Path, error: Exception) -> Finding:
    kind = detect_file_type(path)
    if kind is None or kind.name in ("text", "folder"):
        if isinstance(error, OSError):
            problem = f"it cannot be read ({error.strerror})."
            return make_finding("not-an-archive", path.name, problem, "Change its permissions.")
        problem, fix = "this is neither a zip nor a folder.", "Give a zip or folder in the SENSORIUM 2022 layout."
    else:
        detail = f" ({error})" if kind.name == "damaged-zip" else ""
        problem, fix = f"this is {kind.description}{detail}.", f"{kind.advice[0].upper()}{kind.advice[1:]}."
    return make_finding("not-an-archive", path.name, problem, fix)


def open_archive(path: Path) -> Archive:
    """Open a zip or folder as an archive.

    Parameters
    ----------
    path
        Path of the zip or folder.

    Raises
    ------
    InputError
        If `path` does not exist, or is neither a zip nor a folder.
    """
    if path.is_dir():
        return FolderArchive(path)
    if not path.exists():
        raise InputError(_missing_archive_message(path))
    if not path.is_file():
        raise InputError(f"{path} is neither a file nor a folder: give a zip or folder in the SENSORIUM 2022 layout.")
    return ZipArchive(path)


def _missing_archive_message(path: Path) -> str:
    neighbours = (
        sorted(p.name for p in path.parent.glob("*") if p.suffix.lower() == ".zip" or p.is_dir())
        if path.parent.is_dir()
        else []
    )
    hint = f"; its folder contains {listed(neighbours)}" if neighbours else ""
    return f"There is no archive at {path}{hint}: give the path of a recording's zip or folder."
