"""Tokens for hosts that give data only to those who accepted their terms; each is sent to its own host alone."""

import contextlib
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from striate._internal.paths import expand_path, settings_folder
from striate._internal.urls import split_url
from striate.errors import InputError, quoted

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def origin(address: str) -> str:
    """Scheme, host and port of an address: whom a token is for."""
    parts = urlsplit(address)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    return f"{parts.scheme}://{parts.hostname}:{port}"


def load_token(address: str) -> str | None:
    """Token that was kept for the host of an address, if one was."""
    try:
        return _place(address).read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError, ValueError):
        return None


def read_token(path: Path) -> str:
    """Read a token from a file.

    Raises
    ------
    InputError
        If there is none.
    """
    try:
        return expand_path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InputError(f"{path} has no token that can be read ({why}).") from error


def save_token(address: str, token: str) -> None:
    """Keep a token for the host of an address, readable for this user alone.

    Raises
    ------
    InputError
        If it would travel unencrypted, or is no token.
    """
    parts = split_url(address)
    if parts is None:
        raise InputError(f"{quoted(address)} is no address that a token can be kept for.")
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise InputError(f"A token for {address} would travel unencrypted: use its https:// address.")
    if not token.isascii() or not token.isprintable() or " " in token or not token:
        raise InputError(
            "The token has characters that a token cannot have: give it as the host shows it, on one line."
        )
    place = _place(address)
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.suppress(FileNotFoundError):
        place.unlink()
    with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(token + "\n")


def _place(address: str) -> Path:
    return settings_folder() / "tokens" / re.sub(r"[^a-z0-9.-]+", "_", origin(address).lower())
