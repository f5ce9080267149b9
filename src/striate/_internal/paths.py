"""Paths of the cache and of the settings of striate."""

import os
from pathlib import Path

from platformdirs import user_cache_path, user_config_path

from striate.errors import InputError, quoted, shortened

_MAX_PATH_BYTES = 4095


class MissingHomeError(InputError):
    """No home folder was found, and no environment variable names another folder."""


def expand_path(path: str | os.PathLike[str]) -> Path:
    """Expand ``~`` at the beginning of a path, and check that the path is valid.

    Raises
    ------
    InputError
        If the home folder is unknown, the path or one of its components is too long, or the path contains an invalid
        character.
    """
    try:
        encoded = os.fsencode(path)
    except UnicodeEncodeError:
        encoded = b"\0"
    if b"\0" in encoded:
        raise InputError(f"{quoted(str(path), 100)} holds a character that no path can hold: correct it.")
    if len(encoded) > _MAX_PATH_BYTES:
        raise InputError(
            f"{shortened(path, 100)} is a path of more than {_MAX_PATH_BYTES:,} bytes, which no file can have."
        )
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
    """Return the folder of packed recordings and downloaded datasets: ``$STRIATE_CACHE``, or the cache folder of the platform.

    Raises
    ------
    MissingHomeError
        If the variable is not set and there is no home folder, as in some containers.
    """
    if chosen := os.environ.get("STRIATE_CACHE"):
        return expand_path(chosen)
    _require_home()
    return user_cache_path("striate")


def settings_folder() -> Path:
    """Return the folder of user datasets, accepted terms and tokens: ``$STRIATE_SETTINGS``, or that of the platform.

    Without a home folder, as in some containers, it is ``settings`` in the cache folder.

    Raises
    ------
    MissingHomeError
        If no variable is set and there is no home folder.
    """
    if chosen := os.environ.get("STRIATE_SETTINGS"):
        return expand_path(chosen)
    if os.environ.get("STRIATE_CACHE") and not has_home():
        return cache_folder() / "settings"
    _require_home()
    return user_config_path("striate")


def has_home() -> bool:
    """Whether the user has a home folder, by ``$HOME`` or the user database."""
    return Path(os.path.expanduser("~")).is_absolute()  # noqa: PTH111 – unlike pathlib's, it does not raise


def _require_home() -> None:
    if not has_home():
        raise MissingHomeError(
            "There is no home folder to keep the cache in (HOME is not set, and the user is not known to the system): set "
            "STRIATE_CACHE to a folder that can be written."
        )
