"""Command and platform of a run, without names of users, hosts or parent folders."""

import os
import platform
from collections.abc import Sequence
from pathlib import Path


def shareable_command(arguments: Sequence[str]) -> list[str] | None:
    """Return the ``striate`` command line with each path reduced to its last component.

    Parameters
    ----------
    arguments
        The command line, as in `sys.argv`.

    Returns
    -------
    list of str or None
        None if the program is not ``striate``, such as a notebook or a script.

    Examples
    --------
    >>> shareable_command(["/usr/bin/striate", "train", "cnn", "/home/ada/mouse.zip"])
    ['striate', 'train', 'cnn', 'mouse.zip']
    """
    program = Path(arguments[0]) if arguments else Path()
    if program.name != "striate" and program.parts[-2:] != ("striate", "__main__.py"):
        return None
    return ["striate", *map(_without_folders, arguments[1:])]


def shareable_platform() -> str:
    """Return the operating system and the processor architecture, such as ``Linux x86_64``."""
    return f"{platform.system()} {platform.machine()}"


def folder_name(folder: Path) -> str:
    """Return the name of a folder without its parents.

    Examples
    --------
    >>> folder_name(Path("runs/first"))
    'first'
    """
    return folder.name if folder.name not in ("", "..") else folder.resolve().name


def _without_folders(argument: str) -> str:
    name, equals, value = argument.partition("=")
    if equals and not os.path.lexists(argument):
        return f"{name}={_without_folders(value)}"
    written = argument.startswith(("/", "~")) or ".." in Path(argument).parts
    # a name in the catalogue, such as sensorium2022/27204-5-13, is not a path
    return folder_name(Path(argument)) if written or os.path.lexists(argument) else argument
