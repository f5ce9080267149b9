"""Where code comes from: the package, the version and the hash of a module."""

import hashlib
import importlib.metadata
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PLUGIN_PREFIX = "striate_plugin_"  # of the modules that are made of plugin files


@dataclass(frozen=True)
class Source:
    """Where the code of a component comes from, as a run records it.

    Attributes
    ----------
    module
        Module that registers the component; for a plugin file, the name of the file.
    package
        Installed package (distribution) that the module belongs to; None for a plugin file or a script.
    version
        Version of the package.
    sha256
        SHA-256 hash of the source file of the module; None if it has no file, as in a notebook.
    """

    module: str
    package: str | None
    version: str | None
    sha256: str | None


def source_of(module: str) -> Source:
    """Return the package, version and content hash of a module that has been imported."""
    package = package_of(module)
    version = importlib.metadata.version(package) if package else None
    file = getattr(sys.modules.get(module), "__file__", None)
    digest = None
    if file is not None and Path(file).is_file():
        digest = hashlib.sha256(Path(file).read_bytes()).hexdigest()
    return Source(shown_module(module), package, version, digest)


@cache
def _packages() -> Mapping[str, list[str]]:
    return importlib.metadata.packages_distributions()


def package_of(module: str) -> str | None:
    """Return the installed package that a module belongs to; None for files, scripts and notebooks."""
    top = module.partition(".")[0]
    if top.startswith(PLUGIN_PREFIX) or top == "__main__":
        return None
    if top == "striate":
        return "striate"
    return next(iter(_packages().get(top, ())), None)


def shown_module(module: str) -> str:
    """Return the name of a module for people: that of the file, for a plugin file."""
    file = getattr(sys.modules.get(module), "__file__", None)
    return Path(file).name if module.startswith(PLUGIN_PREFIX) and file else module
