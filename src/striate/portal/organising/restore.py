"""Bring a backup back, into a place where nothing is: checked against its hashes, written aside, and renamed whole."""

import hashlib
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Annotated, Any, BinaryIO, cast

from pydantic import BaseModel, Field

from striate._internal.atomic_write import atomic_write_folder
from striate._internal.safe_parsing import MAX_BYTES, MalformedError, parse_json_object
from striate.competition.sealed_stream import MAGIC, Unsealing
from striate.errors import InputError, listed, quoted, shortened
from striate.portal.organising.backup_format import ABOUT, FORMAT, MANIFEST
from striate.portal.place import FILE_MODE, FOLDER_MODE, Place

_CHUNK = 2**20  # bytes
_LARGEST_HEADER = 2**20
_STORAGES = {"submissions": "submissions", "snapshots": "data", "results": "results"}  # by folder of the backup
_FOLDERS = ("tables", *_STORAGES)
_TRUTH = "live-truth.npz"
_FILES = ("secret-key", _TRUTH)


class _About(BaseModel):
    """What the first entry must say."""

    format: str
    striate: str
    made: str
    commitment: str
    migrations: Annotated[list[str], Field(min_length=1)]


def restore(
    place: Place, file: Path, *, passphrase: str | None = None, live_truth: Path | None = None
) -> dict[str, Any]:
    """Bring back a backup; it can be of another kind of database, or of an older version of striate.

    Parameters
    ----------
    place
        Where to. Its data must not be there yet, and its database must be empty.
    file
        That `striate.portal.organising.backup.backup` wrote.
    passphrase
        Opens it, if it is sealed.
    live_truth
        Where to write the live truth, if the backup holds it.

    Returns
    -------
    dict
        What the backup says of itself.

    Raises
    ------
    InputError
        If something is there already; or the backup is damaged, of another competition, or of a newer version of striate.
    """
    if place.data.is_dir() and not any(place.data.iterdir()):
        place.data.rmdir()
    if place.data.exists():
        raise InputError(f"{place.data} is there already: a backup is restored to where nothing is (--data).")
    if live_truth is not None and live_truth.exists():
        raise InputError(f"{live_truth} is there already: name another place for the live truth.")
    with ExitStack() as stack:
        archive = stack.enter_context(_opened(file, passphrase))
        entries = iter(archive)
        about = _about(file, archive, next(entries, None))
        aside = stack.enter_context(atomic_write_folder(place.data))
        aside.chmod(FOLDER_MODE)
        for folder in ("submissions", "snapshots", "uploads"):
            (aside / folder).mkdir(mode=FOLDER_MODE)
        _take(Place(place.competition, aside), about, archive, entries, live_truth)
    return about


def is_sealed(file: Path) -> bool:
    """Whether a backup needs a passphrase.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    try:
        with file.open("rb") as opened:
            return opened.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise InputError(f"The backup {file} cannot be read ({error.strerror}).") from None


@contextmanager
def _opened(file: Path, passphrase: str | None) -> Iterator[tarfile.TarFile]:
    sealed = is_sealed(file)
    if sealed and passphrase is None:
        raise InputError(f"{file} is sealed: give its passphrase.")
    with file.open("rb") as raw:
        source = Unsealing(raw, passphrase or "") if sealed else raw
        try:
            with tarfile.open(fileobj=cast(BinaryIO, source), mode="r|") as archive:
                yield archive
        except tarfile.TarError as error:
            raise InputError(f"{file} is no backup of a portal, or it is damaged or was cut off ({error}).") from None


def _about(file: Path, archive: tarfile.TarFile, entry: tarfile.TarInfo | None) -> dict[str, Any]:
    try:
        if entry is None or entry.name != ABOUT or entry.size > _LARGEST_HEADER:
            raise ValueError("it begins with something else")
        content = cast(IO[bytes], archive.extractfile(entry)).read()
        about = parse_json_object(content)
        if (found := about.get("format")) != FORMAT:
            raise ValueError(f"its format is {quoted(found)}")
        parse_json_object(content, needs=_About)
    except ValueError as error:
        why = error.reason if isinstance(error, MalformedError) else str(error)
        raise InputError(f"{file} is no backup that this version of striate reads ({why}).") from None
    return about | {"digest": {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}}


def _take(
    aside: Place,
    about: dict[str, Any],
    archive: tarfile.TarFile,
    entries: Iterator[tarfile.TarInfo],
    truth: Path | None,
) -> None:
    from striate.portal.running.prepare import set_up

    set_up(aside)
    from django.core.management import call_command
    from django.db import IntegrityError, connection, transaction

    from striate.portal.competition import competition
    from striate.portal.organising import audit, tables

    if about["commitment"] != competition().anchor:
        raise InputError("The backup is that of another competition: its commitment is another.")
    if _holds_a_portal():
        raise InputError("The database holds a portal already: a backup is restored into an empty one.")
    _migrate_to(about["migrations"])
    made: dict[str, Any] = {str(model._meta.model_name): model for model in tables.tables(about["migrations"])}
    found: dict[str, dict[str, Any]] = {ABOUT: about.pop("digest")}
    manifest: dict[str, Any] | None = None
    with transaction.atomic():
        for entry in entries:
            source = archive.extractfile(entry) if entry.isreg() else None
            if source is None:
                raise InputError(f"The backup is damaged: {quoted(entry.name)} is no file.")
            if entry.name == MANIFEST:
                manifest = parse_json_object(source.read(MAX_BYTES), "The list of files in the backup")
                continue
            with tempfile.NamedTemporaryFile(dir=aside.data, delete=False) as written:
                found[entry.name] = _copy(source, cast(BinaryIO, written))
            if entry.name == _TRUTH and truth is None:
                raise InputError("The backup holds the live truth: say where it shall be written (--live-truth).")
            _put(aside, entry.name, Path(written.name), made)
        if manifest is None:
            raise InputError("The backup is damaged, or was cut off: the list of its files, at its end, is missing.")
        if manifest != found:
            wrong = sorted(name for name in {*found, *manifest} if found.get(name) != manifest.get(name))
            names = listed(map(shortened, wrong)) or "its end"
            raise InputError(f"The backup is damaged: {names} is not what it was.")
        tables.count_on(list(made.values()))
        try:
            connection.check_constraints()
        except IntegrityError as error:
            raise InputError(f"The backup is damaged: its tables do not fit each other ({shortened(error)}).") from None
        _send_files(aside)
    call_command("migrate", interactive=False, verbosity=0)
    if truth is not None and (aside.data / _TRUTH).exists():
        _put_truth(aside.data / _TRUTH, truth)  # at last: where something is damaged, no secret is left behind
    audit.note(None, "restore", after={"made": about["made"], "striate": about["striate"]})
    connection.close()


def _holds_a_portal() -> bool:
    """Whether there is anybody in the database; empty tables may be left from a restore that was refused."""
    from django.db import connection

    if "portal_user" not in connection.introspection.table_names():
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM portal_user LIMIT 1")
        return cursor.fetchone() is not None


def _migrate_to(migrations: list[str]) -> None:
    """Make the tables that the backup had; later ones come when they are full."""
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.loader import MigrationLoader

    from striate.portal.models import triggers

    known = {name for app, name in MigrationLoader(connection).disk_migrations if app == "portal"}
    if unknown := sorted(set(migrations) - known):
        raise InputError(
            f"The backup was made by a newer version of striate (it has {shortened(unknown[0])}): install that, or a later one."
        )
    call_command("migrate", "portal", max(migrations), interactive=False, verbosity=0)
    triggers.lift()  # an older table may be changed yet


def _put(aside: Place, name: str, file: Path, made: dict[str, Any]) -> None:
    from striate.portal.organising import tables

    folder, _, rest = name.partition("/")
    parts = rest.split("/")
    if not ((name in _FILES) or (folder in _FOLDERS and all(part not in ("", ".", "..") for part in parts))):
        raise InputError(f"The backup is damaged: it holds {quoted(name)}, which belongs nowhere.")
    if folder == "tables":
        table = rest.removesuffix(".jsonl")
        if table not in tables.PASSING:  # earlier versions left fewer of them out
            if table not in made:
                raise InputError(f"The backup is damaged: there is no table {quoted(rest)}.")
            with file.open("rb") as opened:
                tables.fill(made[table], opened)
        file.unlink()
    else:
        target = aside.data / name
        target.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        file.chmod(FILE_MODE)
        file.replace(target)


def _send_files(aside: Place) -> None:
    """Send files to where the portal keeps them, if that is not its folder; only now is it known that they are what they were."""
    from django.core.files.storage import FileSystemStorage, storages

    from striate.portal import storage

    for folder, name in _STORAGES.items():
        if isinstance(storages[name], FileSystemStorage):
            continue
        for file in sorted((aside.data / folder).rglob("*")):
            if file.is_file():
                storage.put(storages[name], file, file.relative_to(aside.data / folder).as_posix())
        shutil.rmtree(aside.data / folder, ignore_errors=True)


def _put_truth(file: Path, truth: Path) -> None:
    truth.parent.mkdir(parents=True, exist_ok=True)
    part = truth.with_name(f".{truth.name}.partial")
    shutil.move(file, part)
    part.chmod(0o600)
    part.replace(truth)


def _copy(source: IO[bytes], target: BinaryIO) -> dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    while piece := source.read(_CHUNK):
        digest.update(piece)
        target.write(piece)
        size += len(piece)
    return {"size": size, "sha256": digest.hexdigest()}
