"""The manifest of a competition's folder: which files it has, and what each is."""

import hashlib
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from striate._internal.file_names import validate_relative_path
from striate._internal.safe_parsing import parse_model, read_limited
from striate.errors import InputError

FILE = "manifest.json"
ARCHIVES = "archives"

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ListedFile(_Strict):
    """One file.

    Attributes
    ----------
    path
        Below the competition's folder.
    size
        In bytes.
    sha256
        Of its content.
    session
        The recording that it holds, if it holds one.
    track
        The track that the recording belongs to; None for a pre-training recording.
    """

    path: str
    size: int
    sha256: Digest
    session: str | None = None
    track: str | None = None

    @field_validator("path")
    @classmethod
    def _stays_below(cls, path: str) -> str:
        return validate_relative_path(path)


class Manifest(_Strict):
    """What a competition's folder holds from the beginning.

    Attributes
    ----------
    name
        Of the competition.
    striate_version
        What has built it.
    files
        Rules and archives.
    """

    format: Literal["striate competition 1"] = "striate competition 1"
    name: str
    striate_version: str
    files: tuple[ListedFile, ...]

    def archive(self, session: str) -> ListedFile:
        """The archive of a recording.

        Raises
        ------
        InputError
            If there is none.
        """
        for file in self.files:
            if file.session == session:
                return file
        raise InputError(f"The manifest lists no archive of recording {session}.")

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read the manifest of a competition's folder.

        Raises
        ------
        InputError
            If the folder is not that of a competition, or the manifest is damaged.
        """
        file = folder / FILE
        try:
            content = read_limited(file)
        except OSError as error:
            raise InputError(
                f"{folder} is not the folder of a competition (it has no {FILE} that can be read: {error.strerror}); "
                "`striate competition build` makes one."
            ) from error
        return parse_model(cls, content, str(file), "take it from where it was published")


def require_new(path: Path) -> None:
    """Raise `InputError` if something stands at a path: nothing of a competition is ever replaced."""
    if os.path.lexists(path):
        raise InputError(f"{path} exists already, and nothing of a competition is ever replaced: choose another name.")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def listed_file(folder: Path, path: str, session: str | None = None, track: str | None = None) -> ListedFile:
    """Describe a file below a folder."""
    file = folder / path
    return ListedFile(path=path, size=file.stat().st_size, sha256=sha256_of(file), session=session, track=track)


def require_apart(public: Path, secret: Path) -> None:
    """Refuse to put secrets into the folder that will be published, or in a folder that is one with it.

    Raises
    ------
    InputError
        If they would come to lie there.
    """
    inside, outside = secret.resolve(), public.resolve()
    if outside.is_relative_to(inside) and outside != inside:
        raise InputError(
            f"The folder to publish, {public}, would lie within that of the secrets, {secret}, and whoever copies the one may copy "
            "the other: put them side by side."
        )
    if inside.is_relative_to(outside) or any((parent / FILE).is_file() for parent in inside.parents):
        raise InputError(
            f"The secrets must not lie beneath a folder that is published ({secret} would): give another folder, such as "
            f"{outside.parent / (outside.name + '-secrets')}."
        )
