"""Portable file names: validate or encode user text so that it is a valid name on every file system."""

import re
import unicodedata
from collections.abc import Iterable

from striate.errors import InputError

# File systems allow 255 bytes; temporary names and suffixes such as ".npy" need some of them.
MAX_NAME_BYTES = 120


# Characters that some file system does not allow, and "%", which marks an encoded character.
_SPECIAL = '<>:"/\\|?*%'
_RESERVED = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|$)", re.IGNORECASE
)  # on Windows
_ENCODED = re.compile(r"%([2-7][0-9A-F])")


def file_name_problem(name: str, longest: int = MAX_NAME_BYTES) -> str | None:
    """Return why `name` is not a portable file name, as a clause such as ``"it holds '/'"``; None if it is one.

    User text must pass this test or be encoded with `encode_file_name` before it becomes part of a path. `longest` is the
    maximum length in bytes.
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
    """Encode user text as a portable file name. `decode_file_name` reverses it.

    Ordinary names are unchanged. Special characters are percent-encoded as in URLs: ``dF/F`` becomes ``dF%2FF``.

    Parameters
    ----------
    name
        Text to encode.
    what
        Noun for error messages, such as ``"column of neurons"``.

    Raises
    ------
    InputError
        If the text is empty, too long, or contains unprintable characters.

    Examples
    --------
    >>> encode_file_name("dF/F", "column")
    'dF%2FF'
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
    """Return the positions of two names that are equal up to case and Unicode normalisation, or None."""
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


_LONGEST_PUBLISHED = 240  # bytes per component; higher than MAX_NAME_BYTES, because published files cannot be renamed


def validate_relative_path(path: str) -> str:
    """Return a relative path with forward slashes unchanged if it is portable and stays in its folder.

    Raises
    ------
    ValueError
        If a component is empty, ``..``, hidden or reserved, or contains characters that are special, unprintable or change the
        direction of text.
    """
    for part in path.split("/"):
        if (reason := file_name_problem(part, _LONGEST_PUBLISHED)) is not None:
            raise ValueError(
                "Value should be a path below the dataset's folder, without .., hidden or special names, and one of its "
                f"names cannot be used: {reason}"
            )
    return path
