"""Check a file before it costs anything: read by the same child as a submission, told what was found, kept for an hour."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from striate.competition.manifest import sha256_of
from striate.errors import InputError
from striate.portal.competition import place
from striate.portal.models import Upload, User
from striate.portal.receiving import uploads
from striate.portal.receiving.checking import keys_of_competition
from striate.portal.receiving.decoding import Decoded, PlatformError, decoded, room_for
from striate.portal.receiving.places import place_among
from striate.portal.receiving.taking import NATIVE, require_files
from striate.portal.unavailable import FullDiskError

KEPT = timedelta(hours=1)
_CHUNK = 2**20  # bytes
_WAITS = 60.0  # seconds for a place
# Each check holds a child process with some memory.
_places = threading.BoundedSemaphore(2)
# Who waits for one has a thread of the web process, and others want pages meanwhile.
_queue = threading.BoundedSemaphore(4)


def try_out(
    sent: Mapping[str, Path], *, by: User, filename: str, told: Mapping[str, str], about: Mapping[str, str]
) -> Upload:
    """Check a file that a person sent; keep it until the person confirms that it shall be submitted.

    Parameters
    ----------
    sent
        By name, as for `striate.portal.receiving.taking.take`. Left where they are.
    by, filename
        Whose, and what it is called.
    told
        Track and protocol, which CSVs do not say.
    about
        The note and the baseline that were filled in, to be used when it is confirmed.

    Raises
    ------
    InputError
        If it would be refused: why.
    """
    require_files(sent)
    if not room_for(place().uploads, sum(file.stat().st_size for file in sent.values())):
        raise FullDiskError
    with _place(), _read(sent, told) as read:
        for earlier in Upload.objects.filter(by=by, submission=None).exclude(found={}):
            uploads.discard(earlier)
        size = read.native.stat().st_size
        made = uploads.begin(by, filename=filename, size=size, sha256=sha256_of(read.native), most=size)
        with read.native.open("rb") as file:
            arrived = uploads.received(made)  # the same file may have been on its way by the API
            file.seek(arrived)
            uploads.append(made, arrived, iter(lambda: file.read(_CHUNK), b""))
        made.found, made.expires_at = {**_found(read), **about}, timezone.now() + KEPT
        made.save(update_fields=["found", "expires_at"])
    return made


@contextmanager
def _place() -> Iterator[None]:
    with place_among(_places, _queue, _WAITS, _crowded):
        yield


def _crowded() -> InputError:
    return InputError(_("The portal is checking many files at this moment: try again in a minute."))


@contextmanager
def _read(sent: Mapping[str, Path], told: Mapping[str, str]) -> Iterator[Decoded]:
    rules, keys = keys_of_competition()
    if NATIVE in sent:
        source, said = sent[NATIVE], {}
    else:
        source = next(iter(sent.values())).parent
        said = {"protocol": told["protocol"], "session": rules.track(told["track"]).session}
    try:
        with decoded(source, place().keys, rules, keys, said) as read:
            yield read
    except PlatformError as error:
        raise InputError(_("The portal could not check the file, which is not your fault: try again.")) from error


def _found(read: Decoded) -> dict[str, Any]:
    rules, keys = keys_of_competition()
    wanted = keys[read.track]
    return {
        "track": read.track,
        "protocol": read.protocol,
        "session": wanted.session,
        "live": len(wanted.rows(rules.live_tier)),
        "final": len(wanted.rows(rules.final_tier)),
        "neurons": len(wanted.unit_ids),
        "mean": float(sum(row.sum(dtype="float64") for row in read.predictions) / read.predictions.size),
        "most": float(max(row.max() for row in read.predictions)),
    }
