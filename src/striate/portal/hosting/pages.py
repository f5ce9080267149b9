"""Pages and downloads of the data. Who is not known gets 401, who has not accepted the terms 403."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from striate.portal.access import NOT_ADMITTED, admitted
from striate.portal.competition import competition
from striate.portal.hosting.dataset import accepted, dataset, licence, terms_digest, terms_text, version
from striate.portal.hosting.ranges import send
from striate.portal.models import Acceptance, Token, User


def _person(request: HttpRequest) -> User | None:
    """Who asks: by a session, or by a token."""
    if isinstance(request.user, User):
        return request.user
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return Token.owner(token.strip()) if kind.lower() == "bearer" else None


def _refusal(request: HttpRequest) -> HttpResponseBase | None:
    """Why this person gets no data; None where nothing is in the way."""
    user = _person(request)
    if user is None:
        page = render(request, "portal/data/unknown.html", status=401)
        page.headers["WWW-Authenticate"] = 'Bearer realm="data"'
        return page
    if not user.admitted:
        return render(request, "403.html", {"exception": NOT_ADMITTED}, status=403)
    if not accepted(user):
        why = f"Accept the terms of the data first: {request.build_absolute_uri(reverse('data'))}"
        return render(request, "403.html", {"exception": why}, status=403)
    return None


@require_safe
def data(request: HttpRequest) -> HttpResponseBase:
    """The dataset: files, sizes, hashes, terms."""
    made = competition()
    user = request.user if isinstance(request.user, User) else None
    shown = {
        "files": made.manifest.files,
        "total": sum(each.size for each in made.manifest.files),
        "version": version(),
        "made": made.made,
        "licence": licence(),
        "accepted": user is not None and accepted(user),
        "digest": terms_digest(),
        "manifest": request.build_absolute_uri(reverse("manifest")),
        "name": dataset("https://example.org/", "").name,
    }
    return render(request, "portal/data/data.html", shown)


@admitted
@require_POST
def accept(request: HttpRequest) -> HttpResponseBase:
    """Accept the terms, word for word."""
    assert isinstance(request.user, User)
    if request.POST.get("terms") != terms_digest():
        messages.error(request, "The terms have changed meanwhile: read them again.")
        return redirect("data")
    Acceptance.objects.get_or_create(user=request.user, sha256=terms_digest(), defaults={"terms": terms_text()})
    messages.success(request, "You accepted the terms; that is written down with their text.")
    return redirect("data")


@require_safe
def manifest(request: HttpRequest) -> HttpResponseBase:
    """The manifest of the current snapshot."""
    return snapshot_manifest(request, version())


@require_safe
def snapshot_manifest(request: HttpRequest, snapshot: str) -> HttpResponseBase:
    """The manifest of a snapshot: an entry of the catalogue."""
    _require_snapshot(snapshot)
    refusal = _refusal(request)
    if refusal is not None:
        return refusal
    address = request.build_absolute_uri(f"/data/{snapshot}/files/")
    text = dataset(address, request.build_absolute_uri("/")).model_dump_json(indent=1, exclude_none=True)
    return HttpResponse(text + "\n", content_type="application/json")


@require_safe
def file(request: HttpRequest, snapshot: str, name: str) -> HttpResponseBase:
    """One file of a snapshot."""
    _require_snapshot(snapshot)
    refusal = _refusal(request)
    if refusal is not None:
        return refusal
    made = competition()
    listed = next((each for each in made.manifest.files if each.path == name), None)
    if listed is None:  # only what the manifest lists is served, whatever else lies in the folder
        raise Http404
    return send(request, made.folder / listed.path, digest=listed.sha256)


def _require_snapshot(snapshot: str) -> None:
    if snapshot != version():
        raise Http404("There is no such version of the data.")
