"""Look into files of any kind for withheld responses: arrays, tables, texts, and whatever packs such files together.

Nothing that is read is run: objects of Python (pickles) are never loaded. Memory does not grow with the file; what is unpacked lies in
files that are thrown away, and is bounded.
"""

import gzip
import io
import re
import tarfile
import tempfile
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

from striate._internal.zip_files import open_zip
from striate.competition.secret_files import kind_by_head
from striate.competition.withheld_responses import Population, Suspicion, SuspicionError, Tally
from striate.recordings.hdf5_files import iterate_datasets

_HEAD = 4096  # bytes
_DEEPEST = 6  # containers within containers
_MOST_UNPACKED = 2**33  # bytes of one file
_IN_MEMORY = 2**26  # bytes of a member that is unpacked into memory
_CHUNK = 2**22
_LONGEST_TOKEN = 64  # characters of a number
_HDF5 = b"\x89HDF\r\n\x1a\n"
_PICTURES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"%PDF-", b"\x1aE\xdf\xa3", b"OggS")  # also films
_DECIMAL = re.compile(rb"\.\d|\d[eE][-+]\d")  # once in most numbers, twice in some
# Not digits in words and hashes: of these a manifest has many.
_NUMBER = re.compile(rb"(?<![\w.])[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?(?![\w.])|\bnan\b", re.IGNORECASE)
_DAMAGED = (
    OSError,
    ValueError,
    TypeError,
    ArithmeticError,
    EOFError,
    RuntimeError,
    LookupError,
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
)


class Search:
    """Looks into files, one after the other; what looks like responses is counted over all of them.

    Parameters
    ----------
    populations
        What must not be published.
    aside
        Folder for what is unpacked; the system's if None.
    """

    def __init__(self, populations: Iterable[Population], aside: Path | None = None) -> None:
        self.tally = Tally(populations)
        self._aside, self._left = aside, 0

    def apart(self) -> "Search":
        """One like this that has looked into nothing yet."""
        return Search(self.tally.populations, self._aside)

    def look(self, file: Path) -> Suspicion | None:
        """Look into a file; None where it can be published."""
        self._left = _MOST_UNPACKED
        self.tally.next_file()
        try:
            with file.open("rb") as opened:
                self._look(opened, file.stat().st_size, "it", 0)
        except SuspicionError as error:
            return error.suspicion
        except MemoryError:
            return Suspicion("it needs too much memory to be looked into")
        return None

    def _look(self, opened: IO[bytes], size: int, where: str, depth: int) -> None:
        head = opened.read(_HEAD)
        opened.seek(0)
        if depth and (secret := kind_by_head(opened)) is not None:  # of the file itself, others look
            raise SuspicionError(f"{where} is {secret}", certain=True)
        opened.seek(0)
        kind = kind_of(head)
        if kind == "picture":
            return
        if depth > _DEEPEST:
            self.tally.opaque(size, where, "is packed too deep to be looked into")
            return
        reader = {
            "zip": self._zip,
            "gzip": self._gzip,
            "tar": self._tar,
            "npy": self._npy,
            "hdf5": self._hdf5,
            "parquet": self._parquet,
            "arrow": self._arrow,
            "text": self._text,
        }.get(kind)
        if reader is None:
            self.tally.opaque(size, where, "is of no kind that can be looked into")
            return
        try:
            reader(opened, size, where, depth)
        except _DAMAGED as error:
            self.tally.opaque(size, where, f"cannot be read as what it seems to be ({type(error).__name__})")

    # What packs other files

    def _zip(self, opened: IO[bytes], _size: int, where: str, depth: int) -> None:
        with open_zip(opened) as archive:
            for member in archive.infolist():
                if member.is_dir():
                    continue
                name = _within(where, member.filename)
                if member.flag_bits & 1:
                    self.tally.opaque(member.file_size, name, "is encrypted")
                    continue
                try:
                    with archive.open(member) as packed:
                        self._member(packed, member.file_size, name, depth)
                except (NotImplementedError, *_DAMAGED):
                    self.tally.opaque(member.file_size, name, "cannot be unpacked")

    def _tar(self, opened: IO[bytes], _size: int, where: str, depth: int) -> None:
        with tarfile.open(fileobj=opened, mode="r:") as archive:
            for member in archive:
                if member.isfile() and (packed := archive.extractfile(member)) is not None:
                    self._member(packed, member.size, _within(where, member.name), depth)

    def _gzip(self, opened: IO[bytes], _size: int, where: str, depth: int) -> None:
        with gzip.GzipFile(fileobj=opened) as packed:
            self._unpacked(packed, _MOST_UNPACKED, f"what {where} unpacks to", depth)

    def _member(self, packed: IO[bytes], size: int, where: str, depth: int) -> None:
        """Look into a member; of arrays whose shape is harmless no more is read than that."""
        head = packed.read(_HEAD)
        if kind_of(head) == "npy" and not self._npy_matters(head):
            return
        self._unpacked(_Joined(head, packed), size, where, depth)

    def _unpacked(self, packed: "IO[bytes] | gzip.GzipFile | _Joined", size: int, where: str, depth: int) -> None:
        target: IO[bytes]
        with io.BytesIO() if size <= _IN_MEMORY else tempfile.TemporaryFile(dir=self._aside) as target:
            while some := packed.read(_CHUNK):
                self._left -= len(some)
                if self._left < 0:
                    self.tally.opaque(
                        size, where, f"unpacks to more than {_MOST_UNPACKED / 1e9:.0f} GB with all beside it"
                    )
                    return
                target.write(some)
            size = target.tell()
            target.seek(0)
            self._look(target, size, where, depth + 1)

    # Arrays

    def _npy_matters(self, head: bytes) -> bool:
        try:
            shape, _, dtype = _npy_header(io.BytesIO(head))
            Tally(self.tally.populations).array(shape, dtype, "", _never)
        except (SuspicionError, _NeverError, ValueError):
            return True
        return False

    def _npy(self, opened: IO[bytes], size: int, where: str, _depth: int) -> None:
        shape, fortran, dtype = _npy_header(opened)
        start = opened.tell()
        if dtype.hasobject:
            self.tally.opaque(size, where, "holds objects of Python, which are never loaded")
            return

        def read() -> Any:
            order: Literal["F", "C"] = "F" if fortran else "C"
            if isinstance(opened, io.BytesIO):
                return np.ndarray(shape, dtype, opened.getvalue(), start, order=order)
            return np.memmap(opened, dtype, "r", start, shape, order=order)

        self.tally.array(shape, dtype, where, read)

    def _hdf5(self, opened: IO[bytes], _size: int, where: str, _depth: int) -> None:
        import h5py

        path = getattr(opened, "name", None)
        with h5py.File(path if isinstance(path, str) else opened, "r") as file:
            for name, found in iterate_datasets(file):
                if found.shape is None or h5py.check_string_dtype(found.dtype):
                    continue
                called = _within(where, name)
                try:
                    self.tally.array(found.shape, found.dtype, called, partial(_values, found))
                    if found.ndim == 1 and found.dtype.kind in "fiu":
                        self.tally.columns(1, len(found), called)
                except (OSError, RuntimeError):  # packed by a filter that is not here
                    self.tally.opaque(found.size * found.dtype.itemsize, called, "cannot be unpacked")

    # Tables

    def _parquet(self, opened: IO[bytes], size: int, where: str, _depth: int) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        try:
            file = parquet.ParquetFile(opened)
            self._table(file.schema_arrow, file.metadata.num_rows, lambda: file.iter_batches(256), size, where)
        except pa.ArrowException as error:
            raise ValueError(str(error)) from None

    def _arrow(self, opened: IO[bytes], size: int, where: str, _depth: int) -> None:
        import pyarrow as pa

        try:
            file = pa.ipc.open_file(pa.PythonFile(opened, "r"))
            rows = sum(file.get_batch(number).num_rows for number in range(file.num_record_batches))
            batches = lambda: (file.get_batch(number) for number in range(file.num_record_batches))  # noqa: E731
            self._table(file.schema, rows, batches, size, where)
        except pa.ArrowException as error:
            raise ValueError(str(error)) from None

    def _table(self, schema: Any, rows: int, batches: Any, size: int, where: str) -> None:
        import pyarrow as pa

        scalars, lists = [], []
        for field in schema:
            kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
            if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
                scalars.append(field.name)
                if not pa.types.is_integer(kind):
                    self.tally.numbers(rows, f"column {field.name!r} of {where}")
            elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
                lists.append(field.name)
            elif not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_boolean(kind) or
                      pa.types.is_temporal(kind) or pa.types.is_null(kind)):  # fmt: skip
                self.tally.opaque(size, f"column {field.name!r} of {where}", "holds values that are not looked into")
        if self._wide(len(scalars)):
            for batch in batches():
                table = [
                    batch.column(name).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False) for name in scalars
                ]
                self.tally.rows(np.stack(table, axis=1), where)
        if scalars:
            self.tally.columns(len(scalars), rows, where)
        for name in lists:
            self._lists(batches(), name, f"column {name!r} of {where}", size)

    def _wide(self, columns: int) -> bool:
        return any(columns == each.neurons for each in self.tally.populations)

    def _lists(self, batches: Iterator[Any], name: str, where: str, size: int) -> None:
        count = 0
        for batch in batches:
            column = batch.column(batch.schema.get_field_index(name))
            for entry in column:
                if not entry.is_valid:
                    continue
                values = entry.values.to_numpy(zero_copy_only=False)
                if values.dtype.kind not in "fiu":
                    self.tally.opaque(size, where, "holds lists that are not looked into")
                    return
                self.tally.rows(values[None], where)
                count += len(values)
            self.tally.numbers(count, where)

    # Texts

    def _text(self, opened: IO[bytes], size: int, where: str, _depth: int) -> None:
        decimals, rest = 0, b""
        while chunk := opened.read(_CHUNK):
            if b"\0" in chunk:
                self.tally.opaque(size, where, "begins like a text, and is none")
                return
            whole = rest + chunk
            end = whole.rfind(b"\n") + 1
            if not end and len(whole) > 2 * _CHUNK:  # a line without an end
                end = len(whole) - _LONGEST_TOKEN
            whole, rest = whole[:end], whole[end:]
            decimals += self._numbers(whole, where)
            self.tally.numbers(decimals, where)
        self.tally.numbers(decimals + self._numbers(rest, where), where)

    def _numbers(self, lines: bytes, where: str) -> int:
        """Look for rows of numbers; return how many numbers with a decimal point or an exponent there are."""
        shortest = 2 * min((each.neurons for each in self.tally.populations), default=0) - 1
        for line in lines.split(b"\n"):
            if len(line) < shortest:
                continue
            numbers = _NUMBER.findall(line)
            for each in self.tally.populations:
                # Before the neurons may stand what names the trial.
                if each.neurons <= len(numbers) <= each.neurons + 8:
                    row = np.array([float(number) for number in numbers[-each.neurons :]])
                    self.tally.rows(row[None], where)
        return len(_DECIMAL.findall(lines))


class _Joined:
    """What was read of a stream, and the rest of it."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head, self._rest = head, rest

    def read(self, size: int) -> bytes:
        head, self._head = self._head, b""
        return head or self._rest.read(size)


class _NeverError(Exception):
    """Something was asked for that was only to be asked about."""


def _never() -> Any:
    raise _NeverError


def kind_of(head: bytes) -> str:
    """What a file is, by its first bytes: empty if it is nothing that can be looked into."""
    if head.startswith(_PICTURES) or head[4:8] == b"ftyp" or (head[:4] == b"RIFF" and head[8:12] in (b"WEBP", b"AVI ")):
        return "picture"
    for mark, kind in (
        (b"PK\3\4", "zip"),
        (b"PK\5\6", "zip"),
        (b"\x1f\x8b", "gzip"),
        (b"\x93NUMPY", "npy"),
        (b"PAR1", "parquet"),
    ):
        if head.startswith(mark):
            return kind
    if head.startswith(b"ARROW1"):
        return "arrow"
    if any(head[at : at + 8] == _HDF5 for at in (0, 512, 1024, 2048)):  # MATLAB writes words before it
        return "hdf5"
    if head[257:262] == b"ustar":
        return "tar"
    try:
        head[: -4 if len(head) == _HEAD else None].decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 8:
            return ""
    return "" if b"\0" in head else "text"


def _values(dataset: Any) -> Any:
    """Values of a dataset of HDF5; what lies in another file is not read, and its shape counts."""
    elsewhere = dataset.is_virtual or bool(dataset.external)
    return np.broadcast_to(np.ones((), dataset.dtype), dataset.shape) if elsewhere else dataset


def _npy_header(opened: IO[bytes]) -> tuple[tuple[int, ...], bool, "np.dtype[Any]"]:
    version = np.lib.format.read_magic(opened)
    reader = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if reader is None:
        raise ValueError(f"a version of NPY that is not known: {version}")
    try:
        shape, fortran, dtype = reader(opened)
    except (SyntaxError, MemoryError, tokenize.TokenError) as error:
        raise ValueError(f"a damaged header ({type(error).__name__})") from None
    return tuple(shape), fortran, dtype


def _within(where: str, name: str) -> str:
    name = name if name.isprintable() else ascii(name)
    return name[-100:] if where == "it" else f"{name[-100:]} in {where}"


def unpacked_by_libraries(head: bytes) -> bool:
    """Whether looking into a file needs libraries in C, or unpacks it: then it is done apart where the file is of somebody else."""
    return kind_of(head) in ("zip", "gzip", "tar", "hdf5", "parquet", "arrow")
