"""Plugins that a run needs: what its provenance records, and what opening it checks."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import BaseModel, StrictStr

from striate._internal.user_warnings import warn
from striate.errors import InputError, option, quoted, shortened
from striate.registry import (
    REGISTRIES,
    Registry,
    Settings,
    Source,
    chosen_settings,
    installed_plugins_only,
    load_plugin,
    source_of,
)
from striate.training.recipe import Recipe


class PluginEntry(BaseModel):
    """A component from outside striate that a run needs, as its provenance records it.

    Attributes
    ----------
    kind, name
        Kind of the component, such as ``"losses"``, and its name.
    module
        Module that registers it, or the name of the plugin file.
    package, version
        Installed package that the module belongs to; None for a plugin file or a script.
    sha256
        SHA-256 hash of the source file; None if there is no file.

    Examples
    --------
    >>> PluginEntry(kind="losses", name="cubic", module="my_losses.py").package is None
    True
    """

    kind: StrictStr
    name: StrictStr
    module: StrictStr
    package: StrictStr | None = None
    version: StrictStr | None = None
    sha256: StrictStr | None = None


def plugins_of(recipe: Recipe) -> list[dict[str, Any]]:
    """Return what the provenance of a run records of the components from outside striate that a recipe chooses."""
    return [
        {"kind": registry.kind, "name": settings.type, **asdict(source)}
        for registry, settings, source in _outside(recipe)
    ]


def load_needed_plugins(entries: Iterable[PluginEntry], folder: Path) -> None:
    """Make sure that the components that a run needs are there, before its recipe is validated.

    Only modules of installed packages are imported. Code in the folder of the run is never executed.

    Raises
    ------
    InputError
        If a component is missing. The message says which package to install, or which file to load.
    """
    for entry in entries:
        registry = REGISTRIES.get(entry.kind)
        if registry is None or entry.name in registry or (":" in entry.name and entry.module in sys.modules):
            continue
        what = f"the {registry.singular} {quoted(entry.name)}"
        if entry.package is None:
            raise InputError(
                f"{folder} needs the plugin {shortened(entry.module)}, which has {what}: load it first "
                f"({option(f'--plugin {entry.module}', f'striate.load_plugin({entry.module!r})')})."
            )
        try:
            importlib.metadata.version(entry.package)
            with installed_plugins_only():
                load_plugin(entry.module)
        except (InputError, importlib.metadata.PackageNotFoundError, ValueError) as error:
            release = f"{entry.package}=={entry.version}" if entry.version else entry.package
            raise InputError(
                f"{folder} needs the package {shortened(entry.package)}, which has {what}: install it (pip install {shortened(release)})."
            ) from error


def warn_of_changed_plugins(entries: Iterable[PluginEntry], recipe: Recipe, folder: Path) -> None:
    """Warn if the code of a component is not that which the run was trained with."""
    recorded = {(entry.kind, entry.name): entry.sha256 for entry in entries}
    for registry, settings, source in _outside(recipe):
        before = recorded.get((registry.kind, settings.type))
        if before is not None and source.sha256 != before:
            warn(
                f"The code of the {registry.singular} {settings.type!r} ({source.module}) has changed since {folder} was trained, so it may "
                "behave otherwise."
            )


def _outside(recipe: Recipe) -> Iterator[tuple[Registry[Any], Settings, Source]]:
    """Yield the components from outside striate that a recipe chooses."""
    for registry, settings in chosen_settings(recipe):
        imported, colon, _ = settings.type.partition(":")  # a class that is named by its module
        module = imported if colon else registry[settings.type].module
        if module.partition(".")[0] != "striate":
            yield registry, settings, source_of(module)
