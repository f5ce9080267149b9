"""Every public number of a trial: columns of any type, low digits, places and sizes in the zip, parts of names."""

import io
import pickletools
import re
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.competition.probes.public_archive import PublicArchive, state_variables
from striate.recordings import layout, npy_format
from striate.recordings.archive import Archive, open_archive
from striate.recordings.checks.report import UnreadableError

Array = NDArray[Any]

_NEEDED_TRIAL_FIELDS = (*layout.TRIAL_FIELDS, "frame_image_class")
_NEEDED_NEURON_FIELDS = (*layout.NEURON_FIELDS, layout.COORDINATES)
_STATISTICS = frozenset(
    layout.statistics_member(variable, which, statistic).lower()
    for variable in layout.VARIABLES
    for which in layout.STATISTICS_SETS
    for statistic in layout.STATISTICS
)
_MOST_COLUMNS = 64  # of one array
_MOST_PICKLED = 2**20  # numbers in one pickle
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")
_HEADER = struct.Struct("<4s5H3L2H")
_PERIODS = 3.0  # of a digit, that values must span for the digits below it to be noise


@dataclass(frozen=True, eq=False)
class PublicNumber:
    """One public number of each trial.

    Attributes
    ----------
    member
        Member of the archive it comes from, or a description of its place.
    what
        For messages, the start of a sentence.
    values : (T,)
        Sortable values; NaN where a trial has none.
    kind
        ``field``, ``digits``, ``file``, ``image id``, ``name`` or ``zip``.
    """

    member: str
    what: str
    values: Array
    kind: str


def known_member(name: str, trials: int) -> bool:
    """Whether a member (below the root of its recording) is one of the layout."""
    parsed = layout.parse_data_member(name)
    if parsed is not None:
        return parsed[0] in layout.VARIABLES and parsed[1] < trials
    for folder, fields in (("meta/trials/", _NEEDED_TRIAL_FIELDS), ("meta/neurons/", _NEEDED_NEURON_FIELDS)):
        if name.startswith(folder):
            return name.removeprefix(folder).removesuffix(".npy") in fields and name.endswith(".npy")
    return name.lower() in _STATISTICS or name in (layout.BENCHMARK_MEMBER, layout.SESSION_MEMBER)


def unknown_members(archive: PublicArchive, opened: Archive) -> Iterator[tuple[str, Array | None]]:
    """Members of a recording that the layout does not know, and the array in each; None where nothing can be read."""
    for name in opened.members:
        if not known_member(name, len(archive.tier)):
            try:
                content = opened.read(name)
            except UnreadableError:
                yield name, None
                continue
            yield name, parse_any(content, name)


def parse_any(content: bytes, name: str) -> Array | None:
    """Read an array of any type. Of objects the numbers in their pickle are read, and nothing is ever loaded."""
    try:
        return npy_format.parse(content, name)
    except UnreadableError:
        pass
    if content[:6] != b"\x93NUMPY":
        return None
    start = content.find(b"\x80", 10)
    return pickled_numbers(content[start:]) if start > 0 else None


def pickled_numbers(content: bytes) -> Array | None:
    """Numbers that a pickle names, in their order, without running it."""
    numbers: list[float] = []
    try:
        for opcode, argument, _ in pickletools.genops(io.BytesIO(content)):
            if isinstance(argument, float) or ("INT" in opcode.name and isinstance(argument, int)):
                numbers.append(float(argument))
            if len(numbers) > _MOST_PICKLED:
                break
    except (ValueError, KeyError, IndexError, UnicodeDecodeError, OverflowError):
        pass
    return np.array(numbers) if numbers else None


def columns(array: Array, count: int) -> Iterator[tuple[str, Array]]:
    """Every way to see an array as one sortable number for each of `count` trials.

    Parameters
    ----------
    array
        Of any type but objects.
    count
        Number of trials.

    Yields
    ------
    str, (count,) array
        Which part of the array it is (empty for the whole), and its numbers.
    """
    if array.dtype.names:
        for field in array.dtype.names:
            for part, values in columns(array[field], count):
                yield f" field {field!r}{part}", values
        return
    if array.dtype.kind == "V":
        array = np.frombuffer(array.tobytes(), np.uint8).reshape(*array.shape, -1)
    if array.dtype.kind == "c":
        for part, values in (("real part", array.real), ("imaginary part", array.imag)):
            yield from ((f" {part}{name}", each) for name, each in columns(values, count))
        return
    if array.dtype.kind in "mM":
        array = array.view(np.int64)
    if array.dtype.kind == "S":
        array = np.char.decode(array, "latin-1") if array.dtype.itemsize else array.astype("U1")
    if array.size % max(count, 1) or not array.size or not count:
        return
    width = array.size // count
    if count in array.shape:
        table = np.moveaxis(array, array.shape.index(count), 0).reshape(count, -1)
    else:
        table = array.reshape(count, width)
    for column in range(min(width, _MOST_COLUMNS)):
        part = f" column {column}" if width > 1 else ""
        values = table[:, column]
        yield part, values
        if values.dtype.kind == "U":
            yield f"{part}, length of the text", np.char.str_len(values)
            found = [_NUMBER.findall(text) for text in values.tolist()]
            for place in range(min((len(numbers) for numbers in found), default=0)):
                if place < 8:
                    yield f"{part}, number {place + 1} in the text", np.array([float(n[place]) for n in found])


def public_numbers(archive: PublicArchive) -> list[PublicNumber]:
    """Every public number of each trial of an archive, beside behaviour and responses themselves."""
    count = len(archive.tier)
    found = [
        PublicNumber("", "the numbers of its files", np.arange(count), "file"),
        PublicNumber("meta/trials/frame_image_id.npy", "image ids", archive.image_id, "image id"),
    ]
    found += _of_names(archive)
    found += _of_unknown_members(archive, count)
    found += _of_columns(archive)
    found += _low_digits(archive)
    if archive.file.is_file():
        found += _of_zip(archive, count)
    return [number for number in found if len(number.values) == count and (number.values != number.values[0]).any()]


def _of_names(archive: PublicArchive) -> Iterator[PublicNumber]:
    names = archive.recording.trials["trial_idx"].to_numpy()
    member = "meta/trials/trial_idx.npy"
    if names.dtype.kind in "iu":
        return
    texts = names.astype(str)
    yield PublicNumber(member, "trial names, sorted as text", texts, "name")
    yield PublicNumber(member, "the lengths of trial names", np.char.str_len(texts), "name")
    plain = np.char.replace(texts, "-", "")
    length = int(np.char.str_len(plain).min())
    for start in range(0, length - 3, 4):
        part = np.array([text[start : start + 4] for text in plain.tolist()])
        yield PublicNumber(member, f"letters {start + 1} to {start + 4} of trial names", part, "name")
    if length > 8:
        ends = np.array([text[-8:] for text in plain.tolist()])
        yield PublicNumber(member, "the last 8 letters of trial names", ends, "name")
        backwards = np.array([text[::-1] for text in plain.tolist()])
        yield PublicNumber(member, "trial names, read backwards", backwards, "name")


def _of_unknown_members(archive: PublicArchive, count: int) -> Iterator[PublicNumber]:
    per_trial: dict[str, dict[int, Array]] = {}
    with open_archive(archive.file) as opened:
        for name, array in unknown_members(archive, opened):
            if array is None:
                continue
            parsed = layout.parse_data_member(name)
            if parsed is not None and parsed[1] < count:
                per_trial.setdefault(parsed[0], {})[parsed[1]] = array
                continue
            for part, values in columns(array, count):
                yield PublicNumber(name, f"{name}{part}", values, "field")
    for variable, arrays in per_trial.items():
        if len(arrays) == count and len({(a.shape, a.dtype) for a in arrays.values()}) == 1:
            stacked = np.stack([arrays[trial] for trial in range(count)])
            for part, values in columns(stacked, count):
                yield PublicNumber(f"data/{variable}", f"data/{variable}{part}", values, "field")


def _of_columns(archive: PublicArchive) -> Iterator[PublicNumber]:
    """Of a table that was not read from members, such as that of a recording in memory."""
    table = archive.recording.trials
    if "frame_image_class" in table.columns:
        values = table["frame_image_class"].astype(str).to_numpy()
        yield PublicNumber("meta/trials/frame_image_class.npy", "the image class", values, "field")


def _low_digits(archive: PublicArchive) -> Iterator[PublicNumber]:
    """Digits of behaviour and eye position that are noise in a measurement."""
    for variable in state_variables(archive.recording):
        table = np.asarray(getattr(archive.recording, variable))
        names = archive.recording.benchmark.components[variable]
        for column in range(table.shape[1]):
            called = names[column]
            for digits, values in low_digits(table[:, column]):
                yield PublicNumber(f"data/{variable}", f"{digits} of {called}", values, "digits")


def low_digits(values: Array) -> Iterator[tuple[str, Array]]:
    """Digits of numbers that are too low to mean anything: the last bits, and decimal digits below the noise.

    Values that occur several times (0 at rest, whole numbers, rounded ones) have none.

    Yields
    ------
    str, (T,) float64
        Which digits, and their values, NaN where a value occurs several times.
    """
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    alone = counts[inverse] == 1
    if values.dtype.kind != "f" or 3 * alone.sum() < len(values):
        return
    bits = {2: (np.uint16, 0xF), 4: (np.uint32, 0xFFF), 8: (np.uint64, 0xFFFFFFFF)}.get(values.dtype.itemsize)
    if bits is not None:
        last = np.ascontiguousarray(values).view(bits[0]) & bits[0](bits[1])
        yield "the last bits", np.where(alone, last.astype(np.float64), np.nan)
    doubles = values.astype(np.float64)
    spread, largest = float(np.std(doubles[alone])), float(np.abs(doubles).max(initial=0.0))
    precision = float(np.finfo(values.dtype).eps)
    for digit in range(-2, 12):
        scale = 10.0**digit
        if spread * scale >= _PERIODS and largest * scale * precision < 0.3:
            where = f"the digits after decimal place {digit}" if digit > 0 else "the decimal digits"
            yield where, np.where(alone, np.mod(doubles * scale, 1.0), np.nan)


def _of_zip(archive: PublicArchive, count: int) -> Iterator[PublicNumber]:
    """What the zip says of each trial's members: in its directory and in the headers before the members."""
    said: dict[tuple[str, str], dict[int, int]] = {}
    with zipfile.ZipFile(archive.file) as opened, archive.file.open("rb") as raw:
        for place, info in enumerate(opened.infolist()):
            parsed = layout.parse_data_member("/".join(info.filename.split("/")[-3:]))
            if parsed is None or parsed[1] >= count:
                continue
            variable, trial = parsed
            numbers = {
                "the place in the directory of the zip": place,
                "the place of the member in the zip": info.header_offset,
                "the clock in the directory of the zip": _clock(info.date_time),
            }
            if variable == "images" or (variable == "responses" and archive.is_track and archive.tested[trial]):
                numbers["the packed size of the member"] = info.compress_size
            numbers |= {f"{k} in the directory of the zip": v for k, v in _extra_numbers(info.extra).items()}
            raw.seek(info.header_offset)
            head = raw.read(_HEADER.size)
            if len(head) == _HEADER.size and head[:4] == b"PK\3\4":
                _, version, flags, method, time, date, crc, packed, size, name, extra = _HEADER.unpack(head)
                numbers["the clock in the header before the member"] = date << 16 | time
                numbers["the version in the header before the member"] = version
                raw.seek(name, 1)
                fields = _extra_numbers(raw.read(extra))
                numbers |= {f"{k} in the header before the member": v for k, v in fields.items()}
                for what, value, listed in (
                    ("flags", flags, info.flag_bits),
                    ("method", method, info.compress_type),
                    ("checksum", crc, info.CRC),
                    ("packed size", packed, info.compress_size),
                    ("size", size, info.file_size),
                ):
                    if value != listed:
                        numbers[f"the {what} in the header before the member"] = value
            for what, value in numbers.items():
                said.setdefault((variable, what), {})[trial] = value
    for (variable, what), values in said.items():
        full = np.full(count, -1, dtype=np.int64)
        full[list(values)] = [v & (2**62 - 1) for v in values.values()]
        yield PublicNumber(f"data/{variable}", f"{what} (data/{variable})", full, "zip")


def _clock(moment: tuple[int, ...]) -> int:
    year, month, day, hour, minute, second = moment
    return ((((year * 12 + month) * 31 + day) * 24 + hour) * 60 + minute) * 60 + second


def _extra_numbers(extra: bytes) -> dict[str, int]:
    """Numbers in extra fields: 4 bytes at each even place."""
    if not extra:
        return {}
    padded = extra[:64] + b"\0" * 4
    return {
        f"bytes {at} to {at + 3} of extra fields": int.from_bytes(padded[at : at + 4], "little")
        for at in range(min(len(extra), 64))
    }
