"""Where a passphrase comes from: the environment, a file, or a person. Never a command's arguments, which others can see."""

import os
from collections.abc import Callable
from pathlib import Path

from striate._internal.paths import expand_path
from striate.errors import InputError

VARIABLE = "STRIATE_PASSPHRASE"
_SHORTEST = 12  # characters

Ask = Callable[[], str]


def passphrase(file: Path | None = None, ask: Ask | None = None) -> str:
    """Read the passphrase of a vault or a backup.

    Parameters
    ----------
    file
        A file that holds it, in its first line; this comes first.
    ask
        Asks a person; called where neither the file nor the environment variable ``STRIATE_PASSPHRASE`` is given.

    Raises
    ------
    InputError
        If the file cannot be read, or nobody gives one.
    """
    if file is not None:
        try:
            lines = expand_path(file).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{file} has no passphrase that can be read ({error}).") from error
        if not lines or not lines[0].strip():
            raise InputError(f"{file} is empty: put the passphrase into its first line.")
        return lines[0].strip()
    if given := os.environ.get(VARIABLE):
        return given
    if ask is None:
        raise InputError(
            f"A passphrase is needed: set {VARIABLE}, name a file (--passphrase-file), or run this in a terminal."
        )
    return ask()


def strong_enough(chosen: str) -> str:
    """Return a passphrase that is chosen for a new vault or backup.

    Raises
    ------
    InputError
        If it is so short that it can be found by trying.
    """
    if len(chosen) < _SHORTEST or len(set(chosen)) < 5:
        raise InputError(
            f"The passphrase has {len(chosen)} characters, {len(set(chosen))} of them different: whoever finds what it seals could "
            f"find it by trying. Take at least {_SHORTEST}, such as five words that do not belong together."
        )
    return chosen
