"""What a reader is for the fuzzer: a function of one file, and the sound files that mutation starts from."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

Read = Callable[[Path], object]  # reads one file


@dataclass(frozen=True)
class Target:
    """A reader.

    Attributes
    ----------
    read
        Reads the file; what it returns does not matter.
    name
        Of the file, since some readers look at it.
    seeds
        Makes the contents to start from.
    """

    read: Read
    name: str
    seeds: Callable[[], list[bytes]]


def bytes_of(make: Callable[[Path], object], name: str) -> bytes:
    """The bytes of the file that a function writes."""
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder) / name)
        return (Path(folder) / name).read_bytes()


def of_text(read: Callable[[str], object]) -> Read:
    """A reader of a text."""
    return lambda path: read(path.read_bytes().decode(errors="replace"))


def reader_of(room: str, name: str) -> Read:
    """The function `name` of a module, which is imported when it is used."""

    def read(path: Path) -> object:
        from importlib import import_module

        return attrgetter(name)(import_module(room))(path)

    return read
