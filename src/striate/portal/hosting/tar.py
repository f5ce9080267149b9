"""Many files as one stream whose every byte is known beforehand: an uncompressed tar, any part of which is made without the rest."""

import hashlib
import tarfile
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate

_BLOCK = tarfile.BLOCKSIZE
_PLAIN = 8 * 2**30  # bytes: larger files need a longer header
_END = bytes(2 * _BLOCK)
_PIECE = 2**18  # bytes

Reader = Callable[[int, int], Iterator[bytes]]


@dataclass(frozen=True)
class Member:
    """A file of the archive.

    Attributes
    ----------
    name
        Its path.
    size, sha256
        Of its content.
    moment
        When it was changed, in seconds since 1970.
    read
        Gives so many bytes of the content from a byte on.
    """

    name: str
    size: int
    sha256: str
    moment: int
    read: Reader

    @property
    def header(self) -> bytes:
        """What stands before the content: the same on every machine."""
        about = tarfile.TarInfo(self.name)
        about.size, about.mtime, about.mode = self.size, self.moment, 0o644
        return about.tobuf(tarfile.PAX_FORMAT)

    @property
    def header_size(self) -> int:
        """Length of the header in bytes."""
        plain = self.name.isascii() and len(self.name) <= tarfile.LENGTH_NAME and self.size < _PLAIN
        return _BLOCK if plain else len(self.header)

    @property
    def length(self) -> int:
        """Bytes that it takes in the archive."""
        return self.header_size + self.size + self.padding

    @property
    def padding(self) -> int:
        """Zeros up to the next block."""
        return -self.size % _BLOCK


class Tar:
    """The archive.

    Parameters
    ----------
    members
        In their order.

    Attributes
    ----------
    size
        Of the whole, in bytes.
    digest
        Names the whole: equal for archives that are equal in every byte.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = members
        self._starts = [0, *accumulate(member.length for member in members)]
        self.size = self._starts[-1] + len(_END)
        whole = hashlib.sha256(b"striate tar 1\n")
        for member in members:
            whole.update(f"{member.sha256} {member.size} {member.moment} {member.name}\n".encode())
        self.digest = whole.hexdigest()

    def read(self, start: int, length: int) -> Iterator[bytes]:
        """Some of the bytes, a piece at a time; what lies before them is not read. Small files come together in one piece."""
        return _joined(self._read(start, length))

    def _read(self, start: int, length: int) -> Iterator[bytes]:
        index = max(0, bisect_right(self._starts, start) - 1)
        at = self._starts[index] if self.members else 0
        end = start + length
        for member in self.members[index:]:
            if at >= end:
                return
            for size, read in (
                (member.header_size, of(partial(getattr, member, "header"))),
                (member.size, member.read),
                (member.padding, of(partial(bytes, member.padding))),
            ):
                first, last = max(start, at), min(end, at + size)
                if first < last:
                    yield from read(first - at, last - first)
                at += size
        first, last = max(start, at), min(end, at + len(_END))
        if first < last:
            yield _END[first - at : last - at]


def _joined(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, in pieces that are worth a call to the system each."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        if held and (size >= _PIECE or len(piece) >= _PIECE):
            yield b"".join(held)
            held, size = [], 0
        if len(piece) >= _PIECE:
            yield piece  # not copied once more
        else:
            held.append(piece)
            size += len(piece)
    if held:
        yield b"".join(held)


def of(make: Callable[[], bytes]) -> Reader:
    """A reader of bytes that are made when they are asked for."""

    def read(start: int, length: int) -> Iterator[bytes]:
        yield make()[start : start + length]

    return read
