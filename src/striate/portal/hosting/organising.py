"""Pages for organisers: what is said of a version, its DOI, and its withdrawal."""

from collections.abc import Callable
from functools import wraps

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST

from striate.errors import InputError
from striate.portal.access import signed_in
from striate.portal.hosting import dataset, withdrawing
from striate.portal.hosting.citing import cited
from striate.portal.hosting.metadata import edited, require_doi
from striate.portal.hosting.pages import page_address, version_called
from striate.portal.models import Chain, Description, Doi, DoiRequest, Snapshot, User
from striate.portal.models.snapshots import author_of
from striate.portal.organising import audit

_LONGEST = 2**18  # characters

View = Callable[[HttpRequest, str], HttpResponseBase]


def _organiser(view: View) -> View:
    @wraps(view)
    def guarded(request: HttpRequest, snapshot: str) -> HttpResponseBase:
        if not (isinstance(request.user, User) and request.user.is_staff):
            raise PermissionDenied(gettext("This page is for organisers."))
        return view(request, snapshot)

    return signed_in(guarded)


@_organiser
@require_http_methods(["GET", "HEAD", "POST"])
def describe(request: HttpRequest, snapshot: str) -> HttpResponseBase:
    """What is said of a version: shown, and changed as long as no DOI was requested."""
    found = version_called(snapshot)
    text, problem = cited(found, "").metadata.toml(), ""
    if request.method == "POST":
        text = request.POST.get("text", "")[:_LONGEST].replace("\r\n", "\n")
        try:
            _describe(found, text, request)
        except InputError as error:
            problem = str(error)
        else:
            messages.success(request, gettext("The description was changed."))
            return redirect("describe", found.number)
    shown = {"snapshot": found, "text": text, "problem": problem, "frozen": _requested(found)}
    return render(request, "portal/data/describe.html", shown, status=400 if problem else 200)


def _describe(snapshot: Snapshot, text: str, request: HttpRequest) -> None:
    metadata = edited(text)
    with transaction.atomic():
        Chain.objects.select_for_update().get(pk=1)  # not while a DOI is requested
        if _requested(snapshot) is not None:
            raise InputError(gettext("A DOI was requested for this version: what is said of it stays."))
        before, after = ({"said": each.toml()} for each in (cited(snapshot, "").metadata, metadata))
        Description.objects.create(
            snapshot=snapshot, metadata=metadata.model_dump(mode="json"), by=author_of(request.user)
        )
        audit.note(request, "describe version", about=snapshot, before=before, after=after)


@_organiser
@require_http_methods(["GET", "HEAD", "POST"])
def doi(request: HttpRequest, snapshot: str) -> HttpResponseBase:
    """The DOI of a version: requested, which freezes what is said of it; then recorded, once it was given."""
    found = version_called(snapshot)
    problem = ""
    if request.method == "POST":
        try:
            said = _record(found, request) if request.POST.get("doi") else _request(found, request)
        except InputError as error:
            problem = str(error)
        else:
            messages.success(request, said)
            return redirect("doi", found.number)
    said_of_it = cited(found, page_address(request, found))
    shown = {
        "snapshot": found,
        "metadata": said_of_it.metadata,
        "requested": _requested(found),
        "doi": found.doi,
        "xml": said_of_it.datacite_xml().decode(),
        "problem": problem,
    }
    return render(request, "portal/data/doi.html", shown, status=400 if problem else 200)


@_organiser
@require_http_methods(["GET", "HEAD", "POST"])
def withdraw(request: HttpRequest, snapshot: str) -> HttpResponseBase:
    """Withdraw a version, with a reason; or, of one that was withdrawn, the button that restores it."""
    user, found = _permitted(request, "portal.add_withdrawal"), version_called(snapshot)
    name = f"{dataset.name()}-v{found.number}"
    form = withdrawing.WithdrawForm(name, request.POST if request.method == "POST" else None)
    problem = ""
    if form.is_bound and form.is_valid():
        try:
            withdrawing.withdraw(found, form.cleaned_data["reason"], user)
        except InputError as error:
            problem = str(error)
        else:
            messages.success(request, gettext("The version is withdrawn."))
            return redirect("version", found.number)
    shown = {"snapshot": found, "current": Snapshot.current(), "form": form, "problem": problem}
    return render(request, "portal/data/withdraw.html", shown, status=400 if problem or form.errors else 200)


@_organiser
@require_POST
def restore(request: HttpRequest, snapshot: str) -> HttpResponseBase:
    """Restore a version that was withdrawn."""
    user, found = _permitted(request, "portal.delete_withdrawal"), version_called(snapshot)
    try:
        withdrawing.restore(found, user)
    except InputError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, gettext("The version is restored."))
    return redirect("version", found.number)


def _permitted(request: HttpRequest, permission: str) -> User:
    assert isinstance(request.user, User)
    if not request.user.has_perm(permission):
        raise PermissionDenied(gettext("Your account may not withdraw or restore versions of the data."))
    return request.user


def _requested(snapshot: Snapshot) -> DoiRequest | None:
    return DoiRequest.objects.filter(snapshot=snapshot).first()


def _request(snapshot: Snapshot, request: HttpRequest) -> str:
    with transaction.atomic():
        Chain.objects.select_for_update().get(pk=1)
        metadata = cited(snapshot, "").metadata
        if snapshot.withdrawn is not None:
            raise InputError(gettext("This version was withdrawn: restore it before you request a DOI for it."))
        if not metadata.creators:
            raise InputError(
                gettext(
                    "Say first who made the data: what has no creators can get no DOI, and cannot be changed afterwards."
                )
            )
        if _requested(snapshot) is None:
            DoiRequest.objects.create(
                snapshot=snapshot, metadata=metadata.model_dump(mode="json"), by=author_of(request.user)
            )
            audit.note(request, "request DOI", about=snapshot)
    return gettext("The DOI is requested: what is said of this version stays from now on.")


def _record(snapshot: Snapshot, request: HttpRequest) -> str:
    given = require_doi(request.POST["doi"])
    requested = _requested(snapshot)
    if requested is None:
        raise InputError(gettext("Request the DOI first."))
    if snapshot.doi is not None:
        raise InputError(gettext("This version has its DOI already, which stays."))
    try:
        with transaction.atomic():
            Doi.objects.create(request=requested, doi=given, by=author_of(request.user))
            audit.note(request, "record DOI", about=snapshot, after={"doi": given})
    except IntegrityError:
        raise InputError(gettext("Another version has this DOI, or this one was just given one.")) from None
    return gettext("The DOI is recorded.")
