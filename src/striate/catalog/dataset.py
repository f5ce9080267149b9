"""What the catalogue says of a dataset, checked: nothing that it names can leave the folder that it is fetched into."""

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
    """On what terms data may be used.

    Attributes
    ----------
    name
        Such as CC BY-NC-ND 4.0.
    address
        Where its full text stands.
    terms
        What it asks of a user, in short; shown before the first fetch, which must accept it.
    """

    name: Line
    address: WebAddress | None = None
    terms: Text

    @property
    def digest(self) -> str:
        """SHA-256 of name, address and terms: what an acceptance is an acceptance of."""
        return hashlib.sha256("\n".join((self.name, self.address or "", self.terms)).encode()).hexdigest()


class Citation(_Table):
    """What to cite: the reference as text, and where it stands."""

    text: Text
    address: WebAddress | None = None


class DataFile(_Table):
    """One file of a dataset.

    Attributes
    ----------
    name
        Path below the folder of the dataset, with forward slashes.
    session
        The recording that it holds, if it holds one.
    mouse
        Number of the mouse in the dataset's own description.
    role
        ``"pre-training"``, or the name of the track whose responses are withheld.
    neurons, trials
        How many the recording has.
    size
        In bytes, exactly; None where only `about` is known.
    about
        Size in bytes, rounded.
    sha256
        Hash of the file.
    confirmed
        Whether the hash is from the owners of the data; a file that does not match an unconfirmed hash is kept aside.
    md5
        Another hash, where the owners give that (the keys of git-annex do).
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
        """Size as well as it is known."""
        return self.about if self.size is None else self.size


class Dataset(_Table):
    """A dataset of the catalogue.

    Attributes
    ----------
    name
        What ``striate fetch`` calls it.
    title, description
        For people.
    homepage
        Where its owners describe it.
    addresses
        Where its files are, in the order of preference: each file stands at the address followed by its name.
    licence, citation
        The terms, and what to cite.
    files
        All of them.
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
        """Names of the tracks whose recordings it holds, in the order of the files."""
        return tuple(dict.fromkeys(file.role for file in self.files if file.role not in (None, PRETRAINING)))

    def file(self, name: str) -> DataFile:
        """Find a file by its session or its name.

        Raises
        ------
        InputError
            If there is none.
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
        """Choose files; what is asked for adds up, and all are chosen if nothing is asked for.

        Parameters
        ----------
        names
            Sessions or file names.
        tracks
            The recordings of these tracks.
        pretraining
            The pre-training recordings.
        mice
            The recordings of these mice, by number.

        Returns
        -------
        tuple of DataFile
            In the order of the catalogue.

        Raises
        ------
        InputError
            If something that was asked for is not in the dataset.
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
