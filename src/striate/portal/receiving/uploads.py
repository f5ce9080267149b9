"""Uploads in parts: what arrived stays, so that a broken connection costs what was on the way."""

from collections.abc import Iterator
from pathlib import Path

from django.db import transaction

from striate.competition.manifest import sha256_of
from striate.errors import InputError
from striate.portal.competition import place
from striate.portal.models import Upload, User
from striate.portal.receiving.decoding import room_for
from striate.portal.receiving.taking import largest_file

_MOST_OPEN = 5  # uploads of a person


def begin(by: User, *, filename: str, size: int, sha256: str) -> Upload:
    """Begin an upload, or go on with the one of the same file.

    Raises
    ------
    InputError
        If it is too large, the disk has no room, or too many are open.
    """
    if not 0 < size <= largest_file():
        raise InputError(f"The file has {size / 1e6:.1f} MB; up to {largest_file() / 1e6:.0f} MB are allowed.")
    with transaction.atomic():
        User.objects.select_for_update().get(pk=by.pk)
        open_ = Upload.objects.filter(by=by)
        same = open_.filter(sha256=sha256, size=size).first()
        if same is not None:
            return same
        if open_.count() >= _MOST_OPEN:
            raise InputError(f"You have {_MOST_OPEN} unfinished uploads: finish one of them, or wait a day.")
        if not room_for(place().uploads, size):
            raise InputError("The disk of the portal is nearly full: try again later.")
        return Upload.objects.create(by=by, filename=Path(filename).name[:200], size=size, sha256=sha256)


def begin_data(by: User, *, filename: str, size: int, sha256: str) -> Upload:
    """Begin an upload of an organiser's data, or go on with the one of the same file; it may be as large as the disk allows.

    Raises
    ------
    InputError
        If the disk has no room.
    """
    with transaction.atomic():
        User.objects.select_for_update().get(pk=by.pk)
        same = Upload.objects.filter(by=by, sha256=sha256, size=size).first()
        if same is not None:
            return same
        if not room_for(place().uploads, size):
            raise InputError("The disk of the portal is nearly full: make room, and push again; what arrived stays.")
        return Upload.objects.create(by=by, filename=Path(filename).name[:200], size=size, sha256=sha256)


def received(upload: Upload) -> int:
    """How many bytes have arrived."""
    file = part(upload)
    return file.stat().st_size if file.exists() else 0


def append(upload: Upload, offset: int, chunks: Iterator[bytes]) -> int:
    """Add what arrives to what has arrived; return how much there is then, also if the connection breaks off.

    Raises
    ------
    InputError
        If the bytes do not begin where the last ones ended, or are too many.
    """
    with part(upload).open("ab") as file:
        if file.tell() != offset:
            raise InputError(
                f"{file.tell()} bytes have arrived, and these begin at {offset}: go on from {file.tell()}."
            )
        for chunk in chunks:
            if file.tell() + len(chunk) > upload.size:
                raise InputError(f"More bytes arrive than the {upload.size} that were announced: begin again.")
            file.write(chunk)
        return file.tell()


def whole(upload: Upload) -> Path:
    """The file of an upload that is whole.

    Raises
    ------
    InputError
        If bytes are missing, or others arrived than were announced.
    """
    if (have := received(upload)) != upload.size:
        raise InputError(f"{have} of {upload.size} bytes have arrived: send the others first.")
    if sha256_of(part(upload)) != upload.sha256:
        discard(upload)
        raise InputError("What arrived has another SHA-256 than was announced: send the file again.")
    return part(upload)


def discard(upload: Upload) -> None:
    """Forget an upload."""
    part(upload).unlink(missing_ok=True)
    Upload.objects.filter(pk=upload.pk).delete()


def part(upload: Upload) -> Path:
    """Where the bytes of an upload lie."""
    return place().uploads / f"{upload.pk}.part"
