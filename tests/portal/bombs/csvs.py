"""CSVs of 2022 that were made to harm."""

from collections.abc import Callable
from pathlib import Path

from striate.submissions import Submission
from striate.submissions.formats import sensorium_csv
from tests.portal.bombs.disguises import another_format
from tests.portal.bombs.making import CSV_BOMBS, Random, bomb


def _csvs(sound: Path, folder: Path) -> dict[str, bytes]:
    """The two CSVs of a sound submission."""
    folder.mkdir()
    sensorium_csv.write(Submission.read(sound), folder)
    return {name: (folder / name).read_bytes() for name in sensorium_csv.SUBMISSION_FILES.values()}


def _changed(sound: Path, path: Path, change: Callable[[bytes], bytes]) -> Path:
    for name, content in _csvs(sound, path).items():
        (path / name).write_bytes(change(content))
    return path


@bomb(CSV_BOMBS)
def endless_line(sound: Path, path: Path, random: Random) -> Path:
    """One line of many megabytes, as header or as row."""
    size = int(random.integers(10**6, 10**8))
    header = random.random() < 0.3
    return _changed(sound, path, lambda c: b"x" * size if header else c.splitlines()[0] + b"\n" + b"1," * size)


@bomb(CSV_BOMBS)
def a_million_cells(sound: Path, path: Path, random: Random) -> Path:
    """Rows without an end, or lists without an end."""
    kind = int(random.integers(3))

    def change(content: bytes) -> bytes:
        head, first, *_ = content.splitlines()
        if kind == 0:
            return head + b"\n" + b"1,1,[],[]\n" * 5_000_000
        if kind == 1:
            return head + b"\n" + b'1,1,"[' + b"0, " * 10_000_000 + b'0]","[1]"\n'
        return head + b"," * 1_000_000 + b"\n" + first + b"," * 1_000_000

    return _changed(sound, path, change)


@bomb(CSV_BOMBS)
def odd_numbers(sound: Path, path: Path, random: Random) -> Path:
    """Numbers that are none, or too large, or too long."""
    odd = [
        b"1e999",
        b"nan",
        b"-inf",
        b"-0.5",
        b"1" * 100_000,
        b"0x10",
        b"1_000",
        "١".encode(),
        b"1e",
        b"",
        b"None",
        b"__import__('os')",
    ]
    wrong = odd[int(random.integers(len(odd)))]

    def change(content: bytes) -> bytes:
        head, first, *rest = content.split(b"\n")
        start = first.index(b"[") + 1
        end = min(place for place in (first.find(b",", start), first.find(b"]", start)) if place >= 0)
        return b"\n".join([head, first[:start] + wrong + first[end:], *rest])

    return _changed(sound, path, change)


@bomb(CSV_BOMBS)
def quotes(sound: Path, path: Path, random: Random) -> Path:
    """Quotes that are not closed, or doubled, or many; bytes that no text has."""
    odd = [b'"', b'""', b'"' * 1_000_001, b"\0", b"\xff\xfe", b"\r", b"\n\n\n", b"[" * 100_000, b"=cmd|' /C calc'!A0"]
    wrong = odd[int(random.integers(len(odd)))]

    def change(content: bytes) -> bytes:
        at = int(random.integers(content.index(b"\n"), len(content) // 2))
        return content[:at] + wrong + content[at:]

    return _changed(sound, path, change)


@bomb(CSV_BOMBS)
def another_format_csv(sound: Path, path: Path, random: Random) -> Path:
    """Something else under the name of a CSV."""
    path.mkdir()
    for name in sensorium_csv.SUBMISSION_FILES.values():
        another_format(sound, path / name, random)
    return path


@bomb(CSV_BOMBS)
def cut_short_csv(sound: Path, path: Path, random: Random) -> Path:
    """The end of it is missing."""
    share = random.random() * 0.99
    return _changed(sound, path, lambda content: content[: int(share * len(content))])


@bomb(CSV_BOMBS)
def links(sound: Path, path: Path, _: Random) -> Path:
    """Links to what the sender may not read, or to what never ends."""
    path.mkdir()
    for name, target in zip(sensorium_csv.SUBMISSION_FILES.values(), ("/etc/passwd", "/dev/zero"), strict=True):
        (path / name).symlink_to(target)
    return path
