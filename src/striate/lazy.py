"""Public names of a room that are imported when they are first used: who needs one of its modules does not wait for all."""

import sys
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any


class _Room(ModuleType):
    """A package whose public names are imported when they are first used."""

    def __getattr__(self, name: str) -> Any:
        place = self.__dict__["_PUBLIC"].get(name)
        if place is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        module, _, attribute = place.rpartition(".")
        value = getattr(import_module(module), attribute)
        self.__dict__[name] = value
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        # Who imports a module makes it an attribute of its package. Where a function has the same name, it must not hide that.
        if not (isinstance(value, ModuleType) and name in self.__dict__["_PUBLIC"]):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*self.__dict__, *self.__dict__["_PUBLIC"]})


def import_when_used(room: str, public: Mapping[str, str]) -> None:
    """Let a package import its public names when they are first used.

    Parameters
    ----------
    room
        The ``__name__`` of the package, which calls this.
    public
        Where each name comes from, such as ``{"open": "striate.recordings.cache.open_recording"}``.
    """
    package = sys.modules[room]
    package.__dict__["_PUBLIC"] = dict(public)
    package.__class__ = _Room
