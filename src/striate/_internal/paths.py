"""Where striate keeps what is not the user's own: caches, and settings."""

import os
from pathlib import Path

from platformdirs import user_cache_path, user_config_path

from striate.errors import InputError, quoted, shortened

_LONGEST = 4095  # bytes of a path


class MissingHomeError(InputError):
    """Neither the environment nor the system names a folder for what striate keeps."""


def expand_path(path: str | os.PathLike[str]) -> Path:
    """Replace ``~`` at the beginning of a path by the home folder.

    Raises
    ------
    InputError
        If the path begins with ``~`` and the home folder is not known, or no file can have it: it, or a name in it, is too long,
        or it holds a character that paths cannot hold.
    """
    try:
        encoded = os.fsencode(path)
    except UnicodeEncodeError:
        encoded = b"\0"
    if b"\0" in encoded:
        raise InputError(f"{quoted(str(path), 100)} holds a character that no path can hold: correct it.")
    if len(encoded) > _LONGEST:
        raise InputError(f"{shortened(path, 100)} is a path of more than {_LONGEST:,} bytes, which no file can have.")
    if any(len(os.fsencode(part)) > 255 for part in Path(path).parts):
        raise InputError(
            f"{shortened(path, 100)} has a name of more than 255 bytes, which no file can have: shorten it."
        )
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise InputError(
            f"{shortened(path, 100)} begins with ~, and there is no home folder here: give the whole path, or set HOME."
        ) from None


def cache_folder() -> Path:
    """Folder of packed recordings and fetched datasets: ``$STRIATE_CACHE``, else the platform's place for caches.

    Raises
    ------
    MissingHomeError
        If neither the variable nor a home folder is there, as in some containers.
    """
    if chosen := os.environ.get("STRIATE_CACHE"):
        return expand_path(chosen)
    _require_home()
    return user_cache_path("striate")


def settings_folder() -> Path:
    """Folder of the user's own datasets, accepted terms and tokens: ``$STRIATE_SETTINGS``, else the platform's place.

    Where there is no home folder, as in some containers, it is ``settings`` below the cache.

    Raises
    ------
    MissingHomeError
        If neither variable nor a home folder is there.
    """
    if chosen := os.environ.get("STRIATE_SETTINGS"):
        return expand_path(chosen)
    if os.environ.get("STRIATE_CACHE") and not has_home():
        return cache_folder() / "settings"
    _require_home()
    return user_config_path("striate")


def has_home() -> bool:
    """Whether the user has a home folder, by ``$HOME`` or by the system's list of users."""
    return Path(os.path.expanduser("~")).is_absolute()  # noqa: PTH111 – unlike pathlib's, it does not raise


def _require_home() -> None:
    if not has_home():
        raise MissingHomeError(
            "There is no home folder to keep the cache in (HOME is not set, and the user is not known to the system): set "
            "STRIATE_CACHE to a folder that can be written."
        )
