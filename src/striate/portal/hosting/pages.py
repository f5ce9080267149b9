"""Pages and downloads of the data. Who is not known gets 401, who has not accepted the terms of a version 403."""

import json
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from striate._internal.text_cleaning import clean_line
from striate.errors import InputError
from striate.portal.access import NOT_ADMITTED, admitted
from striate.portal.accounts.tokens import bearer, owner_of_token
from striate.portal.hosting import contents, dataset, readme, snapshots
from striate.portal.hosting.bulk import Selection, bulk, files_of
from striate.portal.hosting.changes import changes as differences
from striate.portal.hosting.citing import cited
from striate.portal.hosting.listing import folders
from striate.portal.hosting.ranges import send, send_made
from striate.portal.hosting.withdrawing import require_available, require_current
from striate.portal.models import Acceptance, Content, Snapshot, SnapshotFile, User

_LICENCES = ("LICENSE", "LICENCE", "LICENSE.txt", "LICENCE.txt", "LICENSE.md", "LICENCE.md")
_LONGEST_LICENCE = 2**16  # bytes that are shown
_A_PAGE = 1000  # files


def _person(request: HttpRequest) -> User | None:
    """Who asks: by a session, or by a token."""
    if isinstance(request.user, User):
        return request.user
    token = bearer(request)
    return None if token is None else owner_of_token(request, token)


def refusal(request: HttpRequest, snapshot: Snapshot) -> HttpResponseBase | None:
    """Why this person gets no data of a version; None where nothing is in the way.

    Raises
    ------
    WithdrawnError
        If nobody gets any, because the version was withdrawn.
    """
    require_available(snapshot)
    user = _person(request)
    if user is None:
        page = render(request, "portal/data/unknown.html", status=401)
        page.headers["WWW-Authenticate"] = 'Bearer realm="data"'
        return page
    if not user.admitted:
        return render(request, "403.html", {"exception": NOT_ADMITTED}, status=403)
    if not dataset.accepted(user, snapshot):
        page_of = reverse("data") if snapshot == Snapshot.current() else reverse("version", args=[snapshot.number])
        why = gettext("Accept the terms of the data first: %(address)s") % {
            "address": request.build_absolute_uri(page_of)
        }
        return render(request, "403.html", {"exception": why}, status=403)
    return None


def version_called(name: str) -> Snapshot:
    """The version of a name in an address; 404 if there is none."""
    found = snapshots.find(name)
    if found is None:
        raise Http404(gettext("There is no such version of the data."))
    return found


def page_address(request: HttpRequest, snapshot: Snapshot) -> str:
    """Where a version is described, for as long as the portal stands."""
    return request.build_absolute_uri(reverse("version", args=[snapshot.number]))


@require_safe
def data(request: HttpRequest) -> HttpResponseBase:
    """The current version: README, files, terms, how to cite it."""
    return _page(request, Snapshot.current() or Snapshot.latest())


@require_safe
def version(request: HttpRequest, snapshot: str) -> HttpResponseBase:
    """Any version."""
    return _page(request, version_called(snapshot))


def _page(request: HttpRequest, snapshot: Snapshot) -> HttpResponseBase:
    said = cited(snapshot, page_address(request, snapshot))
    if snapshot.withdrawn is not None:  # what remains, so that a DOI or an address in a paper leads to an explanation
        shown: dict[str, Any] = {
            "snapshot": snapshot,
            "current": Snapshot.current(),
            "metadata": said.metadata,
            "citation": said.text,
        }
        return render(request, "portal/data/withdrawn.html", shown | {"doi": snapshot.doi})
    user = request.user if isinstance(request.user, User) else None
    accepted = user is not None and user.admitted and dataset.accepted(user, snapshot)
    files = files_of(snapshot.sha256)
    shown = {"snapshot": snapshot, "accepted": accepted, "files": files}
    folder = request.GET.get("folder")
    if folder is not None:
        inside = [each for each in files if each.path.startswith(folder) and "/" not in each.path[len(folder) :]]
        if not inside:
            raise Http404(gettext("This version has no such folder."))
        shown |= {"folder": folder, "page": Paginator(inside, _A_PAGE).get_page(request.GET.get("page"))}
        return render(request, "portal/data/folder.html", shown)
    grouped = folders(files)
    shown |= {
        "current": Snapshot.current(),
        "earlier": Snapshot.available().filter(number__lt=snapshot.number).exists(),
        "metadata": said.metadata,
        "citation": said.text,
        "doi": snapshot.doi,
        "folders": grouped,
        "total": sum(each.content.size for each in files),
        "recordings": sorted({each.session for each in files if each.session}),
        "roles": sorted({each.role for each in files if each.role}),
        "readme": _readme(snapshot, files, pictures=accepted),
        "licence": snapshots.licence_of(snapshot),
        "licence_text": _licence(files),
        "digest": snapshot.terms_sha256,
        "manifest": request.build_absolute_uri(
            reverse("manifest")
            if snapshot == Snapshot.current()
            else reverse("snapshot-manifest", args=[snapshot.short])
        ),
        "bulk": request.build_absolute_uri(reverse("bulk", args=[snapshot.number])),
        "tar": f"{dataset.name()}-v{snapshot.number}.tar",
        "name": dataset.name(),
    }
    return render(request, "portal/data/data.html", shown)


def _readme(snapshot: Snapshot, files: list[SnapshotFile], *, pictures: bool) -> str | None:
    named = {each.path: each for each in files if each.path in readme.NAMES}
    for name in readme.NAMES:
        if name in named:
            content = named[name].content
            text = contents.head(content, readme.LARGEST).decode(errors="replace")
            address = reverse("file", args=[snapshot.number, "x"])[:-1]
            return readme.cached(content.sha256, text, frozenset(each.path for each in files), address, pictures)
    return None


def _licence(files: list[SnapshotFile]) -> str | None:
    found = next((each for each in files if each.path in _LICENCES), None)
    return None if found is None else contents.head(found.content, _LONGEST_LICENCE).decode(errors="replace")


@require_safe
def versions(request: HttpRequest) -> HttpResponseBase:
    """All versions, the last first, with what changed from one to the next."""
    found = list(Snapshot.objects.select_related("withdrawal").order_by("-number"))
    available = [each for each in found if each.withdrawn is None]
    before = dict(pairwise(available))
    rows = [(each, differences(before[each], each) if each in before else None) for each in found]
    return render(request, "portal/data/versions.html", {"rows": rows})


@require_safe
def changes(request: HttpRequest, snapshot: str) -> HttpResponseBase:
    """What changed since another version: the last one before it, or any (``?since=``)."""
    after = require_available(version_called(snapshot))
    since = request.GET.get("since")
    earlier = Snapshot.available().filter(number__lt=after.number).first()
    before = require_available(version_called(since)) if since else earlier
    if before is None:
        raise Http404(gettext("There is no earlier version of the data."))
    found = differences(before, after)
    shown = {"before": before, "after": after, "changes": found, "versions": Snapshot.available().reverse()}
    return render(request, "portal/data/changes.html", shown)


@admitted
@require_POST
def accept(request: HttpRequest) -> HttpResponseBase:
    """Accept the terms of a version, word for word."""
    assert isinstance(request.user, User)
    digest = clean_line(request.POST.get("terms", ""))  # PostgreSQL compares nothing with NUL
    snapshot = Snapshot.available().filter(terms_sha256=digest).first()
    if snapshot is None:
        messages.error(request, gettext("The terms have changed meanwhile: read them again."))
        return redirect("data")
    Acceptance.objects.get_or_create(user=request.user, sha256=digest, defaults={"terms": dataset.terms_text(snapshot)})
    messages.success(request, gettext("You accepted the terms; that is written down with their text."))
    return redirect("data") if snapshot == Snapshot.current() else redirect("version", snapshot.number)


@require_safe
def manifest(request: HttpRequest) -> HttpResponseBase:
    """The manifest of the current version."""
    return _manifest(request, require_current())


@require_safe
def snapshot_manifest(request: HttpRequest, snapshot: str) -> HttpResponseBase:
    """The manifest of a version: an entry of the catalogue."""
    return _manifest(request, version_called(snapshot))


def _manifest(request: HttpRequest, snapshot: Snapshot) -> HttpResponseBase:
    refused = refusal(request, snapshot)
    if refused is not None:
        return refused
    address = request.build_absolute_uri(f"/data/{snapshot.short}/files/")
    found = dataset.dataset(snapshot, address, page_address(request, snapshot), request.build_absolute_uri("/"))
    text = found.model_dump_json(indent=1, exclude_none=True)
    return HttpResponse(text + "\n", content_type="application/json")


@require_safe
def canonical(request: HttpRequest, snapshot: str) -> HttpResponseBase:
    """The canonical manifest: whose SHA-256 is the version's hash."""
    found = require_available(version_called(snapshot))
    return HttpResponse(snapshots.canonical(found), content_type="application/json")


@require_safe
def file(request: HttpRequest, snapshot: str, name: str) -> HttpResponseBase:
    """One file of a version; with ``?shown``, a picture to be shown in the README."""
    found = version_called(snapshot)
    refused = refusal(request, found)
    if refused is not None:
        return refused
    listed = SnapshotFile.objects.filter(snapshot=found, path=name).select_related("content").first()
    if listed is None:  # only what the version lists is served, whatever else lies in the folder
        raise Http404
    path = PurePosixPath(name)
    kind = readme.PICTURES.get(path.suffix.lower()) if "shown" in request.GET else None
    return _sent(request, listed.content, path.name, kind)


def _sent(request: HttpRequest, content: Content, filename: str, kind: str | None) -> HttpResponseBase:
    told = {"content_type": kind or "application/octet-stream", "inline": kind is not None, "filename": filename}
    path = contents.path_of(content)
    if path is None:
        return send_made(
            request,
            lambda start, length: contents.chunks(content, start, length),
            size=content.size,
            digest=content.sha256,
            **told,  # type: ignore[arg-type]
        )
    contents.opened(content).close()  # a file that was changed is no longer the one with this hash
    return send(request, path, digest=content.sha256, **told)  # type: ignore[arg-type]


@require_safe
def archive(request: HttpRequest, snapshot: str) -> HttpResponseBase:
    """The whole version, or a selection (``?recording=``, ``?role=``, ``?file=``, each as often as needed), as one tar."""
    found = version_called(snapshot)
    refused = refusal(request, found)
    if refused is not None:
        return refused
    asked = request.GET
    selection = Selection(*(tuple(sorted(set(asked.getlist(key)))) for key in ("recording", "role", "file")))
    name = f"{dataset.name()}-v{found.number}"
    try:
        tar = bulk(found.sha256, name, selection)
    except InputError as error:
        return HttpResponse(f"{error}\n", status=404, content_type="text/plain; charset=utf-8")
    filename = f"{name}.tar" if selection.is_all else f"{name}-{tar.digest[:8]}.tar"
    return send_made(
        request, tar.read, size=tar.size, digest=tar.digest, filename=filename, content_type="application/x-tar"
    )


@require_safe
def citation(request: HttpRequest, snapshot: str) -> HttpResponseBase:
    """CITATION.cff of a version."""
    return _attached(_cited(request, snapshot).cff().encode(), "CITATION.cff", "application/yaml; charset=utf-8")


@require_safe
def datacite_json(request: HttpRequest, snapshot: str) -> HttpResponseBase:
    """DataCite's metadata of a version, as JSON."""
    content = json.dumps(_cited(request, snapshot).datacite(), ensure_ascii=False, indent=1).encode()
    return _attached(content + b"\n", "datacite.json", "application/json")


@require_safe
def datacite_xml(request: HttpRequest, snapshot: str) -> HttpResponseBase:
    """DataCite's metadata of a version, as XML."""
    return _attached(_cited(request, snapshot).datacite_xml(), "datacite.xml", "application/xml")


def _cited(request: HttpRequest, snapshot: str) -> Any:
    found = version_called(snapshot)
    return cited(found, page_address(request, found))


def _attached(content: bytes, filename: str, kind: str) -> HttpResponse:
    return HttpResponse(
        content, content_type=kind, headers={"Content-Disposition": f'attachment; filename="{filename}"'}
    )
