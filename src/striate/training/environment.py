"""What a run tells of the program and the machine that trained it: nothing that names a person, a host or a folder."""

import os
import platform
from collections.abc import Sequence
from pathlib import Path


def shareable_command(arguments: Sequence[str]) -> list[str] | None:
    """Return the command that was given to ``striate``, with the last part alone of each path.

    Parameters
    ----------
    arguments
        As `sys.argv`.

    Returns
    -------
    list of str or None
        None if another program runs, such as a notebook or a script: its arguments are its own affair.
    """
    program = Path(arguments[0]) if arguments else Path()
    if program.name != "striate" and program.parts[-2:] != ("striate", "__main__.py"):
        return None
    return ["striate", *map(_without_folders, arguments[1:])]


def shareable_platform() -> str:
    """Operating system and processor, such as ``Linux x86_64``."""
    return f"{platform.system()} {platform.machine()}"


def folder_name(folder: Path) -> str:
    """Return the name of a folder without those above it."""
    return folder.name if folder.name not in ("", "..") else folder.resolve().name


def _without_folders(argument: str) -> str:
    name, equals, value = argument.partition("=")
    if equals and not os.path.lexists(argument):
        return f"{name}={_without_folders(value)}"
    written = argument.startswith(("/", "~")) or ".." in Path(argument).parts
    # a name such as sensorium2022/27204-5-13 is no path
    return folder_name(Path(argument)) if written or os.path.lexists(argument) else argument
