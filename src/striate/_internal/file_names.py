"""File names made from text of users: they are valid on every file system, or refused."""

import re
import unicodedata
from collections.abc import Iterable

from striate.errors import InputError

# Bytes of a file name. File systems allow 255; temporary names and suffixes such as ".npy" need some of them.
MAX_NAME_BYTES = 120


# Characters that some file system does not allow in a name, and "%", which marks an encoded character.
_SPECIAL = '<>:"/\\|?*%'
_RESERVED = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|$)", re.IGNORECASE
)  # on Windows
_ENCODED = re.compile(r"%([2-7][0-9A-F])")


def file_name_problem(name: str, longest: int = MAX_NAME_BYTES) -> str | None:
    """Return why `name` cannot be the name of a file on every file system, or None if it can.

    The reason is a clause such as ``"it holds '/'"``. Text of a user must pass this test, or go through
    `encode_file_name`, before it becomes part of a path. `longest` is in bytes.
    """
    if (reason := _why_not_encodable(name, longest)) is not None:
        return reason
    if special := next((c for c in name if c in _SPECIAL[:-1]), None):
        return f"it holds {special!r}"
    if name[0] in ". " or name[-1] in ". ":
        return "it begins or ends with a dot or a space"
    if _RESERVED.match(name):
        return "Windows reserves it"
    return None


def encode_file_name(name: str, what: str) -> str:
    """Encode a text of a user as a file name, such that `decode_file_name` gives the text back.

    Ordinary names are unchanged. Characters that a file system could take for something else are written as ``%``
    and two hexadecimal digits, as in web addresses: ``dF/F`` becomes ``dF%2FF``.

    Parameters
    ----------
    name
        The text.
    what
        What it is, for the message: ``"column of neurons"``.

    Raises
    ------
    InputError
        If it is empty or too long, or has characters that cannot be printed.
    """
    if (reason := _why_not_encodable(name)) is not None:
        shown = name if len(name) <= 60 else f"{name[:60]}…"
        raise InputError(f"The {what} {shown!r} cannot be stored under that name, because {reason}: rename it.")
    encoded = "".join(_percent(c) if c in _SPECIAL else c for c in name)
    if encoded[0] in ". " or _RESERVED.match(encoded):
        encoded = _percent(encoded[0]) + encoded[1:]
    if encoded[-1] in ". ":
        encoded = encoded[:-1] + _percent(encoded[-1])
    if len(encoded.encode()) > MAX_NAME_BYTES:
        raise InputError(f"The {what} {name!r} has too many special characters for a file name: rename it.")
    return encoded


def decode_file_name(name: str) -> str:
    """Return the text that `encode_file_name` encoded."""
    return _ENCODED.sub(lambda match: chr(int(match[1], 16)), name)


def find_name_clash(names: Iterable[str]) -> tuple[int, int] | None:
    """Return the positions of two names that are one file where case or Unicode form does not matter, or None."""
    seen: dict[str, int] = {}
    for index, name in enumerate(names):
        key = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
        if key in seen:
            return seen[key], index
        seen[key] = index
    return None


def _why_not_encodable(name: str, longest: int = MAX_NAME_BYTES) -> str | None:
    if not name.strip():
        return "it is empty"
    if unprintable := next((c for c in name if not c.isprintable()), None):
        return f"it holds the character {unprintable!a}, which cannot be printed"
    if len(name.encode()) > longest:
        return f"it is longer than {longest} bytes"
    return None


def _percent(character: str) -> str:
    return f"%{ord(character):02X}"


_LONGEST_PUBLISHED = 240  # bytes of each part of a published path; published data cannot be renamed


def validate_relative_path(path: str) -> str:
    """Return the path of a file below some folder, with forward slashes, if it is one on every file system.

    Raises
    ------
    ValueError
        If a part of it is empty, ``..``, hidden, reserved by a system, or holds characters that are special, not printable, or turn the
        direction of text around.
    """
    for part in path.split("/"):
        if (reason := file_name_problem(part, _LONGEST_PUBLISHED)) is not None:
            raise ValueError(
                "Value should be a path below the dataset's folder, without .., hidden or special names, and one of its "
                f"names cannot be used: {reason}"
            )
    return path
