"""Create catalogue entries from folders, and add them to the catalogue of the user."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from striate._internal.atomic_write import atomic_write
from striate._internal.config_validation import validate_settings
from striate._internal.paths import expand_path
from striate._internal.urls import split_url
from striate.catalog import Dataset, catalogue_folder, get_dataset
from striate.catalog.git_annex import AnnexKey, read_pointer
from striate.errors import InputError, quoted
from striate.fetch.checksums import Hasher
from striate.recordings import layout
from striate.recordings.archive import open_archive
from striate.recordings.pack import session_of_archive
from striate.recordings.tables import read_tables

_UNKNOWN_TERMS = "Nobody has written down on what terms these data may be used: ask their owners."


@dataclass(frozen=True)
class DatasetDetails:
    """Metadata of a dataset from the user. Values that are None are taken from the source or omitted.

    Attributes
    ----------
    name, title, homepage
        Identifier, title and URL of the dataset.
    licence, licence_address, terms
        Name and URL of the licence, and a summary of its terms.
    citation, citation_address
        Reference to cite, and its URL.

    Examples
    --------
    >>> from striate.fetch.describe_dataset import DatasetDetails
    >>> DatasetDetails(title="Our mice", licence="CC BY 4.0").tables("mice")["title"]
    'Our mice'
    """

    name: str | None = None
    title: str | None = None
    homepage: str | None = None
    licence: str | None = None
    licence_address: str | None = None
    terms: str | None = None
    citation: str | None = None
    citation_address: str | None = None

    def tables(self, name: str) -> dict[str, Any]:
        """Return the keys of a catalogue entry that concern the whole dataset."""
        told: dict[str, Any] = {"name": self.name or name, "title": self.title or self.name or name}
        if self.homepage:
            told["homepage"] = self.homepage
        terms = self.terms or ("" if self.licence else _UNKNOWN_TERMS)
        told["licence"] = {
            "name": self.licence or "not stated",
            **({"address": self.licence_address} if self.licence_address else {}),
            "terms": terms or f"Those of {self.licence}.",
        }
        if self.citation:
            address = {"address": self.citation_address} if self.citation_address else {}
            told["citation"] = {"text": self.citation, **address}
        return told


def normalise_address(text: str) -> str:
    """Normalise a base address from the user: a URL with a trailing slash, or the absolute path of a folder.

    Raises
    ------
    InputError
        If the text is neither an http(s) URL nor an existing folder.
    """
    parts = split_url(text)
    if parts is None:
        raise InputError(f"{quoted(text)} is no address: its host or port cannot be read.")
    if parts.scheme in ("http", "https"):
        if not parts.hostname:
            raise InputError(f"{quoted(text)} names no host: give an address such as https://example.org/data/.")
        return text if text.endswith("/") else f"{text}/"
    if parts.scheme == "file":
        text = parts.path
    elif "://" in text:
        raise InputError(
            f"{quoted(text)} is an address of a kind that cannot be fetched from: use http(s):// or a folder."
        )
    folder = expand_path(text)
    if not os.path.isdir(folder):  # noqa: PTH112 – False also for a name that is too long, or holds NUL
        raise InputError(f"{quoted(text)} is neither a folder nor an http(s) address.")
    return str(folder.absolute())


def describe_folder(
    folder: Path,
    about: DatasetDetails,
    addresses: Sequence[str] = (),
    watch: Callable[[Path], None] = lambda _path: None,
) -> Dataset:
    """Create a catalogue entry from a folder: sizes and hashes of its files, and metadata of the recordings among them.

    git-annex pointers are described by their keys; `addresses` is required then.

    Parameters
    ----------
    folder
        Folder to describe. Hidden files and folders are ignored.
    about
        Metadata of the dataset.
    addresses
        Base URLs from which others can download the files; the folder itself by default.
    watch
        Progress callback, called with each file that was read.

    Raises
    ------
    InputError
        If the folder has no files, or a file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from striate.fetch.describe_dataset import DatasetDetails, describe_folder
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "notes.txt").write_text("recorded at night")
    >>> [(file.name, file.size) for file in describe_folder(folder, DatasetDetails(name="notes")).files]
    [('notes.txt', 17)]
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder.")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise InputError(f"{folder} may not be read: mend its permissions.")
    if unpacked := _unpacked(folder):
        raise InputError(
            f"{unpacked} is an unpacked recording, and a dataset is made of files: write it as a zip first, in Python with "
            "striate.write(striate.open(FOLDER), ZIP)."
        )
    files, pointers = [], []
    for path in sorted(folder.rglob("*")):
        below = path.relative_to(folder)
        hidden = any(part.startswith(".") or part == "__MACOSX" for part in below.parts)
        if hidden or path.is_dir():
            continue
        key = read_pointer(path)
        if key is not None:
            pointers.append(path)
        files.append(_of_pointer(path, key) if key else _of_content(path))
        files[-1]["name"] = below.as_posix()
        watch(path)
    if not files:
        raise InputError(f"{folder} has no files to describe.")
    if pointers and not addresses:
        raise InputError(
            f"{pointers[0]} is a git-annex pointer, which tells size and hash of the file but has not its content: say "
            "where that can be had (--address)."
        )
    where = list(addresses) or [str(folder.absolute())]
    return validate_entry(
        about.tables(to_dataset_name(folder.absolute().name)) | {"addresses": where, "files": files}, str(folder)
    )


def _unpacked(folder: Path) -> Path | None:
    """Return a folder that is an unpacked recording, or None."""
    for place in (folder, *sorted(path for path in folder.iterdir() if path.is_dir())):
        if (place / "data" / "images").is_dir() and (place / "meta").is_dir():
            return place
    return None


def _of_pointer(path: Path, key: AnnexKey) -> dict[str, Any]:
    session = layout.session_from_file_name(path.name)
    told = {"md5": key.md5, "sha256": key.sha256, "size": key.size, "session": session}
    return {what: value for what, value in told.items() if value is not None}


def _of_content(path: Path) -> dict[str, Any]:
    try:
        content = Hasher().hash_file(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}).") from error
    told: dict[str, Any] = {"size": content.size, "sha256": content.sha256}
    return told | (inspect_recording(path) if path.suffix.lower() == ".zip" else {})


def inspect_recording(path: Path) -> dict[str, Any]:
    """Return session name and numbers of neurons and trials of a zip; empty if it is not a recording."""
    try:
        with open_archive(path) as archive:
            tables = read_tables(archive)
            if tables.neurons is None or tables.trials is None:
                return {}
            session = layout.session_from_file_name(path.name) or session_of_archive(archive, tables)
    except InputError:
        return {}
    if session is None:
        return {}
    return {"session": session, "neurons": len(tables.neurons), "trials": len(tables.trials)}


def validate_entry(tables: Mapping[str, Any], source: str) -> Dataset:
    """Validate tables as a catalogue entry. `source` names their origin in error messages."""
    return validate_settings(Dataset, tables, source, kind="dataset")


def to_dataset_name(text: str) -> str:
    """Convert any text to a valid dataset name."""
    name = "".join(c if c.isalnum() and c.isascii() else "-" for c in text.lower()).strip("-")
    return name or "dataset"


def entry_path(name: str) -> Path:
    """Return the path of an entry in the catalogue of the user."""
    return catalogue_folder() / f"{name}.toml"


def remove_from_catalogue(name: str) -> Path:
    """Remove an entry from the catalogue of the user. Downloaded files are kept.

    Raises
    ------
    InputError
        If the catalogue has no such entry, or the entry comes with striate.
    """
    get_dataset(name)
    path = entry_path(name)
    if not path.is_file():
        raise InputError(f"{name} comes with striate, and cannot be removed.")
    path.unlink()
    return path


def add_to_catalogue(of: Dataset, *, overwrite: bool = False) -> Path:
    """Add an entry to the catalogue of the user.

    Raises
    ------
    InputError
        If an entry of that name exists and `overwrite` is False.
    """
    path = entry_path(of.name)
    tables = of.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    with atomic_write(path, overwrite=overwrite) as aside:
        aside.write_text(tomli_w.dumps(tables, multiline_strings=True), encoding="utf-8")
    return path
