"""Where the datasets of the catalogue are found: those that come with striate, and the user's own."""

import contextlib
import os
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from striate._internal.config_validation import validate_settings
from striate._internal.paths import MissingHomeError, expand_path, settings_folder
from striate._internal.safe_parsing import parse_toml
from striate.catalog.dataset import Dataset
from striate.errors import InputError, nearest

_SUFFIX = ".toml"


def catalogue_folder() -> Path:
    """Folder of the user's own datasets: ``$STRIATE_CATALOG``, else ``catalog`` below the settings."""
    chosen = os.environ.get("STRIATE_CATALOG")
    return expand_path(chosen) if chosen else settings_folder() / "catalog"


def list_datasets() -> tuple[str, ...]:
    """Names of all datasets, those that come with striate and the user's own."""
    return tuple(sorted(_entries()))


def get_dataset(name: str) -> Dataset:
    """Look a dataset up in the catalogue; the user's own come first.

    Raises
    ------
    InputError
        If there is none of that name (the sentence names the nearest), or its file is not as it should be.
    """
    entries = _entries()
    if name not in entries:
        raise InputError(f"The catalogue has no dataset {name!r}: {nearest(name, sorted(entries))}.")
    return _read(entries[name], name)


def _entries() -> dict[str, Traversable]:
    found: dict[str, Traversable] = {}
    folders: list[Traversable] = [files("striate.catalog") / "datasets"]
    with contextlib.suppress(MissingHomeError):  # then there are no datasets of the user's own
        folders.append(catalogue_folder())
    for folder in folders:
        try:
            if folder.is_dir():
                found |= {e.name.removesuffix(_SUFFIX): e for e in folder.iterdir() if e.name.endswith(_SUFFIX)}
        except OSError as error:
            raise InputError(f"The catalogue in {folder} cannot be read ({error.strerror}).") from error
    return found


def _read(entry: Traversable, name: str) -> Dataset:
    try:
        tables = parse_toml(entry.read_bytes(), str(entry))
    except OSError as error:
        raise InputError(f"{entry} cannot be read ({error.strerror}): mend its permissions, or remove it.") from error
    found = validate_settings(Dataset, tables, str(entry), kind="dataset")
    if found.name != name:
        raise InputError(f"{entry} describes {found.name!r}: name the file {found.name}{_SUFFIX}.")
    return found
