"""Numbers in files of any kind: arrays, texts, and whatever packs or encodes them, within limits. Nothing is ever run."""

import base64
import binascii
import bz2
import gzip
import io
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from itertools import islice
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from striate.competition.probes.per_trial import parse_any, pickled_numbers
from striate.recordings.hdf5_files import iterate_datasets

_DEEPEST = 6  # containers within containers
_MOST_UNPACKED = 2**28  # bytes of one file
_MOST_PARTS = 10_000
_NUMBER = re.compile(rb"(?<![\w.])[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.])")
_ENCODED = re.compile(rb"[A-Za-z0-9+/_-]{64,}={0,2}")
_DAMAGED = (OSError, ValueError, EOFError, RuntimeError, LookupError, NotImplementedError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError)  # fmt: skip


class Numbers:
    """Reads every array and row of numbers of one file.

    Parameters
    ----------
    most
        Bytes that may be unpacked in all.
    """

    def __init__(self, most: int = _MOST_UNPACKED) -> None:
        self._left, self._parts = most, _MOST_PARTS

    def of(self, content: bytes, depth: int = 0) -> Iterator[NDArray[Any]]:
        """Yield the arrays of a file's content; damaged parts yield nothing."""
        self._left -= len(content)
        self._parts -= 1
        if depth > _DEEPEST or self._left < 0 or self._parts < 0:
            return
        try:
            yield from self._of(content, depth)
        except _DAMAGED:
            return

    def _of(self, content: bytes, depth: int) -> Iterator[NDArray[Any]]:
        stream: IO[bytes] = io.BytesIO(content)
        if content[:6] == b"\x93NUMPY":
            array = parse_any(content, "")
            if array is not None:
                for field in array.dtype.names or ("",):
                    yield array[field] if field else array
        elif content[:2] == b"PK":
            with zipfile.ZipFile(stream) as archive:
                for info in archive.infolist():
                    if not info.is_dir() and not info.flag_bits & 1:
                        with archive.open(info) as member:
                            yield from self.of(self._read(member), depth + 1)
        elif content[257:262] == b"ustar":
            with tarfile.open(fileobj=stream, mode="r:") as tar:
                for entry in tar:
                    if entry.isfile() and (packed := tar.extractfile(entry)) is not None:
                        yield from self.of(self._read(packed), depth + 1)
        elif content[:2] == b"\x1f\x8b":
            yield from self.of(self._unpacked(gzip.GzipFile(fileobj=stream)), depth + 1)
        elif content[:3] == b"BZh":
            yield from self.of(self._unpacked(bz2.BZ2File(stream)), depth + 1)
        elif content[:6] == b"\xfd7zXZ\0":
            yield from self.of(self._unpacked(lzma.LZMAFile(stream)), depth + 1)  # noqa: SIM115 - closed where it is read
        elif content[:1] == b"\x78" and content[1:2] in b"\x01\x5e\x9c\xda":
            yield from self.of(zlib.decompressobj().decompress(content, max(1, self._left)), depth + 1)
        elif content[:8] == b"\x89HDF\r\n\x1a\n":
            yield from self._hdf5(stream)
        elif content[:4] == b"PAR1":
            yield from self._parquet(stream)
        elif content[:1] == b"\x80" and (numbers := pickled_numbers(content)) is not None:
            yield numbers
        else:
            yield from self._plain(content, depth)

    def _read(self, packed: IO[bytes]) -> bytes:
        return packed.read(max(1, self._left))

    def _unpacked(self, packed: gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile) -> bytes:
        with packed:
            return packed.read(max(1, self._left))

    def _hdf5(self, stream: IO[bytes]) -> Iterator[NDArray[Any]]:
        import h5py

        with h5py.File(stream, "r") as file:
            for _, each in iterate_datasets(file):
                if (
                    each.dtype.kind in "fiu"
                    and not each.is_virtual
                    and not each.external
                    and 0 < each.nbytes <= self._left
                ):
                    self._left -= each.nbytes
                    yield each[...]

    def _parquet(self, stream: IO[bytes]) -> Iterator[NDArray[Any]]:
        import pyarrow as pa
        from pyarrow import parquet

        try:
            table = parquet.ParquetFile(stream).read()
        except pa.ArrowException:
            return
        numbers = [c.to_numpy() for c in table.columns if pa.types.is_floating(c.type) or pa.types.is_integer(c.type)]
        yield from numbers
        if numbers:
            yield np.stack(numbers, axis=1)
        for column in table.columns:
            if pa.types.is_list(column.type):
                yield from (np.array(row, dtype=np.float64) for row in column.to_pylist() if row)

    def _plain(self, content: bytes, depth: int) -> Iterator[NDArray[Any]]:
        try:
            text = content.decode("utf-8").isprintable() or b"\0" not in content
        except UnicodeDecodeError:
            text = False
        if not text:
            for kind in ("<f4", "<f8", "<f2", ">f4", ">f8"):
                size = np.dtype(kind).itemsize
                if len(content) >= 8 * size:
                    yield np.frombuffer(content[: len(content) // size * size], kind)
            return
        every: list[NDArray[Any]] = []
        for line in content.splitlines():
            numbers = np.array([float(number) for number in _NUMBER.findall(line)])
            if len(numbers) > 4:
                yield numbers
            every.append(numbers)
        if every:
            yield np.concatenate(every)
        for match in islice(_ENCODED.finditer(content), _MOST_PARTS):
            token = match[0].rstrip(b"=")
            for decode in (
                binascii.unhexlify,
                lambda t: base64.b64decode(t + b"=" * (-len(t) % 4), altchars=b"-_" if set(t) & set(b"-_") else None),
            ):
                try:
                    plain = decode(token)
                except ValueError:
                    continue
                yield from self.of(plain, depth + 1)
