"""The bytes of hosted files: kept once, by their hash, in the storage ``data``, or served from the competition's folder."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from django.core.files.storage import FileSystemStorage, Storage, storages
from django.utils.translation import gettext

from striate.competition.secret_files import kind_of_secret
from striate.errors import InputError
from striate.fetch.describe import recording_in
from striate.portal.competition import competition
from striate.portal.models import Content
from striate.portal.storage import opened as opened_in

_CHUNK = 2**20  # bytes


def storage() -> Storage:
    """Where contents lie that are not served from the competition's folder."""
    return storages["data"]


def path_of(content: Content) -> Path | None:
    """The file of this machine that has these bytes; None where they lie on another."""
    if content.beside:
        return competition().folder / content.beside
    kept = storage()
    return Path(kept.path(content.name)) if isinstance(kept, FileSystemStorage) else None


def opened(content: Content, start: int = 0) -> BinaryIO:
    """Open bytes to be read from byte `start` on.

    Raises
    ------
    FileNotFoundError
        If they are gone, or a file of the competition's folder was changed since.
    """
    if not content.beside:
        return opened_in(storage(), content.name, start)
    file = competition().folder / content.beside
    if file.stat().st_size != content.size:
        raise FileNotFoundError(f"{file} has another size than when it was published.")
    found = file.open("rb")
    found.seek(start)
    return found


@contextmanager
def on_disk(content: Content, aside: Path) -> Iterator[Path]:
    """The bytes as a file of this machine, only to be read, as long as the context lasts; those on a service are fetched to `aside`."""
    file = path_of(content)
    if file is not None:
        yield file
        return
    with tempfile.NamedTemporaryFile(dir=aside) as fetched:
        with opened(content) as source:
            shutil.copyfileobj(source, fetched, _CHUNK)
        fetched.flush()
        yield Path(fetched.name)


def chunks(content: Content, start: int, length: int) -> Iterator[bytes]:
    """Some of the bytes, a piece at a time."""
    with opened(content, start) as file:
        while length > 0:
            some = file.read(min(_CHUNK, length))
            if not some:
                raise FileNotFoundError(f"The bytes of {content.sha256} end too early.")
            length -= len(some)
            yield some


def head(content: Content, most: int) -> bytes:
    """The first bytes."""
    with opened(content) as file:
        return file.read(most)


def refuse_secret(file: Path, sha256: str, shown: str = "") -> None:
    """Refuse what would give the competition away.

    Parameters
    ----------
    file
        What is looked into.
    sha256
        Its hash.
    shown
        What it is called in the sentence.

    Raises
    ------
    InputError
        If it is, or holds, a vault or a truth; or if it is a recording of a track, but not the one that was committed to.
    """
    called = shown or gettext("The file with the hash %(hash)s…") % {"hash": sha256[:12]}
    kind = kind_of_secret(file)
    if kind is not None:
        raise InputError(
            gettext("%(file)s is %(secret)s: it must never be published. Take it out of the folder.")
            % {"file": called, "secret": kind}
        )
    session = recording_in(file).get("session")
    if session is not None:
        refuse_other_recording(session, sha256, called)


def refuse_other_recording(session: str, sha256: str, called: str) -> None:
    """Refuse a recording of a track that is not the one whose withheld responses were taken out.

    Raises
    ------
    InputError
        If it is another file than the competition's manifest lists.
    """
    made = competition()
    if made.rules.track_of(session) is None or made.manifest.archive(session).sha256 == sha256:
        return
    raise InputError(
        gettext(
            "%(file)s is of recording %(session)s, whose test responses the competition withholds, and it is not the archive that "
            "the competition has committed to: it may hold them. Take it out of the folder, or put the committed one in its place."
        )
        % {"file": called, "session": session}
    )
