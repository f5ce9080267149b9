"""Files that were made to harm: ``python -m tests.portal.bombs --files 2000 --seed 0`` hands them to the portal's decoder.

Each kind is a function that writes one file (or a folder of CSVs) from a sound submission and a generator of random numbers. The
campaign counts what became of them; none may be accepted, none may be the platform's failure, and no child may pass its limits.
"""

import argparse
import gzip
import io
import json
import os
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from striate.errors import InputError
from striate.submissions import Submission, legacy

Random = np.random.Generator
Bomb = Callable[[Path, Path, Random], Path]
BOMBS: dict[str, Bomb] = {}
CSV_BOMBS: dict[str, Bomb] = {}


def _bomb(into: dict[str, Bomb]) -> Callable[[Bomb], Bomb]:
    def keep(made: Bomb) -> Bomb:
        into[made.__name__] = made
        return made

    return keep


def _header(sound: Path, **changes: Any) -> bytes:
    said = json.loads(pq.read_schema(sound).metadata[b"striate"])
    return json.dumps({**said, **changes}).encode()


def _table(sound: Path, header: bytes | None = None, **columns: Any) -> pa.Table:
    """The table of a sound file, with other columns or another header."""
    table = pq.read_table(sound)
    for name, values in columns.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, pa.field(name, values.type, nullable=pa.types.is_null(values.type)), values)
    return table.replace_schema_metadata({b"striate": header or _header(sound)})


def _write(table: pa.Table, path: Path, **how: Any) -> Path:
    pq.write_table(table, path, **{"compression": "zstd", "store_schema": True, **how})
    return path


def _lists(values: np.ndarray) -> pa.Array:
    kind = pa.list_(pa.field("element", pa.float32(), nullable=False), values.shape[1])
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1), pa.float32()), type=kind)


def _values(sound: Path) -> np.ndarray:
    return Submission.read(sound).predictions.copy()


# -- Files that claim, or hold, far more than they seem to


@_bomb(BOMBS)
def many_rows(sound: Path, path: Path, random: Random) -> Path:
    """Many rows in a few kilobytes: each column one value, run-length encoded."""
    neurons = len(json.loads(_header(sound))["unit_ids"])
    count = 20_000
    one = {"tier": pa.array(["test"] * count), "trial_idx": pa.array([0] * count), "image_id": pa.array([0] * count)}
    table = pa.table({**one, "prediction": _lists(np.zeros((count, neurons), np.float32))})
    table = table.replace_schema_metadata({b"striate": _header(sound)})
    with pq.ParquetWriter(path, table.schema, compression="zstd") as writer:
        for _ in range(int(random.integers(8, 12))):
            writer.write_table(table, row_group_size=count)
    return path


@_bomb(BOMBS)
def a_billion_rows_claimed(sound: Path, path: Path, _: Random) -> Path:
    """The number of rows in the footer is 1e9; nothing stands behind it."""
    data = sound.read_bytes()
    (length,) = struct.unpack("<I", data[-8:-4])
    start = len(data) - 8 - length
    footer = data[start:-8]
    rows = pq.read_metadata(sound).num_rows
    old, new = _varint(2 * rows), _varint(2 * 10**9)
    changed = footer.replace(b"\x16" + old, b"\x16" + new)  # 64-bit fields, the number of rows among them
    path.write_bytes(data[:start] + changed + struct.pack("<I", len(changed)) + b"PAR1")
    return path


def _varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


@_bomb(BOMBS)
def huge_strings(sound: Path, path: Path, random: Random) -> Path:
    """One string of many megabytes, in each row."""
    rows = pq.read_metadata(sound).num_rows
    text = chr(int(random.integers(97, 122))) * int(random.integers(1e6, 3e7))
    return _write(
        _table(sound, image_id=pa.array([text]).take(pa.array([0] * min(rows, 60) + [0] * (rows - 60)))), path
    )


@_bomb(BOMBS)
def nested_lists(sound: Path, path: Path, random: Random) -> Path:
    """Lists in lists in lists."""
    rows = pq.read_metadata(sound).num_rows
    kind: pa.DataType = pa.float32()
    value: Any = 1.0
    for _ in range(int(random.integers(3, 60))):
        kind, value = pa.list_(kind), [value]
    return _write(_table(sound, prediction=pa.array([value] * rows, kind)), path)


@_bomb(BOMBS)
def deep_structures(sound: Path, path: Path, random: Random) -> Path:
    """A schema hundreds of levels deep."""
    kind: pa.DataType = pa.int32()
    for _ in range(int(random.integers(100, 400))):
        kind = pa.struct([("a", kind)])
    schema = pa.schema([pa.field("deep", kind)], metadata={b"striate": _header(sound)})
    pq.write_metadata(schema, path)
    return path


@_bomb(BOMBS)
def thousands_of_columns(sound: Path, path: Path, random: Random) -> Path:
    """Columns that nobody asked for."""
    table = _table(sound)
    column = pa.array(np.zeros(table.num_rows, np.int8))
    for number in range(int(random.integers(1000, 3000))):
        table = table.append_column(f"c{number}", column)
    return _write(table, path)


@_bomb(BOMBS)
def enormous_metadata(sound: Path, path: Path, random: Random) -> Path:
    """A footer of many megabytes."""
    header = _header(sound, session="x" * int(random.integers(2**24, 2**26)))
    return _write(_table(sound, header), path)


@_bomb(BOMBS)
def millions_of_ids(sound: Path, path: Path, random: Random) -> Path:
    """More unit ids than there are neurons."""
    return _write(_table(sound, _header(sound, unit_ids=list(range(int(random.integers(10**5, 2 * 10**6)))))), path)


@_bomb(BOMBS)
def deep_json(sound: Path, path: Path, random: Random) -> Path:
    """A header whose JSON is nested without an end."""
    deep = int(random.integers(1000, 200_000))
    return _write(_table(sound, b'{"unit_ids":' + b"[" * deep + b"]" * deep + b"}"), path)


@_bomb(BOMBS)
def large_footer_length(sound: Path, path: Path, random: Random) -> Path:
    """The footer says that it is longer than the file, or than any file."""
    data = sound.read_bytes()
    path.write_bytes(data[:-8] + struct.pack("<I", int(random.integers(len(data), 2**32 - 1))) + b"PAR1")
    return path


# -- Files that are not what they say


@_bomb(BOMBS)
def another_compression(sound: Path, path: Path, random: Random) -> Path:
    """Written with one codec, labelled with another."""
    how = str(random.choice(["snappy", "gzip", "brotli", "lz4", "none"]))
    clean = io.BytesIO()
    pq.write_table(_table(sound), clean, compression=how)
    data = clean.getvalue()
    (length,) = struct.unpack("<I", data[-8:-4])
    start = len(data) - 8 - length
    code = {"none": 0, "snappy": 1, "gzip": 2, "brotli": 4, "lz4": 7}[how]
    # Of LZ4 there are two labels (5 and 7), and readers take either for the other: that file would be sound.
    others = [each for each in range(8) if each != code and {each, code} != {5, 7}]
    # In a column's metadata the codec (field 4, an enumeration) is followed by the number of values (field 5).
    footer = data[start:-8].replace(bytes([0x15, 2 * code, 0x16]), bytes([0x15, 2 * int(random.choice(others)), 0x16]))
    path.write_bytes(data[:start] + footer + data[-8:])
    return path


@_bomb(BOMBS)
def lying_pages(sound: Path, path: Path, random: Random) -> Path:
    """Sizes in the heads of pages that are not theirs."""
    data = bytearray(sound.read_bytes())
    (length,) = struct.unpack("<I", data[-8:-4])
    footer = len(data) - 8 - length
    metadata = pq.read_metadata(sound)
    for group in range(metadata.num_row_groups):
        for number in range(metadata.num_columns):
            column = metadata.row_group(group).column(number)
            at = column.dictionary_page_offset if column.has_dictionary_page else column.data_page_offset
            for place in range(at + 1, min(at + 10, footer)):
                data[place] = int(random.integers(0, 256))
    path.write_bytes(bytes(data))
    return path


@_bomb(BOMBS)
def another_format(sound: Path, path: Path, random: Random) -> Path:
    """The magic bytes of something else, or a bomb of it."""
    zeros = bytes(2**24)
    kinds: dict[str, Callable[[], bytes]] = {
        "gzip": lambda: gzip.compress(gzip.compress(zeros * 4)),
        "zip": lambda: _zipped(zeros),
        "pickle": lambda: b"\x80\x04cposix\nsystem\n(S'touch /tmp/striate-was-here'\ntR.",
        "npy": lambda: (
            b"\x93NUMPY\x01\x00\x76\x00" + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}" + zeros[:100]
        ),
        "arrow": lambda: b"ARROW1\x00\x00" + zeros[:1000],
        "hdf5": lambda: b"\x89HDF\r\n\x1a\n" + zeros[:1000],
        "png": lambda: b"\x89PNG\r\n\x1a\n" + zeros[:1000],
        "zeros": lambda: zeros[: int(random.integers(1, 2**20))],
        "script": lambda: b"#!/bin/sh\ntouch /tmp/striate-was-here\n",
        "html": lambda: b"<!doctype html><script>alert(1)</script>",
        "encrypted": lambda: b"PARE" + zeros[:100] + b"PARE",
        "empty": lambda: b"",
        "magic alone": lambda: b"PAR1PAR1",
        "magic twice": lambda: b"PAR1" + random.bytes(1000) + b"PAR1",
    }
    path.write_bytes(kinds[str(random.choice(list(kinds)))]())
    return path


def _zipped(content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(20):
            archive.writestr(f"../../../{number}.parquet", content)
    return stream.getvalue()


@_bomb(BOMBS)
def wrong_types(sound: Path, path: Path, random: Random) -> Path:
    """A column of another type."""
    rows = pq.read_metadata(sound).num_rows
    kinds = {
        "trial_idx": [pa.array(np.zeros(rows)), pa.array([True] * rows), pa.array([b"x"] * rows)],
        "tier": [pa.array([1] * rows), pa.array([b"test"] * rows)],
        "image_id": [pa.array([None] * rows, pa.null()), pa.array(np.zeros(rows, "datetime64[s]"))],
        "prediction": [pa.array([""] * rows), pa.array(_values(sound).astype(np.float64).tolist())],
    }
    name = str(random.choice(list(kinds)))
    return _write(_table(sound, **{name: kinds[name][int(random.integers(len(kinds[name])))]}), path)


# -- Sound files with something wrong in them


@_bomb(BOMBS)
def wrong_values(sound: Path, path: Path, random: Random) -> Path:
    """NaN, infinities, negative rates."""
    values = _values(sound)
    wrong = random.choice([np.nan, np.inf, -np.inf, -1e-3, -3e38])
    values[random.integers(values.shape[0]), random.integers(values.shape[1])] = wrong
    return _write(_table(sound, prediction=_lists(values)), path)


@_bomb(BOMBS)
def empty_values(sound: Path, path: Path, random: Random) -> Path:
    """Entries that are missing."""
    table = pq.read_table(sound)
    name = str(random.choice(["tier", "trial_idx", "image_id", "prediction"]))
    values = table.column(name).to_pylist()
    values[int(random.integers(len(values)))] = None
    column = pa.array(values, table.schema.field(name).type)
    table = table.set_column(table.schema.get_field_index(name), pa.field(name, column.type), column)
    return _write(table.replace_schema_metadata({b"striate": _header(sound)}), path)


@_bomb(BOMBS)
def wrong_ids(sound: Path, path: Path, random: Random) -> Path:
    """Huge, doubled and unknown ids; names that lead elsewhere."""
    rows = pq.read_metadata(sound).num_rows
    ids = pq.read_table(sound).column("trial_idx").to_pylist()
    said = json.loads(_header(sound))
    odd = str(
        random.choice(
            ["../../etc/passwd", "a\0b", "x" * 100_000, "\u202egpj", "=1+1", "🐭" * 60, "'; DROP TABLE portal"]
        )
    )
    changes: list[Callable[[], pa.Table]] = [
        lambda: _table(sound, trial_idx=pa.array([ids[0], *ids[:-1]])),
        lambda: _table(sound, trial_idx=pa.array([odd, *map(str, ids[1:])])),
        lambda: _table(sound, image_id=pa.array([2**62 + n for n in range(rows)])),
        lambda: _table(sound, tier=pa.array([odd] * rows)),
        lambda: _table(sound, _header(sound, session=odd)),
        lambda: _table(sound, _header(sound, track=odd)),
        lambda: _table(sound, _header(sound, protocol=odd)),
        lambda: _table(sound, _header(sound, unit_ids=[2**70, *said["unit_ids"][1:]])),
        lambda: _table(sound, _header(sound, unit_ids=[said["unit_ids"][1], *said["unit_ids"][1:]])),
        lambda: _table(sound, _header(sound, unit_ids=[-1, *said["unit_ids"][1:]])),
        lambda: _table(sound, _header(sound, more=1)),
        lambda: _table(sound).slice(1),
        lambda: pa.concat_tables([_table(sound)] * 2),
    ]
    return _write(changes[int(random.integers(len(changes)))](), path)


# -- Sound files that were damaged


@_bomb(BOMBS)
def cut_short(sound: Path, path: Path, random: Random) -> Path:
    """Some of it is missing: its end, its beginning, or something between."""
    data = sound.read_bytes()
    a, b = sorted(int(n) for n in random.integers(0, len(data), 2))
    path.write_bytes([data[:a], data[a + 1 :], data[:a] + data[b + 1 :]][int(random.integers(3))])
    return path


@_bomb(BOMBS)
def changed_bytes(sound: Path, path: Path, random: Random) -> Path:
    """Some bytes are others, anywhere; this may leave a sound file, whose values are others."""
    data = bytearray(sound.read_bytes())
    for _ in range(int(random.integers(1, 20))):
        data[int(random.integers(len(data)))] ^= int(random.integers(1, 256))
    path.write_bytes(bytes(data))
    return path


@_bomb(BOMBS)
def changed_footer(sound: Path, path: Path, random: Random) -> Path:
    """Some bytes of the footer are others, where all sizes and types stand; this may leave a sound file, too."""
    data = bytearray(sound.read_bytes())
    (length,) = struct.unpack("<I", data[-8:-4])
    for _ in range(int(random.integers(1, 4))):
        data[len(data) - 8 - 1 - int(random.integers(length))] = int(random.integers(256))
    path.write_bytes(bytes(data))
    return path


MAY_BE_SOUND = ("changed_bytes", "changed_footer")


# -- CSVs of 2022


def _csvs(sound: Path, folder: Path) -> dict[str, bytes]:
    """The two CSVs of a sound submission."""
    folder.mkdir()
    legacy.write(Submission.read(sound), folder)
    return {name: (folder / name).read_bytes() for name in legacy.SUBMISSION_FILES.values()}


def _changed(sound: Path, path: Path, change: Callable[[bytes], bytes]) -> Path:
    for name, content in _csvs(sound, path).items():
        (path / name).write_bytes(change(content))
    return path


@_bomb(CSV_BOMBS)
def endless_line(sound: Path, path: Path, random: Random) -> Path:
    """One line of many megabytes, as header or as row."""
    size = int(random.integers(10**6, 10**8))
    header = random.random() < 0.3
    return _changed(sound, path, lambda c: b"x" * size if header else c.splitlines()[0] + b"\n" + b"1," * size)


@_bomb(CSV_BOMBS)
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


@_bomb(CSV_BOMBS)
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


@_bomb(CSV_BOMBS)
def quotes(sound: Path, path: Path, random: Random) -> Path:
    """Quotes that are not closed, or doubled, or many; bytes that no text has."""
    odd = [b'"', b'""', b'"' * 1_000_001, b"\0", b"\xff\xfe", b"\r", b"\n\n\n", b"[" * 100_000, b"=cmd|' /C calc'!A0"]
    wrong = odd[int(random.integers(len(odd)))]

    def change(content: bytes) -> bytes:
        at = int(random.integers(content.index(b"\n"), len(content) // 2))
        return content[:at] + wrong + content[at:]

    return _changed(sound, path, change)


@_bomb(CSV_BOMBS)
def another_format_csv(sound: Path, path: Path, random: Random) -> Path:
    """Something else under the name of a CSV."""
    path.mkdir()
    for name in legacy.SUBMISSION_FILES.values():
        another_format(sound, path / name, random)
    return path


@_bomb(CSV_BOMBS)
def cut_short_csv(sound: Path, path: Path, random: Random) -> Path:
    """The end of it is missing."""
    share = random.random() * 0.99
    return _changed(sound, path, lambda content: content[: int(share * len(content))])


@_bomb(CSV_BOMBS)
def links(sound: Path, path: Path, _: Random) -> Path:
    """Links to what the sender may not read, or to what never ends."""
    path.mkdir()
    for name, target in zip(legacy.SUBMISSION_FILES.values(), ("/etc/passwd", "/dev/zero"), strict=True):
        (path / name).symlink_to(target)
    return path


_FORKS = """
import io, json, os, sys, traceback
from striate.portal.receiving import decode
for line in sys.stdin:
    told = json.loads(line)
    child = os.fork()
    if child == 0:
        os.setsid()
        for number, name in ((1, told["answer"]), (2, told["complaint"])):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT), number)
        sys.stdin, status = io.StringIO(told["job"]), 0
        try:
            decode.main()
            sys.stdout.flush()
        except BaseException:
            traceback.print_exc()
            status = 1
        os._exit(status)
    _, ended, used = os.wait4(child, 0)
    print(json.dumps([os.waitstatus_to_exitcode(ended), used.ru_maxrss]), flush=True)
"""


class Forks:
    """Children as the portal has them, but forked from one process that has done the imports: for thousands of files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.peak = 0
        self.running = subprocess.Popen(
            [sys.executable, "-P", "-c", _FORKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self) -> "Forks":
        """The next child."""
        return self

    waits = True

    def do(self, job: bytes) -> tuple[int, bytes, bytes]:
        """As the portal's own."""
        assert self.running.stdin is not None
        assert self.running.stdout is not None
        said, complaint = self.folder / "answer", self.folder / "complaint"
        for file in (said, complaint):
            file.unlink(missing_ok=True)
        told = {"job": job.decode(), "answer": str(said), "complaint": str(complaint)}
        self.running.stdin.write(json.dumps(told) + "\n")
        self.running.stdin.flush()
        status, peak = json.loads(self.running.stdout.readline())
        self.peak = max(self.peak, peak * 1024)
        return status, said.read_bytes(), complaint.read_bytes()

    def end(self) -> None:
        """Nothing: each child has ended."""


@dataclass
class Outcome:
    """What became of the files of a campaign."""

    refused: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)
    longest: float = 0.0
    slowest: str = ""
    peak: int = 0

    def __str__(self) -> str:
        lines = [
            f"{kind}: {self.refused[kind]} refused, {self.accepted[kind]} accepted" for kind in {**BOMBS, **CSV_BOMBS}
        ]
        lines += [f"FAILED: {each}" for each in self.failed] + [f"UNCLEAR: {each}" for each in self.unclear]
        lines.append(
            f"{sum(self.refused.values())} refused, {sum(self.accepted.values())} accepted, {len(self.failed)} failed, "
            f"{len(self.unclear)} unclear; longest {self.longest:.1f} s ({self.slowest}), most memory of a child {self.peak / 1e6:.0f} MB"
        )
        return "\n".join(lines)


def campaign(sound: Path, keys_file: Path, files: int, seed: int, kinds: dict[str, Bomb] | None = None) -> Outcome:
    """Hand files to the decoder, in turn of each kind.

    Parameters
    ----------
    sound
        A native submission that would be accepted.
    keys_file
        What must be predicted.
    files, seed
        How many, and what they follow from.
    kinds
        All by default.
    """
    from striate.portal.receiving.decoding import PlatformError, decoded
    from striate.portal.receiving.keys import read_keys

    rules, keys = read_keys(keys_file)
    told = {"session": rules.tracks[0].session, "protocol": rules.tracks[0].protocols[0]}
    wanted = list((kinds or {**BOMBS, **CSV_BOMBS}).items())
    outcome = Outcome()
    for number in range(files):
        kind, make = wanted[number % len(wanted)]
        random = np.random.default_rng([seed, number])
        with tempfile.TemporaryDirectory() as folder:
            file = make(sound, Path(folder) / ("csvs" if kind in CSV_BOMBS else "submission.parquet"), random)
            began = time.monotonic()
            try:
                with decoded(file, keys_file, rules, keys, told):
                    outcome.accepted[kind] += 1
                    if kind not in MAY_BE_SOUND:
                        outcome.failed.append(f"{kind} {number}: it was accepted")
            except InputError as error:
                outcome.refused[kind] += 1
                said = str(error)
                if "\n" in said or len(said) > 1000 or not said.isprintable() or folder in said:
                    outcome.unclear.append(f"{kind} {number}: {said!r}")
            except PlatformError as error:
                outcome.failed.append(f"{kind} {number}: {error}")
            if (took := time.monotonic() - began) > outcome.longest:
                outcome.longest, outcome.slowest = took, kind
    return outcome


def main() -> None:
    """Run a campaign against a small competition that is made for it."""
    parser = argparse.ArgumentParser(prog="python -m tests.portal.bombs", description=__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=[*BOMBS, *CSV_BOMBS])
    given = parser.parse_args()
    from striate.competition import build
    from striate.competition.manifest import Manifest
    from striate.competition.rules import read_rules
    from striate.portal.receiving import decoding
    from striate.portal.receiving.keys import write_keys
    from tests.competition.examples import PASSPHRASE, SEED, mice, predictions
    from tests.portal.conftest import rules_of_now

    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        os.environ["STRIATE_CACHE"] = str(here / "cache")
        made = build(rules_of_now(), mice(), here / "public", here / "away" / "secret", PASSPHRASE, seed=SEED)
        rules, text = read_rules(made.folder)
        about = {"version": "1", "rules": rules, "rules_text": text, "folder": made.folder}
        write_keys(here / "keys.npz", SimpleNamespace(**about, manifest=Manifest.read(made.folder)))  # type: ignore[arg-type]
        sound = here / "sound.parquet"
        predictions(made, "sensorium", 0.5, 0).write(sound)
        kinds = {**BOMBS, **CSV_BOMBS}
        chosen = {given.kind: kinds[given.kind]} if given.kind else kinds
        forks = Forks(here)
        decoding._Child = forks  # type: ignore[assignment, misc]
        outcome = campaign(sound, here / "keys.npz", given.files, given.seed, chosen)
        outcome.peak = forks.peak
    print(outcome)
    raise SystemExit(bool(outcome.failed or outcome.unclear))


if __name__ == "__main__":
    main()
