"""Zips as containers: clocks, order of members, and bytes that belong to no member."""

import hashlib
import struct
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from isal import isal_zlib

from striate._internal.zip_files import open_zip
from striate.competition.leaks import leak
from striate.competition.probes.material import Material
from striate.competition.probes.per_trial import known_member
from striate.competition.probes.public_archive import PublicArchive
from striate.competition.probes.serial import rank_correlation, resemblance, strong
from striate.errors import listed
from striate.recordings import layout
from striate.recordings.checks.report import Finding, Severity

_MEND = "Write the archive with striate (`striate competition build`, `striate.write`)."
_NORMAL = (1980, 1, 1, 0, 0, 0)
_LARGEST_MEMBER = 2**20  # bytes that are unpacked here
_HEADER = struct.Struct("<4s2B4H2H2L2H")  # of a member, without name and extra field
_END = 22  # bytes of the end of the central directory


def look(material: Material) -> Iterator[Finding]:
    """Look into every zip of the folder."""
    for archive in material.archives:
        if archive.file.is_file():
            with open_zip(archive.file) as opened:
                infos = [info for info in opened.infolist() if not info.is_dir()]
                yield from _clocks(archive, infos)
                yield from _members(archive, infos)
                yield from _order(archive, infos)
                yield from _leftovers(archive, opened, infos)
        else:
            names = [path.relative_to(archive.file).as_posix() for path in archive.file.rglob("*") if path.is_file()]
            yield from _extra(archive, names)
            yield from _file_clocks(archive)


def _file_clocks(archive: PublicArchive) -> Iterator[Finding]:
    """Of a recording as a folder: the moments at which its files were last changed."""
    files = [archive.file / layout.data_member("images", trial) for trial in range(len(archive.tier))]
    if not all(file.is_file() for file in files):
        return
    moments = np.array([file.stat().st_mtime_ns for file in files])
    if len(set(moments.tolist())) <= 3:
        return
    said = None
    if archive.order is not None and strong(found := rank_correlation(archive.order, moments), len(moments)):
        said = f"follow the order of the trials (rank correlation {found:.2f})"
    elif (alike := resemblance(archive, moments)) is not None:
        said = f"put similar trials next to each other when sorted (r = {alike:.2f})"
    if said:
        message = f"the modification times of its files {said}."
        yield leak("zip-clock", archive.name, message, "Publish a zip, in which striate writes one moment.")


def _clocks(archive: PublicArchive, infos: list[zipfile.ZipInfo]) -> Iterator[Finding]:
    clocks = Counter(info.date_time for info in infos)
    if len(clocks) > 1:
        message = f"its members have {len(clocks)} different modification times{_tells(archive, infos)}."
        yield leak("zip-clock", archive.name, message, _MEND)
    elif clocks and next(iter(clocks)) != _NORMAL:
        message = f"all members have the modification time {next(iter(clocks))}, when the archive was made."
        yield leak("zip-clock", archive.name, message, "", Severity.NOTE)


def _tells(archive: PublicArchive, infos: list[zipfile.ZipInfo]) -> str:
    """Whether the clocks of the trials' members follow the trials' order, where that is known."""
    order = archive.order
    if order is None:
        return ""
    pairs = [(info.date_time, trial) for info in infos if (trial := _trial(info.filename)) is not None]
    moments = np.array([i for i, _ in enumerate(sorted({m for m, _ in pairs}))])
    ranks = dict(zip(sorted({m for m, _ in pairs}), moments.tolist(), strict=True))
    known = [(ranks[m], order[t]) for m, t in pairs if t < len(order)]
    if len(known) < 10:
        return ""
    one, other = (np.array(values, dtype=float) for values in zip(*known, strict=True))
    found = rank_correlation(one, other)
    return f", which follow the order of the trials (rank correlation {found:.2f})" if strong(found, len(order)) else ""


def _trial(name: str) -> int | None:
    parsed = layout.parse_data_member("/".join(name.split("/")[-3:]))
    return parsed[1] if parsed else None


def _members(archive: PublicArchive, infos: list[zipfile.ZipInfo]) -> Iterator[Finding]:
    names = [info.filename for info in infos]
    top = {name.split("/")[0] for name in names}
    below = [name.split("/", 1)[1] if len(top) == 1 and "/" in name else name for name in names]
    yield from _extra(archive, below)
    if doubled := [name for name, count in Counter(names).items() if count > 1]:
        message = (
            f"{len(doubled)} names stand for several members: {listed(doubled)}; a former version may be among them."
        )
        yield leak("zip-leftovers", archive.name, message, _MEND)


def _extra(archive: PublicArchive, names: list[str]) -> Iterator[Finding]:
    """Members that the layout does not know, whether or not they can be read; `fields` reports those that were read."""
    trials = len(archive.recording.trials)
    read = {f"meta/trials/{column}.npy" for column in archive.recording.trials.columns}
    read |= {f"meta/neurons/{column}.npy" for column in archive.recording.neurons.columns}
    extra = [name for name in names if not known_member(name, trials) and name not in read]
    if extra:
        message = f"{len(extra)} members do not belong to the layout: {listed(extra)}."
        yield leak("extra-member", archive.name, message, _MEND)


def _order(archive: PublicArchive, infos: list[zipfile.ZipInfo]) -> Iterator[Finding]:
    """Data by variable and number, then the tables by name, as striate writes them."""
    place = [_place(info.filename) for info in sorted(infos, key=lambda info: info.header_offset)]
    listed_as = [_place(info.filename) for info in infos]
    if place == sorted(place) and listed_as == sorted(listed_as):
        return
    numbers = np.array([p[2] for p in place if p[0] == 0 and p[1] == place[0][1]], dtype=float)
    said = ""
    if archive.order is not None and len(numbers) == len(archive.order) > 10:
        found = rank_correlation(archive.order[numbers.astype(int)].astype(float), np.arange(len(numbers), dtype=float))
        said = (
            f"; it follows the order of the trials (rank correlation {found:.2f})"
            if strong(found, len(numbers))
            else ""
        )
    yield leak("zip-order", archive.name, f"its members are not in the order of their numbers{said}.", _MEND)


def _place(name: str) -> tuple[int, str, int, str]:
    parsed = layout.parse_data_member("/".join(name.split("/")[-3:]))
    return (0, parsed[0], parsed[1], "") if parsed else (1, "", 0, name)


def _leftovers(archive: PublicArchive, opened: zipfile.ZipFile, infos: list[zipfile.ZipInfo]) -> Iterator[Finding]:
    found: list[str] = []
    if opened.comment:
        found.append(f"a comment of {len(opened.comment)} bytes")
    if commented := sum(bool(info.comment) for info in infos):
        found.append(f"comments of {commented} members")
    if extra := sum(bool(info.extra) for info in infos):
        found.append(f"extra fields of {extra} members, where other tools put clocks and user names")
    for what in ("compress_type", "external_attr", "create_system", "create_version", "flag_bits"):
        if len(values := {getattr(info, what) for info in opened.infolist()}) > 1:
            found.append(f"{len(values)} values of {what}")
    if folders := len(opened.infolist()) - len(infos):
        found.append(f"{folders} members that are folders")
    found += _slack(archive.file, opened)
    found += _disagreements(archive.file, infos)
    found += _streams(archive.file, infos)
    if found:
        yield leak("zip-leftovers", archive.name, f"beside its members it has {', '.join(found)}.", _MEND)


def _slack(path: Path, opened: zipfile.ZipFile) -> list[str]:
    """Bytes between the members, before the first and after the last: former versions, and whatever can be hidden there."""
    found, gaps, local_extra, at = [], 0, 0, 0
    size = path.stat().st_size
    directory = int(opened.start_dir)
    with path.open("rb") as file:
        for info in sorted(opened.infolist(), key=lambda info: info.header_offset):
            file.seek(info.header_offset)
            head = file.read(_HEADER.size)
            if len(head) < _HEADER.size or head[:4] != b"PK\x03\x04":
                continue
            *_, name, extra = _HEADER.unpack(head)
            gaps += max(0, info.header_offset - at)
            local_extra += extra
            at = info.header_offset + _HEADER.size + name + extra + info.compress_size
    gaps += max(0, directory - at)
    if gaps:
        found.append(f"{gaps} bytes that belong to none (a former version, or something hidden)")
    if local_extra:
        found.append(f"{local_extra} bytes of extra fields before members")
    entries = sum(46 + len(i.orig_filename.encode()) + len(i.extra) + len(i.comment) for i in opened.infolist())
    after = size - directory - entries - _END - len(opened.comment)
    if after > 0:
        found.append(f"{after} bytes after its end")
    return found


def _disagreements(path: Path, infos: list[zipfile.ZipInfo]) -> list[str]:
    """What the header before a member says otherwise than the directory: readers see one, and an attacker both."""
    other: Counter[str] = Counter()
    with path.open("rb") as file:
        for info in infos:
            file.seek(info.header_offset)
            head = file.read(_HEADER.size)
            if len(head) < _HEADER.size or head[:4] != b"PK\x03\x04":
                other["place"] += 1
                continue
            _, version, system, flags, method, time, date, crc_low, crc_high, *sizes, name, _extra_size = (
                _HEADER.unpack(head)
            )
            year, month, day, hour, minute, second = info.date_time
            clock = ((year - 1980) << 9 | month << 5 | day, hour << 11 | minute << 5 | second // 2)
            name_bytes = file.read(name)
            later = bool(flags & 8)  # sizes and checksum follow the member
            said = {
                "clock": (date, time) == clock,
                "flags": flags == info.flag_bits,
                "method": method == info.compress_type,
                "version": (version, system) == (info.extract_version, info.reserved),
                "checksum": later or crc_high << 16 | crc_low == info.CRC,
                "sizes": later or 0xFFFFFFFF in sizes or sizes == [info.compress_size, info.file_size],
                "name": name_bytes
                in (info.orig_filename.encode("utf-8"), info.orig_filename.encode("cp437", "replace")),
            }
            other.update(what for what, same in said.items() if not same)
    return [f"another {what} before {count} members than in the directory" for what, count in sorted(other.items())]


def _streams(path: Path, infos: list[zipfile.ZipInfo]) -> list[str]:
    """The same content packed in several ways, and bytes after the end of what is packed."""
    found: list[str] = []
    forms: dict[bytes, bytes] = {}
    behind = 0
    several: set[bytes] = set()
    with path.open("rb") as file:
        for info in infos:
            if info.file_size > _LARGEST_MEMBER or info.compress_size > 2 * _LARGEST_MEMBER:
                continue
            file.seek(info.header_offset + 26)
            name, extra = struct.unpack("<2H", file.read(4))
            file.seek(name + extra, 1)
            packed = file.read(info.compress_size)
            content = packed
            if info.compress_type == zipfile.ZIP_DEFLATED:
                unpacker = isal_zlib.decompressobj(-15)
                try:
                    content = unpacker.decompress(packed, info.file_size + 1)
                except isal_zlib.error:  # type: ignore[misc]  # its stubs take the error for an instance
                    continue
                behind += len(unpacker.unused_data)
            # Digests of the content, because checksums of 32 bits agree by chance among thousands of members.
            identity, form = (hashlib.blake2b(each, digest_size=16).digest() for each in (content, packed))
            if forms.setdefault(identity, form) != form:
                several.add(identity)
    if several:
        found.append(f"{len(several)} members whose equal content is packed in several ways")
    if behind:
        found.append(f"{behind} bytes behind what is packed in members")
    return found
