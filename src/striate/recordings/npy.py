"""NumPy's file format, read from bytes that nobody vouches for."""

import functools
import io
import math
import tokenize
from typing import Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from striate.recordings.findings import UnreadableError
from striate.recordings.rules import found

_MAGIC = b"\x93NUMPY"
_LONGEST_HEADER = 10_000

# All that parsing a damaged header was seen to raise.
_DAMAGED = (
    ValueError,
    SyntaxError,
    TypeError,
    LookupError,
    ArithmeticError,
    EOFError,
    MemoryError,
    RecursionError,
    tokenize.TokenError,
)


def parse(data: bytes, member: str) -> NDArray[Any]:
    """Read one array from the bytes of a ``.npy`` file.

    Parameters
    ----------
    data
        The whole file.
    member
        Its path, for messages.

    Returns
    -------
    ndarray
        Read-only view of `data` in native byte order.

    Raises
    ------
    UnreadableError
        If it is no array, is shorter or longer than its header says, or holds Python objects.
    """
    if data[:6] != _MAGIC:
        raise UnreadableError(_not_an_array(data, member))
    try:
        start, dtype, shape, fortran = _header(data[: _header_length(data)])
    except _DAMAGED as error:
        raise UnreadableError(
            found("not-an-array", member, f"the array's header is damaged ({_first_line(error)}).", "Write it again.")
        ) from None
    if dtype.hasobject:
        raise UnreadableError(
            found(
                "pickled-array",
                member,
                "the array holds pickled Python objects, which are never loaded.",
                "Save it with a plain numeric or string dtype: numpy.save(..., allow_pickle=False).",
            )
        )
    count = math.prod(shape)
    expected = start + count * dtype.itemsize
    if len(data) != expected:
        rule = "truncated-member" if len(data) < expected else "oversized-member"
        raise UnreadableError(
            found(rule, member, f"the file has {len(data)} bytes; its header promises {expected}.", "Write it again.")
        )
    flat = np.frombuffer(data, dtype=dtype, count=count, offset=start)
    array = flat.reshape(shape, order="F" if fortran else "C")
    return array if dtype.isnative else array.astype(dtype.newbyteorder("="))


def _header_length(data: bytes) -> int:
    """Length of magic, version, length field and header text; a header that is too long is cut short."""
    wide = data[6:7] != b"\x01"
    size = int.from_bytes(data[8:12], "little") if wide else int.from_bytes(data[8:10], "little")
    return (12 if wide else 10) + min(size, _LONGEST_HEADER)


# Thousands of trials share one header: parse it once.
@functools.lru_cache(maxsize=256)
def _header(head: bytes) -> tuple[int, np.dtype[Any], tuple[int, ...], bool]:
    stream = io.BytesIO(head)
    major = npy_format.read_magic(stream)[0]
    if major == 1:
        shape, fortran, dtype = npy_format.read_array_header_1_0(stream, max_header_size=_LONGEST_HEADER)
    elif major in (2, 3):
        # version 3 differs from 2 only in the encoding of field names, which plain arrays do not have
        shape, fortran, dtype = npy_format.read_array_header_2_0(stream, max_header_size=_LONGEST_HEADER)
    else:
        raise ValueError(f"unknown version {major}")
    if any(length < 0 for length in shape):
        raise ValueError("negative length")
    return stream.tell(), dtype, shape, fortran


def _not_an_array(data: bytes, member: str) -> Any:
    head = data[:64]
    if head.startswith((b"/annex/objects/", b"../.git/annex", b".git/annex")):
        return found(
            "not-an-array",
            member,
            "this is a git-annex pointer, not the data.",
            "Fetch the content first (git annex get, or download the file itself).",
        )
    if head[:1] == b"\x80":
        return found("pickled-array", member, "this is a Python pickle, which is never loaded.", "Use numpy.save.")
    what = "the file is empty" if not data else "this is not a NumPy array file"
    return found("not-an-array", member, f"{what}.", "Write it with numpy.save.")


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0][:100] if str(error) else type(error).__name__


def dump(array: NDArray[Any]) -> bytes:
    """Bytes of a ``.npy`` file, the same for the same array (format version 1.0, C order)."""
    stream = io.BytesIO()
    npy_format.write_array(stream, np.ascontiguousarray(array).reshape(array.shape), version=(1, 0), allow_pickle=False)
    return stream.getvalue()
