"""Pages that show the recordings, and the prepared files that browsers draw from. Who may download the data may look at them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from striate.portal.competition import competition
from striate.portal.hosting.pages import refusal, version_called
from striate.portal.hosting.ranges import asked
from striate.portal.hosting.withdrawing import require_available
from striate.portal.looking import store
from striate.portal.looking.findings import findings
from striate.portal.looking.jobs import given_up
from striate.portal.looking.tables import texts
from striate.portal.looking.words import words
from striate.portal.models import Acceptance, Snapshot, SnapshotFile, User
from striate.portal.storage import opened

_FILE = re.compile(r"^[a-z0-9_-]{1,60}\.(json|bin|png|tiles|index)$")
_TYPES = {"json": "application/json", "png": "image/png"}
# Named in the page's head, so that a browser need not find one module after the other.
_MODULES = [
    f"portal/looking/{name}.js"
    for name in ("drawing", "colours", "prepared", "raster", "tiles", "gallery", "traces", "cloud", "histograms")
]
_FOR_EVER = "private, max-age=31536000, immutable"
_LARGEST_PART = 4 * 2**20  # bytes that are sent from memory


@dataclass(frozen=True)
class Row:
    """A recording in the list.

    Attributes
    ----------
    file
        As the version has it that is shown.
    track
        Whose it is; None for one for pre-training.
    open
        Whether the reader may download it, and so be told what it holds.
    summary
        What it holds, once it is prepared.
    """

    file: SnapshotFile
    track: str | None
    open: bool
    summary: dict[str, Any] | None


@require_safe
def recordings(request: HttpRequest, snapshot: str | None = None) -> HttpResponseBase:
    """The recordings of a version, or all that are hosted; what each holds is told to those who may download it."""
    version = None if snapshot is None else require_available(version_called(snapshot))
    accepted = _accepted(request)
    rules = competition().rules
    rows = []
    for each in store.recordings(version):
        track, open_ = rules.track_of(each.session), each.snapshot.terms_sha256 in accepted
        rows.append(Row(each, track.name if track else None, open_, store.summary(each.content) if open_ else None))
    shown = {"rows": rows, "allowed": any(each.open for each in rows), "version": version}
    return render(request, "portal/looking/recordings.html", shown | {"current": Snapshot.current()})


def _accepted(request: HttpRequest) -> set[str]:
    """Hashes of the terms under which the reader may download."""
    user = request.user if isinstance(request.user, User) else None
    if user is None or not user.admitted:
        return set()
    return set(Acceptance.objects.filter(user=user).values_list("sha256", flat=True))


@require_safe
def recording(request: HttpRequest, session: str, snapshot: str | None = None) -> HttpResponseBase:
    """One recording, of a version or of the newest that holds it: drawn, or, until it is prepared, the promise of that."""
    archive = _archive(session, snapshot)
    refused = refusal(request, archive.snapshot)
    if refused is not None:
        return refused
    summary = store.summary(archive.content)
    newest = archive if snapshot is None else _archive(session, None)
    shown = {
        "archive": archive,
        "newest": newest,
        "current": Snapshot.current(),
        "state": _state_address(archive, snapshot),
        "summary": summary,
        "findings": findings(summary) if summary else [],
        "given_up": given_up(archive.content),
        "modules": _MODULES,
    }
    if summary is not None and not summary["failed"]:
        files = reverse("recording", args=[session]) + f"{store.key(archive.content)}/"
        shown |= texts(summary) | {"words": words(summary), "files": files}
    return render(request, "portal/looking/recording.html", shown)


@require_safe
def state(request: HttpRequest, session: str, snapshot: str | None = None) -> HttpResponseBase:
    """The part of the page that waits until the recording is prepared, and then asks for the whole page."""
    archive = _archive(session, snapshot)
    refused = refusal(request, archive.snapshot)
    if refused is not None:
        return refused
    shown = {"state": _state_address(archive, snapshot), "given_up": given_up(archive.content)}
    answer = render(request, "portal/looking/state.html", shown)
    answer.headers["Cache-Control"] = "no-store"
    if store.is_prepared(archive.content):
        answer.headers["HX-Refresh"] = "true"
    return answer


def _state_address(archive: SnapshotFile, snapshot: str | None) -> str:
    if snapshot is None:
        return reverse("recording-state", args=[archive.session])
    return reverse("version-recording-state", args=[archive.snapshot.number, archive.session])


@require_safe
def part(request: HttpRequest, session: str, key: str, file: str) -> HttpResponseBase:
    """A prepared file, or bytes of it, for those who may download a version that has the recording so; what has this address never changes."""
    held = store.holders(session, key)
    if not held and (gone := store.withdrawn(session, key)) is not None:
        require_available(gone)
    refused = _refused_by_all([each.snapshot for each in held or [_archive(session, None)]], request)
    if refused is not None:
        return refused
    name, storage = store.name(key, file), store.storage()
    if not held or not _FILE.match(file) or not storage.exists(name):
        raise Http404
    kind, size = _TYPES.get(file.rpartition(".")[2], "application/octet-stream"), storage.size(name)
    found = asked(request, size, f"{key}-{file}", cache=_FOR_EVER, most=_LARGEST_PART)
    if isinstance(found, HttpResponse):
        return found
    if request.method == "HEAD":
        return HttpResponse(content_type=kind, headers=found.headers)
    if found.status == 206:
        with opened(storage, name, found.start) as source:
            content = source.read(found.length)
        return HttpResponse(content, status=206, content_type=kind, headers=found.headers)
    return FileResponse(opened(storage, name), content_type=kind, headers=found.headers)


def _refused_by_all(versions: Sequence[Snapshot], request: HttpRequest) -> HttpResponseBase | None:
    """Why this person gets nothing of any of these versions; None where nothing is in the way of one of them."""
    refused = None
    for each in {each.terms_sha256: each for each in versions}.values():
        refused = refusal(request, each)
        if refused is None:
            return None
    return refused


def _archive(session: str, snapshot: str | None) -> SnapshotFile:
    version = None if snapshot is None else require_available(version_called(snapshot))
    archive = store.recording(session, version)
    if archive is None:
        if version is None and (gone := store.withdrawn(session)) is not None:
            require_available(gone)
        raise Http404(gettext("There is no such recording."))
    return archive
