"""Publishing versions of the data: the competition's folder is the first, and organisers add others. Nothing of one ever changes."""

import hashlib
import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from pydantic import ValidationError

from striate._internal.text_cleaning import clean_text
from striate.catalog.dataset import PRETRAINING, DataFile, Licence
from striate.errors import InputError
from striate.portal.competition import competition
from striate.portal.hosting import arriving, contents
from striate.portal.hosting.bulk import SUMS
from striate.portal.hosting.metadata import CFF, TOML, described, first_metadata
from striate.portal.hosting.secrets import refuse_other_recording
from striate.portal.models import Content, Description, Snapshot, SnapshotFile
from striate.portal.organising import audit
from striate.portal.words import grouped
from striate.recordings.layout import session_from_file_name

FORMAT = "striate data 1"
MOST_FILES = 20_000
_LARGEST_METADATA = 2**18  # bytes


@dataclass(frozen=True)
class NewFile:
    """A file of a version that is to be published; its content is here already.

    Attributes
    ----------
    path
        Below the folder of the dataset.
    size, sha256
        Of its content.
    session
        The recording that it holds, where that is known.
    """

    path: str
    size: int
    sha256: str
    session: str | None = None


def begin() -> Snapshot:
    """Make the competition's public folder the first version, if there is none; its files are served from where they lie."""
    first = Snapshot.objects.order_by("number").first()
    if first is not None:
        return first
    made = competition()
    with transaction.atomic():
        files = []
        for each in made.manifest.files:
            Content.objects.get_or_create(
                sha256=each.sha256, defaults={"size": each.size, "beside": each.path, "at": made.made}
            )
            files.append(NewFile(each.path, each.size, each.sha256, each.session))
        snapshot = _write(files, made.rules.licence, "As the competition began.", "", made.made)
        Description.objects.create(snapshot=snapshot, metadata=first_metadata(made.rules).model_dump(mode="json"))
        return snapshot


def missing(hashes: Iterable[str]) -> list[str]:
    """Those of some contents that are not here; those that are stay for some days."""
    asked = list(dict.fromkeys(hashes))
    known = arriving.here(asked)
    return [each for each in asked if each not in known]


def publish(files: Sequence[NewFile], *, note: str, author: str, by: audit.Actor = None) -> tuple[Snapshot, bool]:
    """Publish a version, in one step.

    Parameters
    ----------
    files
        All of its files; their contents are here.
    note
        What is new in it.
    author
        Who publishes it, as readers are told.
    by
        The same, for the audit log.

    Returns
    -------
    Snapshot, bool
        The version, and whether it is a new one: the same files under the same terms are the same version.

    Raises
    ------
    InputError
        If a path leads out of the folder, a content is missing, something in it would give the competition away, or the same
        version was withdrawn.
    """
    require_sound(files)
    told = {each.path: each for each in files}
    with transaction.atomic():
        # One at a time, by the lock that this takes; the chain is not locked, since receipts would wait for all that follows.
        if absent := arriving.take_over(list(dict.fromkeys(each.sha256 for each in files))):
            raise InputError(
                ngettext(
                    "The contents of %(count)s file are not here yet: send them first.",
                    "The contents of %(count)s files are not here yet: send them first.",
                    len(absent),
                )
                % {"count": grouped(len(absent))}
            )
        latest = Snapshot.latest()
        before = Snapshot.current() or latest  # what a version that was withdrawn says is not passed on
        licence, metadata = _described(told, before)
        known = Snapshot.objects.filter(sha256=_digest(_with_sessions(files, before), licence)).first()
        if known is not None:
            _refuse_withdrawn(known)
            return known, False
        snapshot = _write(files, licence, note, author, timezone.now(), before, latest.number + 1)
        Description.objects.create(snapshot=snapshot, metadata=metadata, by=author)
        after = {"number": snapshot.number, "sha256": snapshot.sha256, "note": note}
        audit.note(by, "publish version", about=snapshot, after=after)
        return snapshot, True


def require_sound(files: Sequence[NewFile]) -> None:
    """Refuse a list of files that cannot be a version.

    Raises
    ------
    InputError
        If a path is none, or two are one on some disk, or a recording of a track is not the one that was committed to.
    """
    if not 0 < len(files) <= MOST_FILES:
        raise InputError(
            gettext("A version has from 1 to %(most)s files, and this one %(count)s: pack some together.")
            % {"most": grouped(MOST_FILES), "count": grouped(len(files))}
        )
    for each in files:
        _require_path(each.path)
        for part in PurePosixPath(each.path).parts:
            session = session_from_file_name(part) or (each.session if part == each.path.rpartition("/")[2] else None)
            if session is not None:
                refuse_other_recording(session, each.sha256, each.path)
    folded = Counter(unicodedata.normalize("NFC", each.path).casefold() for each in files)
    doubled = [path for path, count in folded.items() if count > 1]
    folders = {str(parent) for path in folded for parent in PurePosixPath(path).parents}
    if doubled or (doubled := sorted(folders & set(folded))):
        raise InputError(
            gettext(
                "Two files are both called %(path)s where case does not count, or one is also a folder: rename one."
            )
            % {"path": repr(doubled[0])}
        )


def canonical(snapshot: Snapshot) -> bytes:
    """The canonical manifest of a version, whose SHA-256 is the version's hash."""
    files = [
        NewFile(path, size, sha256, session or None)
        for path, size, sha256, session in snapshot.files.values_list(
            "path", "content__size", "content__sha256", "session"
        )
    ]
    return _canonical(files, licence_of(snapshot))


def licence_of(snapshot: Snapshot) -> Licence:
    """The terms of a version."""
    return Licence(name=snapshot.licence, address=snapshot.licence_address or None, terms=snapshot.terms)


def terms_text(licence: Licence) -> str:
    """What is accepted, word for word."""
    return "\n".join(part for part in (licence.name, licence.address, licence.terms) if part)


def find(name: str) -> Snapshot | None:
    """The version that is called so in an address: a number, a hash, or its first 16 digits."""
    if name.isdecimal() and len(name) < 9:
        return Snapshot.objects.filter(number=int(name)).first()
    if len(name) not in (16, 64):
        return None
    if competition().version.startswith(name):  # the address that the first version had once
        return Snapshot.objects.order_by("number").first()
    return Snapshot.objects.filter(sha256__startswith=name).first()


def _refuse_withdrawn(known: Snapshot) -> None:
    if (gone := known.withdrawn) is not None:
        raise InputError(
            gettext(
                "These files under these terms are version %(number)d, which was withdrawn on %(date)s (%(reason)s): an organiser can "
                "restore it on its page; or change what is wrong, and publish that."
            )
            % {"number": known.number, "date": gone.at.date().isoformat(), "reason": gone.reason}
        )


def _write(
    files: Sequence[NewFile],
    licence: Licence,
    note: str,
    author: str,
    at: Any,
    before: Snapshot | None = None,
    number: int = 1,
) -> Snapshot:
    files = _with_sessions(files, before)
    sessions = Counter(each.session for each in files if each.session)
    if sessions and (most := sessions.most_common(1)[0])[1] > 1:
        raise InputError(
            gettext("%(count)d files are said to be recording %(session)s: a recording is one file.")
            % {"count": most[1], "session": most[0]}
        )
    rules = competition().rules
    snapshot = Snapshot.objects.create(
        number=number,
        sha256=_digest(files, licence),
        at=at,
        author=author,
        note=clean_text(note),
        licence=licence.name,
        licence_address=licence.address or "",
        terms=licence.terms,
        terms_sha256=hashlib.sha256(terms_text(licence).encode()).hexdigest(),
    )
    was = {} if before is None else {e.path: e for e in before.files.select_related("content")}
    found: dict[str, int] = {}
    hashes = list({each.sha256 for each in files})
    for start in range(0, len(hashes), 500):
        rows = Content.objects.filter(sha256__in=hashes[start : start + 500])
        sizes = {each.sha256: each.size for each in files}
        for sha256, size, key in rows.values_list("sha256", "size", "pk"):
            if sizes[sha256] != size:
                raise InputError(
                    gettext("The file with the hash %(hash)s… has %(size)d bytes, and not %(said)d.")
                    % {"hash": sha256[:12], "size": size, "said": sizes[sha256]}
                )
            found[sha256] = key
    rows_ = []
    for each in files:
        old = was.get(each.path)
        same = old is not None and old.content.sha256 == each.sha256
        track = rules.track_of(each.session) if each.session else None
        role = (track.name if track else PRETRAINING) if each.session else ""
        rows_.append(
            SnapshotFile(
                snapshot=snapshot,
                path=each.path,
                content_id=found[each.sha256],
                session=each.session or "",
                role=role,
                changed_id=old.changed_id if same and old is not None else snapshot.pk,
            )
        )
    SnapshotFile.objects.bulk_create(rows_, batch_size=500)
    return snapshot


def _with_sessions(files: Sequence[NewFile], before: Snapshot | None) -> list[NewFile]:
    """Say of archives which recording they hold: as told, by their name, or as in the version before."""
    was = {} if before is None else dict(before.files.exclude(session="").values_list("path", "session"))
    return [
        NewFile(each.path, each.size, each.sha256, each.session or _session_by_name(each.path) or was.get(each.path))
        for each in files
    ]


def _session_by_name(path: str) -> str | None:
    name = path.rpartition("/")[2]
    return session_from_file_name(name) if name.lower().endswith(".zip") else None


def _described(files: dict[str, NewFile], before: Snapshot) -> tuple[Licence, dict[str, Any]]:
    """Terms and metadata: what a file of the version says of it, or as in the version before."""
    texts = {}
    for name in (TOML, CFF):
        if name in files:
            if files[name].size > _LARGEST_METADATA:
                raise InputError(
                    gettext("%(file)s has %(size)d bytes; %(most)d are enough.")
                    % {"file": name, "size": files[name].size, "most": _LARGEST_METADATA}
                )
            texts[name] = contents.head(Content.objects.get(sha256=files[name].sha256), _LARGEST_METADATA)
    last = Description.objects.filter(snapshot=before).first()
    assert last is not None
    metadata, licence = described(texts, last.metadata)
    return licence or licence_of(before), metadata.model_dump(mode="json")


def _digest(files: Sequence[NewFile], licence: Licence) -> str:
    return hashlib.sha256(_canonical(files, licence)).hexdigest()


def _canonical(files: Sequence[NewFile], licence: Licence) -> bytes:
    listed = [
        {
            "path": each.path,
            "size": each.size,
            "sha256": each.sha256,
            **({"session": each.session} if each.session else {}),
        }
        for each in sorted(files, key=lambda each: each.path)
    ]
    terms = licence.model_dump(exclude_none=True)
    whole = {"format": FORMAT, "licence": terms, "files": listed}
    return json.dumps(whole, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def _require_path(path: str) -> None:
    if path.partition("/")[0].casefold() == SUMS.casefold():
        raise InputError(
            gettext("%(path)s has the name of a file that the portal adds to every download: rename it.")
            % {"path": repr(path[:200])}
        )
    try:
        DataFile(name=path)
    except ValidationError:
        raise InputError(
            gettext(
                "%(path)s cannot be the path of a file: give it below the folder, with /, without .., hidden or special names."
            )
            % {"path": repr(path[:200])}
        ) from None
    if len(path) > 400:
        raise InputError(gettext("%(path)s… is longer than 400 characters: rename it.") % {"path": repr(path[:60])})
