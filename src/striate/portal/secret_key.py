"""The key that signs sessions and links: generated once, kept for this user alone."""

import os
import secrets
import time
from pathlib import Path

from striate.errors import InputError
from striate.portal.place import FILE_MODE

KEY, FILE = "STRIATE_PORTAL_SECRET_KEY", "STRIATE_PORTAL_SECRET_KEY_FILE"
_LEAST = 50  # characters
_PATIENCE = 2.0  # seconds in which a process that just makes the file has written it


def told_key() -> str | None:
    """The key that the environment tells, which machines that serve together must share; None if it tells none.

    Raises
    ------
    InputError
        If it is too short, or others can read its file.
    """
    key, file = os.environ.get(KEY), os.environ.get(FILE)
    if key is not None:
        if len(key.strip()) < _LEAST:
            raise InputError(
                f"{KEY} has {len(key.strip())} characters, and at least {_LEAST} random ones are needed: python -c 'import secrets; "
                "print(secrets.token_urlsafe(64))' makes some."
            )
        return key.strip()
    if file is None:
        return None
    if not Path(file).is_file():
        raise InputError(f"{FILE} names {file}, which is no file: put the key there, the same on all machines.")
    return _read(Path(file))


def secret_key(path: Path) -> str:
    """Read the secret key; make one if there is none.

    Raises
    ------
    InputError
        If others can read it, or it is none.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    except FileExistsError:
        return _read(path)
    key = secrets.token_urlsafe(64)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(key + "\n")
    return key


def _read(path: Path) -> str:
    if path.stat().st_mode & 0o777 & ~FILE_MODE:
        raise InputError(
            f"{path} can be read by others, who could then sign in as anyone: chmod 600 {path}, or remove it."
        )
    until = time.monotonic() + _PATIENCE
    while len(key := path.read_text(encoding="ascii", errors="replace").strip()) < _LEAST:
        if time.monotonic() > until:
            raise InputError(
                f"{path} holds no secret key: remove it, and a new one is made (everybody must sign in again)."
            )
        time.sleep(0.05)
    return key
