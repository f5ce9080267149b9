"""Validated models of catalogue entries. File names cannot point outside of the destination folder."""

import hashlib
import re
from collections.abc import Iterable
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from striate._internal.file_names import file_name_problem, validate_relative_path
from striate._internal.text_cleaning import Line, Text
from striate._internal.urls import WebAddress
from striate.benchmarks.session_names import is_session
from striate.errors import InputError, nearest

PRETRAINING = "pre-training"

_NAME = re.compile(r"^[a-z0-9][a-z0-9._-]*$")

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Licence(_Table):
    """Licence of a dataset.

    Attributes
    ----------
    name
        Name of the licence, such as ``"CC BY-NC-ND 4.0"``.
    address
        URL of the full text.
    terms
        Summary of the terms. The user must accept it before the first download.

    Examples
    --------
    >>> from striate.catalog import Licence
    >>> Licence(name="CC BY 4.0", terms="Cite the authors.").name
    'CC BY 4.0'
    """

    name: Line
    address: WebAddress | None = None
    terms: Text

    @property
    def digest(self) -> str:
        """SHA-256 of name, address and terms. An acceptance refers to this hash."""
        return hashlib.sha256("\n".join((self.name, self.address or "", self.terms)).encode()).hexdigest()


class Citation(_Table):
    """Reference to cite when a dataset is used.

    Attributes
    ----------
    text
        Full reference.
    address
        URL of the publication, such as a DOI.

    Examples
    --------
    >>> from striate.catalog import Citation
    >>> Citation(text="Willeke et al. (2022)", address="https://arxiv.org/abs/2206.08666").text
    'Willeke et al. (2022)'
    """

    text: Text
    address: WebAddress | None = None


class DataFile(_Table):
    """One file of a dataset.

    Attributes
    ----------
    name
        Path relative to the folder of the dataset, with forward slashes.
    session
        Session name of the recording in the file; None if the file is not a recording.
    mouse
        Number of the mouse in the description of the dataset.
    role
        ``"pre-training"``, or the name of the track whose test responses are withheld.
    neurons, trials
        Number of neurons and trials of the recording.
    size
        Exact size in bytes; None if only `about` is known.
    about
        Approximate size in bytes.
    sha256
        SHA-256 of the file.
    confirmed
        Whether the owners of the data published the hash. A file that differs from an unconfirmed hash is downloaded, but
        not installed until the user accepts its hash.
    md5
        MD5 of the file, if the owners publish that instead (as the keys of git-annex do).

    Examples
    --------
    >>> from striate.catalog import DataFile
    >>> DataFile(name="mouse-1/a.zip", size=1024).best_known_size
    1024
    """

    name: str
    session: str | None = None
    mouse: int | None = Field(default=None, ge=1)
    role: str | None = None
    neurons: int | None = Field(default=None, ge=1)
    trials: int | None = Field(default=None, ge=1)
    size: int | None = Field(default=None, ge=0)
    about: int | None = Field(default=None, ge=0)
    sha256: Digest | None = None
    confirmed: bool = True
    md5: Annotated[str, Field(pattern="^[0-9a-f]{32}$")] | None = None

    @field_validator("name")
    @classmethod
    def _stays_below(cls, name: str) -> str:
        return validate_relative_path(name)

    @field_validator("session")
    @classmethod
    def _can_name_a_recording(cls, session: str | None) -> str | None:
        if session is not None and not is_session(session):
            raise ValueError("Value should be a session: letters, digits, - and _ only")
        return session

    @property
    def best_known_size(self) -> int | None:
        """Exact size in bytes, or else the approximate size; None if both are unknown."""
        return self.about if self.size is None else self.size


class Dataset(_Table):
    """Dataset of the catalogue.

    Attributes
    ----------
    name
        Identifier, as used by ``striate fetch``.
    title, description
        Title and description for display.
    homepage
        URL of the description by the owners.
    addresses
        Base URLs or absolute folders in the order of preference. The URL of a file is a base URL followed by its name.
    licence, citation
        Licence, and reference to cite.
    files
        All files of the dataset.

    Examples
    --------
    >>> import striate
    >>> dataset = striate.catalog.get_dataset("sensorium2022")
    >>> len(dataset.files)
    7
    """

    name: str
    title: str = Field(min_length=1)
    description: str = ""
    homepage: WebAddress | None = None
    addresses: tuple[str, ...] = Field(min_length=1)
    licence: Licence
    citation: Citation | None = None
    files: tuple[DataFile, ...] = Field(min_length=1)

    @field_validator("name")
    @classmethod
    def _plain(cls, name: str) -> str:
        if not _NAME.fullmatch(name) or file_name_problem(name):
            raise ValueError("Value should be lower-case letters, digits, . _ and -")
        return name

    @field_validator("addresses")
    @classmethod
    def _reachable(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        for address in addresses:
            parts = urlsplit(address)
            if parts.scheme in ("http", "https") and not (parts.hostname and address.endswith("/")):
                raise ValueError(f"An address should be http(s)://host/…/ with a slash at its end, got {address}")
            if parts.scheme not in ("http", "https") and not address.startswith("/"):
                raise ValueError(f"An address should begin with http://, https:// or / (a folder), got {address}")
        return addresses

    @model_validator(mode="after")
    def _files_differ(self) -> "Dataset":
        for what in ("name", "session"):
            values = [value.casefold() for file in self.files if (value := getattr(file, what)) is not None]
            if doubled := {value for value in values if values.count(value) > 1}:
                raise ValueError(f"Two files have the same {what}, {min(doubled)}")
        return self

    @property
    def tracks(self) -> tuple[str, ...]:
        """Names of the tracks of the dataset, in the order of its files."""
        return tuple(dict.fromkeys(file.role for file in self.files if file.role not in (None, PRETRAINING)))

    def file(self, name: str) -> DataFile:
        """Return the file with a session name or file name.

        Raises
        ------
        InputError
            If the dataset has no such file.
        """
        for file in self.files:
            if name in (file.session, file.name):
                return file
        known = [file.session or file.name for file in self.files]
        raise InputError(f"{self.name} has no recording or file {name!r}: {nearest(name, known)}.")

    def select(
        self,
        names: Iterable[str] = (),
        *,
        tracks: Iterable[str] = (),
        pretraining: bool = False,
        mice: Iterable[int] = (),
    ) -> tuple[DataFile, ...]:
        """Select files. The result is the union of all criteria, or all files if no criterion is given.

        Parameters
        ----------
        names
            Session names or file names.
        tracks
            Names of tracks whose recordings to select.
        pretraining
            Whether to select the pre-training recordings.
        mice
            Numbers of mice whose recordings to select.

        Returns
        -------
        tuple of DataFile
            Selected files, in the order of the catalogue.

        Raises
        ------
        InputError
            If a name, track or mouse is not in the dataset.

        Examples
        --------
        >>> import striate
        >>> dataset = striate.catalog.get_dataset("sensorium2022")
        >>> len(dataset.select(pretraining=True))
        5
        """
        names, tracks, mice = list(names), list(tracks), list(mice)
        if not (names or tracks or pretraining or mice):
            return self.files
        chosen = {self.file(name).name for name in names}
        for track in tracks:
            if track not in self.tracks:
                raise InputError(f"{self.name} has no track {track!r}: {nearest(track, self.tracks)}.")
            chosen |= {file.name for file in self.files if file.role == track}
        for mouse in mice:
            found = {file.name for file in self.files if file.mouse == mouse}
            if not found:
                known = sorted({file.mouse for file in self.files if file.mouse is not None})
                if not known:
                    raise InputError(f"{self.name} does not number its mice: choose by session or file name.")
                raise InputError(f"{self.name} has no mouse {mouse}; it has {', '.join(map(str, known))}.")
            chosen |= found
        if pretraining:
            found = {file.name for file in self.files if file.role == PRETRAINING}
            if not found:
                raise InputError(f"{self.name} has no pre-training recordings.")
            chosen |= found
        return tuple(file for file in self.files if file.name in chosen)
