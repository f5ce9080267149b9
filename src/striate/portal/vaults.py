"""The vault must not be where a web site is: whoever breaks into the site would have the final truth."""

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

from striate.competition.sealed import MAGIC
from striate.errors import InputError

_MOST = 20_000  # files that are looked at beneath a folder


def refuse_readable_vault(folders: Iterable[Path]) -> None:
    """Refuse to go on where a vault can be read in, or directly beneath, one of some folders.

    Raises
    ------
    InputError
        If there is one; it is told by what is in it, whatever its name.
    """
    for folder in dict.fromkeys(each.resolve() for each in folders):
        for file in itertools.islice(_files(folder), _MOST):
            if _is_vault(file):
                raise InputError(
                    f"The vault {file} can be read on this machine, and with it, sooner or later, the final truth: take it away "
                    "(to a disk that is not connected, say), and keep only the live truth for the worker."
                )


def _files(folder: Path) -> Iterator[Path]:
    for depth in ("*", "*/*"):
        try:
            yield from (path for path in folder.glob(depth) if path.is_file() and not path.is_symlink())
        except OSError:  # a folder that cannot be listed cannot be read either
            continue


def _is_vault(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return opened.read(len(MAGIC)) == MAGIC
    except OSError:
        return False
