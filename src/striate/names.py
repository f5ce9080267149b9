"""Names of tiers, sessions and files. Every package uses them, so this module imports nothing heavy."""

import re
import unicodedata
from collections.abc import Iterable

from striate.errors import InputError, nearest

TIERS = ("train", "validation", "test", "final_test")
TRAINING_TIERS = ("train", "validation")
TEST_TIERS = ("test", "final_test")

# The data's own page once calls the final tier `live_test`; the live test is `test`. Accepted when typed, never written.
_TIER_ALIASES = {"live_test": "test", "live": "test", "final": "final_test"}


def tier_name(typed: object) -> str:
    """Turn what a user typed into the name of a tier.

    Raises
    ------
    InputError
        If it is neither one of `TIERS` nor an alias of one.
    """
    tier = str(typed) if isinstance(typed, str) else ""
    tier = _TIER_ALIASES.get(tier, tier)
    if tier not in TIERS:
        raise InputError(f"There is no tier {typed!r}: {nearest(str(typed), TIERS)}.")
    return tier


def tier_names(typed: object) -> tuple[str, ...]:
    """Turn the name of a tier, or several, into names of tiers, each once.

    Raises
    ------
    InputError
        If they are no names of tiers.
    """
    several = [typed] if isinstance(typed, str) else typed
    if not isinstance(several, Iterable):
        raise InputError(f"tiers is {str(typed)[:60]}; expected names of tiers, such as ['test']: {', '.join(TIERS)}.")
    return tuple(dict.fromkeys(tier_name(each) for each in several))


_SESSION = re.compile(r"[A-Za-z0-9_-]+")

# Bytes of a file name. File systems allow 255; temporary names and suffixes such as ".npy" need some of them.
LONGEST_NAME = 120


def is_session(name: str) -> bool:
    """Return whether `name` can name a session."""
    return bool(_SESSION.fullmatch(name)) and why_no_file_name(name) is None


def valid_session(session: object) -> str:
    """Return `session` if it can name a recording.

    Raises
    ------
    InputError
        If it has characters other than letters, digits, ``-`` and ``_``, is longer than `LONGEST_NAME`, or is a
        reserved name.
    """
    if not isinstance(session, str) or not is_session(session):
        session = str(session)
        shown = session if len(session) <= LONGEST_NAME else f"{session[:40]}…"
        raise InputError(
            f"{shown!r} cannot name a session: use up to {LONGEST_NAME} letters, digits, '-' and '_', "
            "like 27204-5-13 (animal-session-scan)."
        )
    return session


# Characters that some file system does not allow in a name, and "%", which marks an encoded character.
_SPECIAL = '<>:"/\\|?*%'
_RESERVED = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|$)", re.IGNORECASE
)  # on Windows
_ENCODED = re.compile(r"%([2-7][0-9A-F])")


def why_no_file_name(name: str, longest: int = LONGEST_NAME) -> str | None:
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
    if len(encoded.encode()) > LONGEST_NAME:
        raise InputError(f"The {what} {name!r} has too many special characters for a file name: rename it.")
    return encoded


def decode_file_name(name: str) -> str:
    """Return the text that `encode_file_name` encoded."""
    return _ENCODED.sub(lambda match: chr(int(match[1], 16)), name)


def same_file_name(names: Iterable[str]) -> tuple[int, int] | None:
    """Return the positions of two names that are one file where case or Unicode form does not matter, or None."""
    seen: dict[str, int] = {}
    for index, name in enumerate(names):
        key = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
        if key in seen:
            return seen[key], index
        seen[key] = index
    return None


def _why_not_encodable(name: str, longest: int = LONGEST_NAME) -> str | None:
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


def checked_path(path: str) -> str:
    """Return the path of a file below some folder, with forward slashes, if it is one on every file system.

    Raises
    ------
    ValueError
        If a part of it is empty, ``..``, hidden, reserved by a system, or holds characters that are special, not printable, or turn the
        direction of text around.
    """
    for part in path.split("/"):
        if (reason := why_no_file_name(part, _LONGEST_PUBLISHED)) is not None:
            raise ValueError(
                "Value should be a path below the dataset's folder, without .., hidden or special names, and one of its "
                f"names cannot be used: {reason}"
            )
    return path
