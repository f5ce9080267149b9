"""Look up datasets: those that come with striate, and those that the user added."""

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
    """Return the folder of datasets added by the user: ``$STRIATE_CATALOG``, or ``catalog`` in the settings folder.

    Examples
    --------
    >>> import os
    >>> import striate
    >>> os.environ["STRIATE_CATALOG"] = "/data/catalog"
    >>> str(striate.catalog.catalogue_folder())
    '/data/catalog'
    >>> del os.environ["STRIATE_CATALOG"]
    """
    chosen = os.environ.get("STRIATE_CATALOG")
    return expand_path(chosen) if chosen else settings_folder() / "catalog"


def list_datasets() -> tuple[str, ...]:
    """Return the names of all datasets in the catalogue, sorted.

    Examples
    --------
    >>> import striate
    >>> "sensorium2022" in striate.catalog.list_datasets()
    True
    """
    return tuple(sorted(_entries()))


def get_dataset(name: str) -> Dataset:
    """Look up a dataset by name. Datasets added by the user take precedence.

    Parameters
    ----------
    name
        Name of the dataset, such as ``"sensorium2022"``.

    Raises
    ------
    InputError
        If the catalogue has no such dataset, or its TOML file is invalid.

    Examples
    --------
    >>> import striate
    >>> dataset = striate.catalog.get_dataset("sensorium2022")
    >>> dataset.tracks
    ('sensorium', 'sensorium+')
    """
    entries = _entries()
    if name not in entries:
        raise InputError(f"The catalogue has no dataset {name!r}: {nearest(name, sorted(entries))}.")
    return _read(entries[name], name)


def _entries() -> dict[str, Traversable]:
    found: dict[str, Traversable] = {}
    folders: list[Traversable] = [files("striate.catalog") / "datasets"]
    with contextlib.suppress(MissingHomeError):  # without a home folder there are no datasets of the user
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
