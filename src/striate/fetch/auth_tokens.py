"""Store authentication tokens by host. A token is sent only to the host that it was stored for."""

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
    """Return scheme, host and port of a URL. Tokens are stored by origin."""
    parts = urlsplit(address)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    return f"{parts.scheme}://{parts.hostname}:{port}"


def load_token(address: str) -> str | None:
    """Return the stored token for the host of a URL, or None."""
    try:
        return _token_path(address).read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError, ValueError):
        return None


def read_token(path: Path) -> str:
    """Read a token from a file.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    try:
        return expand_path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InputError(f"{path} has no token that can be read ({why}).") from error


def save_token(address: str, token: str) -> None:
    """Store a token for the host of a URL in a file that only this user can read.

    Raises
    ------
    InputError
        If the URL is neither encrypted nor local, or the token holds invalid characters.
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
    path = _token_path(address)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(token + "\n")


def _token_path(address: str) -> Path:
    return settings_folder() / "tokens" / re.sub(r"[^a-z0-9.-]+", "_", origin(address).lower())
