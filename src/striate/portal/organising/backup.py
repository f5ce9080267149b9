"""A copy of everything that the portal has, made while it runs: a tar file, sealed on demand, in bounded memory.

First comes ``backup.json`` (what this is), then tables and files, at last ``manifest.json`` with the hash of each. The database is read
as it was at one moment; files are never changed once they are there, so that those it speaks of are the right ones.
"""

import hashlib
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from django.core.files.storage import Storage, storages
from django.db import connections

from striate import __version__
from striate._internal.atomic_write import atomic_write
from striate.competition.sealed_stream import Sealing
from striate.errors import InputError
from striate.portal.competition import competition, place
from striate.portal.models import State
from striate.portal.organising import tables
from striate.portal.organising.backup_format import ABOUT, FORMAT, MANIFEST
from striate.portal.storage import below, opened

_TRIES = 5
_IN_MEMORY = 2**26  # bytes of a table; with them, a running portal can be copied whose disk is full


class _GoneError(Exception):
    """A file that was being checked is checked now: the snapshot is too old."""


class _Archive:
    """A tar file that is written, and the hashes of what is in it."""

    def __init__(self, file: BinaryIO) -> None:
        self.tar = tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115 – closed by `end`
        self.manifest: dict[str, dict[str, Any]] = {}

    def add(self, name: str, file: BinaryIO, size: int) -> None:
        """Copy a file; its hash is of what was copied."""
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode, entry.mtime = size, 0o600, int(datetime.now(UTC).timestamp())
        hashing = _Hashing(file)
        self.tar.addfile(entry, cast(BinaryIO, hashing))
        self.manifest[name] = {"size": size, "sha256": hashing.digest.hexdigest()}

    def add_stored(self, name: str, storage: Storage, stored: str) -> None:
        """Copy a file of a storage, as it arrives."""
        with opened(storage, stored) as file:
            self.add(name, file, storage.size(stored))

    def add_bytes(self, name: str, content: bytes) -> None:
        """Write a small file."""
        self.add(name, io.BytesIO(content), len(content))

    def add_lines(self, name: str, lines: Iterable[bytes]) -> None:
        """Write lines whose number nobody knows yet; many of them wait on the portal's disk, since `file` may be sealed."""
        with tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(place().data)) as aside:
            aside.writelines(lines)
            size = aside.tell()
            aside.seek(0)
            self.add(name, cast(BinaryIO, aside), size)

    def end(self) -> None:
        """Write the hashes."""
        self.add_bytes(MANIFEST, json.dumps(self.manifest, indent=1).encode())
        self.tar.close()

    def let_go(self) -> None:
        """Write nothing any more: one that was given up would still write its end, to a file that is closed by then."""
        cast(Any, self.tar.fileobj).closed = True


class _Hashing:
    def __init__(self, file: BinaryIO) -> None:
        self.file, self.digest = file, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        piece = self.file.read(size)
        while 0 <= len(piece) < size and (more := self.file.read(size - len(piece))):  # a service sends less at a time
            piece += more
        self.digest.update(piece)
        return piece


def backup(
    out: Path, *, passphrase: str | None = None, live_truth: Path | None = None, files: bool = True, data: bool = True
) -> list[str]:
    """Write a backup.

    Parameters
    ----------
    out
        Where to; it appears there when it is whole.
    passphrase
        Seals it, if given.
    live_truth
        The worker's truth, if it shall be in it, too; it must be sealed then.
    files
        Whether the files are in it, and not the tables alone.
    data
        Whether hosted data are among the files.

    Returns
    -------
    list
        Names of files that the database speaks of and that are not there any more.

    Raises
    ------
    InputError
        If truth would stand in it openly, or there is something at `out`.
    """
    if live_truth is not None and passphrase is None:
        raise InputError("A backup that holds the live truth must be sealed: give a passphrase.")
    for _ in range(_TRIES):
        try:
            with atomic_write(out) as aside:
                return _write(aside, passphrase, live_truth, files, data)
        except _GoneError:
            continue
    raise InputError(
        "Files are checked faster than they are copied: try again in a quieter moment, or announce maintenance."
    )


def _write(aside: Path, passphrase: str | None, live_truth: Path | None, files: bool, data: bool) -> list[str]:
    with ExitStack() as stack:
        raw = stack.enter_context(os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"))
        target = stack.enter_context(Sealing(raw, passphrase)) if passphrase is not None else raw
        archive = _Archive(cast(BinaryIO, target))
        stack.callback(archive.let_go)
        with tables.snapshot() as using:
            migrations = tables.applied_migrations(using)
            about = {
                "format": FORMAT,
                "striate": __version__,
                "made": datetime.now(UTC).isoformat(timespec="seconds"),
                "commitment": competition().anchor,
                "database": connections["default"].vendor,
                "migrations": migrations,
                "files": files,
            }
            archive.add_bytes(ABOUT, json.dumps(about, indent=1).encode())
            made = tables.tables(migrations, using)
            names = {model._meta.model_name: model for model in made}
            if files:  # at once, since what is being checked goes away when it is checked
                _add_incoming(archive, names["submission"], using)
            for model in made:
                archive.add_lines(f"tables/{model._meta.model_name}.jsonl", tables.lines(model, using))
            kept = _kept(names["link"], using) if files else []
        if place().secret_key.is_file():  # one that the environment tells is told again where it is restored
            archive.add_bytes("secret-key", place().secret_key.read_bytes())
        missing = _add_files(archive, kept, data) if files else []
        if live_truth is not None:
            with live_truth.open("rb") as file:
                archive.add("live-truth.npz", file, live_truth.stat().st_size)
        archive.end()
    return missing


def _add_incoming(archive: _Archive, submission: Any, using: str) -> None:
    storage = storages["submissions"]
    received = submission._base_manager.using(using).filter(state=State.RECEIVED).values_list("pk", flat=True)
    for number in list(received):
        try:
            names = list(walk(storage, f"incoming/{number}"))
            if not names:
                raise _GoneError
            for name in names:
                archive.add_stored(f"submissions/{name}", storage, name)
        except OSError as error:
            raise _GoneError from error


def _kept(link: Any, using: str) -> list[str]:
    receipts = link._base_manager.using(using).exclude(submission=None)  # a notice is of no file
    found = receipts.order_by().values_list("submission__kept", flat=True)
    return sorted(set(found) - {""})


def _add_files(archive: _Archive, kept: list[str], data: bool) -> list[str]:
    missing = []
    for digest in kept:
        name = f"{digest}.parquet"
        try:
            archive.add_stored(f"submissions/{name}", storages["submissions"], name)
        except FileNotFoundError:
            missing.append(name)
    for folder, storage in (("snapshots", "data"), ("results", "results")):
        for name in walk(storages[storage]) if data or storage != "data" else ():
            with suppress(FileNotFoundError):  # in no version, and cleared in this instant
                archive.add_stored(f"{folder}/{name}", storages[storage], name)
    return missing


def walk(storage: Storage, folder: str = "") -> Iterator[str]:
    """Names of all files of a storage, or of a folder in it; not of those that are being written."""
    for name, _written in below(storage, folder):
        if not any(part.startswith(".") for part in name.split("/")):
            yield name
