"""Reader and writer of NumPy's file format, safe for untrusted files."""

import functools
import io
import math
import os
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from striate._internal.file_types import detect_type_of_bytes
from striate._internal.zip_files import open_zip
from striate.errors import InputError, shortened
from striate.recordings.checks.report import UnreadableError
from striate.recordings.checks.rules import make_finding

_MAGIC = b"\x93NUMPY"
_MAX_HEADER_LENGTH = 10_000
_MAX_AXES = 32  # the limit of the oldest supported NumPy

# Exceptions that NumPy raises for damaged headers.
_HEADER_ERRORS = (
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
        Content of the file.
    member
        Path of the file, for error messages.

    Returns
    -------
    ndarray
        Array in native byte order; a read-only view of `data` if possible.

    Raises
    ------
    UnreadableError
        If the file is not an array, has another size than its header declares, or contains Python objects.

    Examples
    --------
    >>> parse(dump(np.arange(3)), "data/responses/0.npy").tolist()
    [0, 1, 2]
    """
    start, dtype, shape, fortran = _checked_header(data, member)
    count = _check_size(len(data), start, dtype, shape, member)
    flat = np.frombuffer(data, dtype=dtype, count=count, offset=start)
    array = flat.reshape(shape, order="F" if fortran else "C")
    array = array if dtype.isnative else array.astype(dtype.newbyteorder("="))
    if dtype.kind == "U":
        _check_text(array, member)
    return array


def _check_text(array: NDArray[Any], member: str) -> None:
    """Refuse invalid Unicode: surrogates, and code points beyond the last character."""
    codes = np.ascontiguousarray(array).reshape(-1).view(np.uint32)
    if ((codes > 0x10FFFF) | ((codes >= 0xD800) & (codes < 0xE000))).any():
        raise UnreadableError(
            make_finding("not-an-array", member, "it contains text that is not valid Unicode.", "Write it again.")
        )


def _checked_header(data: bytes, member: str) -> tuple[int, np.dtype[Any], tuple[int, ...], bool]:
    """Return the offset of the values, their dtype and shape, and whether they are in Fortran order."""
    if data[:6] != _MAGIC:
        raise UnreadableError(_not_an_array(data, member))
    try:
        start, dtype, shape, fortran = _header(data[: _header_length(data)])
    except _HEADER_ERRORS as error:
        raise UnreadableError(
            make_finding(
                "not-an-array", member, f"the array's header is damaged ({_first_line(error)}).", "Write it again."
            )
        ) from None
    if dtype.hasobject:
        raise UnreadableError(
            make_finding(
                "pickled-array",
                member,
                "the array holds pickled Python objects, which are never loaded.",
                "Save it with a plain numeric or string dtype: numpy.save(..., allow_pickle=False).",
            )
        )
    return start, dtype, shape, fortran


def _check_size(size: int, start: int, dtype: np.dtype[Any], shape: tuple[int, ...], member: str) -> int:
    """Compare the size of a file with its header, and return the number of values."""
    count = math.prod(shape)
    expected = start + count * dtype.itemsize
    if size != expected:
        rule = "truncated-member" if size < expected else "oversized-member"
        raise UnreadableError(
            make_finding(rule, member, f"the file has {size} bytes; its header declares {expected}.", "Write it again.")
        )
    if not dtype.itemsize:
        raise UnreadableError(
            make_finding("not-an-array", member, "its values have a size of 0 bytes.", "Write it again.")
        )
    return count


def memory_map(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Open a ``.npy`` file of numbers or text as a read-only memory map.

    Parameters
    ----------
    path
        Path of the file.

    Raises
    ------
    UnreadableError
        If the file is not an array, has another size than its header declares, or contains Python objects.
    OSError
        If the file cannot be read.
    """
    file = Path(path)
    with file.open("rb") as opened:
        head = opened.read(12 + _MAX_HEADER_LENGTH)
        size = os.fstat(opened.fileno()).st_size
    start, dtype, shape, fortran = _checked_header(head, file.name)
    _check_size(size, start, dtype, shape, file.name)
    if 0 in shape:  # empty files cannot be mapped
        return np.empty(shape, dtype)
    return np.memmap(file, dtype, "r", start, shape, order="F" if fortran else "C")


def read_npz(content: IO[bytes], max_bytes: int) -> dict[str, NDArray[Any]]:
    """Read all arrays of an ``.npz`` file.

    Parameters
    ----------
    content
        Open binary file.
    max_bytes
        Maximum total size of the arrays.

    Raises
    ------
    InputError
        If the file is not an ``.npz``, an array is damaged or contains Python objects, or the arrays exceed `max_bytes`. The
        message does not name the file.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> np.savez(file, a=np.arange(3))
    >>> read_npz(file, max_bytes=1000)["a"].tolist()
    [0, 1, 2]
    """
    arrays: dict[str, NDArray[Any]] = {}
    try:
        with open_zip(content) as archive:
            members = archive.infolist()
            if any(m.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for m in members):
                raise InputError("It is compressed by a method that numpy.savez does not use.")
            if sum(m.file_size for m in members) > max_bytes:
                raise InputError(f"It claims more than {max_bytes:,} bytes.")
            for member in members:
                with archive.open(member) as opened:
                    data = opened.read(member.file_size + 1)
                arrays[member.filename.removesuffix(".npy")] = parse(data, member.filename)
    except InputError:
        raise
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError, OverflowError) as error:
        raise InputError(f"It is no complete .npz file ({shortened(str(error) or type(error).__name__)}).") from None
    return arrays


def _header_length(data: bytes) -> int:
    """Length of magic string, version, length field and header text; at most `_MAX_HEADER_LENGTH` characters of the latter."""
    wide = data[6:7] != b"\x01"
    size = int.from_bytes(data[8:12], "little") if wide else int.from_bytes(data[8:10], "little")
    return (12 if wide else 10) + min(size, _MAX_HEADER_LENGTH)


# Thousands of trials have the same header, which is parsed once.
@functools.lru_cache(maxsize=256)
def _header(head: bytes) -> tuple[int, np.dtype[Any], tuple[int, ...], bool]:
    stream = io.BytesIO(head)
    major = npy_format.read_magic(stream)[0]
    if major == 1:
        shape, fortran, dtype = npy_format.read_array_header_1_0(stream, max_header_size=_MAX_HEADER_LENGTH)
    elif major in (2, 3):
        # version 3 differs from 2 only in the encoding of field names, which plain arrays do not have
        shape, fortran, dtype = npy_format.read_array_header_2_0(stream, max_header_size=_MAX_HEADER_LENGTH)
    else:
        raise ValueError(f"unknown version {major}")
    if len(shape) > _MAX_AXES or not all(0 <= length < 2**63 for length in shape):
        raise ValueError("impossible shape")
    return stream.tell(), dtype, shape, fortran


def _not_an_array(data: bytes, member: str) -> Any:
    kind = detect_type_of_bytes(data[:4096])
    if kind is None or kind.name in ("text", "table", "json", "zip"):
        return make_finding("not-an-array", member, "this is not a NumPy array file.", "Write it with numpy.save.")
    rule = "pickled-array" if kind.name == "pickle" else "not-an-array"
    return make_finding(rule, member, f"this is {kind.description}.", f"{kind.advice[0].upper()}{kind.advice[1:]}.")


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0][:100] if str(error) else type(error).__name__


def dump(array: NDArray[Any]) -> bytes:
    r"""Return the bytes of a ``.npy`` file. Equal arrays give equal bytes (format version 1.0, C order).

    Examples
    --------
    >>> dump(np.zeros(1))[:6]
    b'\x93NUMPY'
    """
    stream = io.BytesIO()
    npy_format.write_array(stream, np.ascontiguousarray(array).reshape(array.shape), version=(1, 0), allow_pickle=False)
    return stream.getvalue()
