"""Pages that show the recordings, and the prepared files that browsers draw from. Who may download the data may look at them."""

import re

from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from striate.competition.manifest import ListedFile
from striate.portal.hosting.dataset import accepted
from striate.portal.hosting.pages import refusal
from striate.portal.hosting.ranges import asked
from striate.portal.looking import store
from striate.portal.looking.jobs import given_up
from striate.portal.looking.tables import texts
from striate.portal.looking.words import words
from striate.portal.models import User
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


@require_safe
def recordings(request: HttpRequest) -> HttpResponseBase:
    """The hosted recordings; how many trials each has is told to those who may download them."""
    user = request.user if isinstance(request.user, User) else None
    allowed = user is not None and user.admitted and accepted(user)
    rows = [(each, store.summary(each) if allowed else None) for each in store.recordings()]
    return render(request, "portal/looking/recordings.html", {"recordings": rows, "allowed": allowed})


@require_safe
def recording(request: HttpRequest, session: str) -> HttpResponseBase:
    """One recording: drawn, or, until it is prepared, the promise of that."""
    archive = _archive(session)
    refused = refusal(request)
    if refused is not None:
        return refused
    summary = store.summary(archive)
    shown = {"archive": archive, "summary": summary, "given_up": given_up(archive), "modules": _MODULES}
    if summary is not None and not summary["failed"]:
        shown |= texts(summary) | {"words": words(), "files": f"{request.path}{store.key(archive)}/"}
    return render(request, "portal/looking/recording.html", shown)


@require_safe
def state(request: HttpRequest, session: str) -> HttpResponseBase:
    """The part of the page that waits until the recording is prepared, and then asks for the whole page."""
    archive = _archive(session)
    refused = refusal(request)
    if refused is not None:
        return refused
    answer = render(request, "portal/looking/state.html", {"archive": archive, "given_up": given_up(archive)})
    answer.headers["Cache-Control"] = "no-store"
    if store.is_prepared(archive):
        answer.headers["HX-Refresh"] = "true"
    return answer


@require_safe
def part(request: HttpRequest, session: str, key: str, file: str) -> HttpResponseBase:
    """A prepared file, or bytes of it; what has this address never changes."""
    archive = _archive(session)
    refused = refusal(request)
    if refused is not None:
        return refused
    name, storage = store.name(key, file), store.storage()
    if key != store.key(archive) or not _FILE.match(file) or not storage.exists(name):
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


def _archive(session: str) -> ListedFile:
    archive = store.recording(session)
    if archive is None:
        raise Http404
    return archive
