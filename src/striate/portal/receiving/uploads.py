"""Uploads in parts, each of which may reach another machine: what arrived stays, and a broken connection costs what was on the way.

::

    upload = begin(user, filename=…, size=…, sha256=…, most=…)   # or the one of the same file that was broken off
    append(upload, offset, chunks)                              # as often as it takes, by any machine
    with whole(upload) as file: …                               # its bytes, held against the hash
    discard(upload)

Parts lie in the storage ``uploads`` as ``ID/OFFSET-RANDOM``. What counts is told by the database: a part that is there twice, or was never
written down, is not read, and removed with its upload.
"""

import hashlib
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from django.core.files.storage import Storage, storages
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext

from striate.errors import InputError
from striate.portal import storage as files
from striate.portal.competition import place
from striate.portal.models import Part, Upload, User
from striate.portal.receiving.decoding import room_for
from striate.portal.unavailable import FullDiskError
from striate.portal.words import plain_name

_MOST_OPEN = 5  # uploads of a person
_PART = 16 * 2**20  # bytes after which a part is safe, however long the request goes on
_LEAST_PART, _MOST_SMALL_PARTS = 2**20, 64  # bytes; of a small file this share is enough
_CHUNK = 2**20  # bytes
_LASTS = timedelta(days=1)
# What is written aside on this machine's disk; the last is what Django calls files of forms, before what they end with.
_ASIDE = ("part-*", "whole-*", "trying-*", "data-*", "*.upload*")


def require_size(size: int, most: int) -> None:
    """Refuse a file that is empty, or has more bytes than it may have.

    Raises
    ------
    InputError
        If it is.
    """
    if not 0 < size <= most:
        raise InputError(
            gettext("The file has %(size)s MB; up to %(most)s MB are allowed.")
            % {"size": number_format(size / 1e6, 1), "most": number_format(most / 1e6, 0)}
        )


def begin(by: User, *, filename: str, size: int, sha256: str, most: int, purpose: str = Upload.SUBMISSION) -> Upload:
    """Begin an upload, or go on with the one of the same file; of too many unfinished ones of a person the oldest gives way.

    Parameters
    ----------
    by
        Whose it is.
    filename
        What the sender calls it.
    size, sha256
        Of the whole file, as the sender says.
    most
        Bytes that such a file may have.
    purpose
        What it is for; an upload is found again for the same purpose only.

    Raises
    ------
    InputError
        If it is too large, or the disk has no room.
    """
    require_size(size, most)
    with transaction.atomic():
        User.objects.select_for_update().get(pk=by.pk)
        open_ = Upload.objects.filter(by=by, submission=None, purpose=purpose)
        same = open_.filter(sha256=sha256, size=size).first()
        if same is not None:
            return same
        if not room_for(place().uploads, size):
            raise FullDiskError
        for old in open_.order_by("-expires_at", "-pk")[_MOST_OPEN - 1 :]:  # the oldest give way
            discard(old)
        return Upload.objects.create(by=by, filename=plain_name(filename), size=size, sha256=sha256, purpose=purpose)


def begin_data(by: User, *, filename: str, size: int, sha256: str) -> Upload:
    """Begin an upload of an organiser's data, or go on with the one of the same file; it may be as large as the disk allows.

    Raises
    ------
    InputError
        If the disk has no room.
    """
    with transaction.atomic():
        User.objects.select_for_update().get(pk=by.pk)
        same = Upload.objects.filter(by=by, sha256=sha256, size=size, purpose=Upload.DATA).first()
        if same is not None:
            return same
        if not room_for(place().uploads, size):
            raise FullDiskError(
                gettext("The disk of the portal is nearly full: make room, and push again; what arrived stays.")
            )
        return Upload.objects.create(
            by=by, filename=plain_name(filename), size=size, sha256=sha256, purpose=Upload.DATA
        )


def received(upload: Upload) -> int:
    """How many bytes have arrived, from the first on without a gap.

    Raises
    ------
    InputError
        If the upload was forgotten meanwhile.
    """
    if upload.submission_id is not None:
        return upload.size
    found = Upload.objects.filter(pk=upload.pk).values_list("received", flat=True).first()
    if found is None:
        raise _forgotten()
    return found


def expect(upload: Upload, offset: int, length: int) -> None:
    """Check, before any byte of a part is read, that `append` will take it.

    Parameters
    ----------
    upload
        What the part belongs to.
    offset, length
        Where the part begins in the file, and how many bytes it has.

    Raises
    ------
    InputError
        If the part does not begin where the last one ended, is longer than what is missing, or too small.
    FullDiskError
        If the disk has no room for it.
    """
    if (have := received(upload)) != offset:
        raise _elsewhere(have, offset)
    if offset + length > upload.size:
        raise _too_many(upload)
    if length < least_part(upload) and offset + length < upload.size:
        raise InputError(
            gettext("A part has at least %(least)d bytes, except for the last: send more at a time.")
            % {"least": least_part(upload)}
        )
    if not room_for(place().uploads, length):
        raise FullDiskError


def least_part(upload: Upload) -> int:
    """Bytes that each part but the last has at least, so that no upload becomes thousands of files."""
    return min(_LEAST_PART, -(-upload.size // _MOST_SMALL_PARTS))


def unfinished(by: User) -> QuerySet[Upload]:
    """Uploads of submissions of a person that are not whole, or became nothing; the oldest first."""
    return Upload.objects.filter(by=by, submission=None, purpose=Upload.SUBMISSION).order_by("expires_at", "pk")


def append(upload: Upload, offset: int, chunks: Iterable[bytes]) -> int:
    """Add what arrives to what has arrived; return how much there is then.

    What came before a connection broke off is kept; then the error goes on.

    What a connection that was given up still brings may arrive beside what goes on in its place: each piece is added only
    where it belongs, so that neither harms the other.

    Raises
    ------
    InputError
        If the bytes do not begin where the last ones ended, or are too many.
    """
    if upload.submission_id is not None:
        raise InputError(gettext("This upload is done: it has become a submission."))
    have = received(upload)
    if have != offset:
        raise _elsewhere(have, offset)
    source = iter(chunks)
    over = False
    while not over:
        # A file of this machine, so that a slow sender takes no memory and holds no lock.
        with tempfile.NamedTemporaryFile(dir=place().uploads, prefix="part-", delete=False) as aside:
            try:
                over = True
                for chunk in source:
                    if have + aside.tell() + len(chunk) > upload.size:
                        raise _too_many(upload)
                    aside.write(chunk)
                    if aside.tell() >= _PART:
                        over = False
                        break
            finally:
                length = aside.tell()
                aside.close()
                try:
                    # what a broken connection left of a part is kept if it is worth a file
                    if length >= least_part(upload) or (length and have + length == upload.size):
                        have = _add(upload, have, length, Path(aside.name))
                finally:
                    Path(aside.name).unlink(missing_ok=True)
    return have


@contextmanager
def whole(upload: Upload) -> Iterator[Path]:
    """The file of an upload that is whole, on this machine's disk; it may be moved away, and is removed when the context ends.

    Raises
    ------
    InputError
        If bytes are missing, or others arrived than were announced; these are thrown away.
    """
    if (have := received(upload)) != upload.size:
        raise InputError(
            gettext("%(have)d of %(size)d bytes have arrived: send the others first.")
            % {"have": have, "size": upload.size}
        )
    with tempfile.TemporaryDirectory(dir=place().uploads, prefix="whole-") as aside:
        file, digest = Path(aside) / "file", hashlib.sha256()
        try:
            with file.open("wb") as joined:
                for name in upload.parts.order_by("offset").values_list("name", flat=True):
                    with files.opened(_storage(), name) as part:
                        while some := part.read(_CHUNK):
                            digest.update(some)
                            joined.write(some)
        except FileNotFoundError:  # perhaps it is done: whoever asked twice is the second one here
            received(upload)
            raise
        if digest.hexdigest() != upload.sha256:
            discard(upload)
            raise InputError(gettext("What arrived has another SHA-256 than was announced: send the file again."))
        yield file


def done(upload: Upload) -> None:
    """Throw away the bytes of an upload that has become a submission; that it has stays known for a day."""
    files.remove(_storage(), str(upload.pk))


def discard(upload: Upload) -> None:
    """Forget an upload, and what arrived of it."""
    Upload.objects.filter(pk=upload.pk).delete()
    files.remove(_storage(), str(upload.pk))


def clean() -> None:
    """Forget uploads that are too old, and remove parts whose upload is forgotten."""
    for given_up in Upload.objects.filter(expires_at__lt=timezone.now()):
        discard(given_up)
    there = {UUID(name.partition("/")[0]) for name, _ in files.below(_storage(), "") if _is_part(name)}
    for number in there - set(Upload.objects.filter(pk__in=there).values_list("pk", flat=True)):
        files.remove(_storage(), str(number))
    for left in (each for pattern in _ASIDE for each in place().uploads.glob(pattern)):
        with suppress(FileNotFoundError):  # it is in use, and was removed in this instant
            if (
                timezone.now().timestamp() - left.stat().st_mtime > _LASTS.total_seconds()
            ):  # of a process that was killed
                # What another user made, whose folder is that user's alone, stays; the others are removed all the same.
                shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink()


def _add(upload: Upload, offset: int, length: int, file: Path) -> int:
    """Keep a part; of two that begin at the same byte, the one that is written down first counts."""
    name = f"{upload.pk}/{offset:015d}-{secrets.token_hex(6)}"
    files.put(_storage(), file, name)
    try:
        with transaction.atomic():
            current = Upload.objects.select_for_update().filter(pk=upload.pk).first()
            if current is None:
                raise _forgotten()
            if current.received != offset:
                raise _elsewhere(current.received, offset)
            Part.objects.create(upload=current, offset=offset, name=name)
            current.received = offset + length
            current.save(update_fields=["received"])
    except BaseException:
        _storage().delete(name)
        raise
    return offset + length


def _too_many(upload: Upload) -> InputError:
    return InputError(
        gettext("More bytes arrive than the %(size)d that were announced: begin again.") % {"size": upload.size}
    )


def _forgotten() -> InputError:
    return InputError(gettext("The upload is done, or was thrown away: begin again."))


def _elsewhere(have: int, offset: int) -> InputError:
    return InputError(
        gettext("%(have)d bytes have arrived, and these begin at %(offset)d: go on from %(have)d.")
        % {"have": have, "offset": offset}
    )


def _is_part(name: str) -> bool:
    try:
        UUID(name.partition("/")[0])
    except ValueError:
        return False
    return "/" in name


def _storage() -> Storage:
    return storages["uploads"]
