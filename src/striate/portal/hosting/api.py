"""The API by which organisers publish a version: which contents are missing, each sent in parts, then all of it in one step."""

import hashlib
from datetime import datetime
from functools import partial
from itertools import accumulate
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from ninja import Router, Schema, Status
from ninja.errors import HttpError
from ninja.pagination import paginate
from ninja.security import HttpBearer
from pydantic import Field, TypeAdapter

from striate._internal.safe_parsing import MalformedError, parse_as
from striate.errors import InputError
from striate.portal.accounts.tokens import owner_of_token
from striate.portal.hosting import arriving, snapshots
from striate.portal.models import Snapshot, Upload, User
from striate.portal.models.snapshots import author_of
from striate.portal.paging import Page, Pages
from striate.portal.receiving import uploads
from striate.portal.words import grouped

_LARGEST_LIST = 2**24  # bytes
SMALL_AT_ONCE, MOST_AT_ONCE = 2**22, 500  # bytes and number of small contents in one call
_HASH = "^[0-9a-f]{64}$"


class _Organiser(HttpBearer):
    """A token of an organiser."""

    def authenticate(self, request: HttpRequest, token: str) -> User | None:
        """Whose token it is; others than organisers are told so before anything else."""
        user = owner_of_token(request, token)
        if user is not None and not user.is_staff:
            raise HttpError(403, _("Only organisers publish data: use a token of one's account."))
        if user is not None:
            request.user = user
        return user


router = Router(auth=_Organiser())


class Problem(Schema):
    """Why something was not done (RFC 9457).

    Attributes
    ----------
    type, title, status
        What kind of problem it is: the HTTP status, and its name.
    detail
        What went wrong, in one sentence.
    """

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class File(Schema):
    """A file of the version that is to be published."""

    path: str = Field(min_length=1, max_length=400)
    size: int = Field(ge=0, lt=2**53)
    sha256: str = Field(pattern=_HASH)
    session: str | None = Field(None, pattern="^[A-Za-z0-9_-]{1,100}$")


class NewVersion(Schema):
    """All files of a version, and what is new in it."""

    files: list[File] = Field(min_length=1, max_length=snapshots.MOST_FILES)
    note: str = Field("", max_length=5000)


class Missing(Schema):
    """Hashes of the contents that must be sent."""

    missing: list[str]


class BeginContent(Schema):
    """A content that is going to be sent."""

    sha256: str = Field(pattern=_HASH)
    size: int = Field(ge=0, lt=2**53)
    filename: str = Field("content", min_length=1, max_length=400)


class SmallContent(Schema):
    """A content among others in one call."""

    sha256: str = Field(pattern=_HASH)
    size: int = Field(ge=0, le=SMALL_AT_ONCE)
    allow: bool = False  # it holds no withheld responses, however it looks: the organiser's word, for the audit log


class Kept(Schema):
    """How many contents were taken in."""

    kept: int


class ContentState(Schema):
    """How far a content is: its bytes are sent with ``PUT /api/v1/uploads/{id}?offset=…``. No id: it is here, whole."""

    id: UUID | None
    size: int
    received: int


class WholeContent(Schema):
    """An upload all bytes of which have arrived."""

    upload: UUID
    allow: bool = False  # as that of a small content


class Withdrawn(Schema):
    """That a version was withdrawn: since when, and why."""

    at: datetime
    reason: str


class Version(Schema):
    """A version of the data; `withdrawn` is null unless its files are given to nobody any more."""

    number: int
    sha256: str
    page: str
    withdrawn: Withdrawn | None = None


_SMALL_CONTENTS = TypeAdapter(Annotated[list[SmallContent], Field(min_length=1, max_length=MOST_AT_ONCE)])
_PROBLEMS = {
    400: Problem,
    401: Problem,
    403: Problem,
    404: Problem,
    413: Problem,
    422: Problem,
    503: Problem,
    507: Problem,
}


def _organiser(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


@router.get("/versions", auth=None, response={200: list[Version], **_PROBLEMS})
@paginate(Pages)
def all_versions(request: HttpRequest) -> Any:
    """The versions of the data, the last first."""
    return Page(Snapshot.objects.select_related("withdrawal").order_by("-number"), partial(_told, request))


@router.post("/missing", response={200: Missing, **_PROBLEMS})
def missing(request: HttpRequest) -> dict[str, Any]:
    """Say which contents of a version are not here yet; what could not be published is refused before anything is sent.

    The body is that of ``POST /api/v1/data/versions``.
    """
    new = _listed(request)
    files = _files(new)
    snapshots.require_sound(files)
    return {"missing": snapshots.missing(each.sha256 for each in files)}


@router.post("/contents", response={200: ContentState, **_PROBLEMS})
def begin_content(request: HttpRequest, about: BeginContent) -> dict[str, Any]:
    """Begin to send a content, or find how much of it arrived before the connection broke."""
    user = _organiser(request)
    if arriving.here([about.sha256]):
        return {"id": None, "size": about.size, "received": about.size}
    upload = uploads.begin_data(user, filename=about.filename, size=about.size, sha256=about.sha256)
    return {"id": upload.pk, "size": upload.size, "received": uploads.received(upload)}


@router.put("/contents", response={200: Kept, **_PROBLEMS})
def small_contents(request: HttpRequest) -> dict[str, Any]:
    """Send many small contents in one call.

    The body is a line of JSON, ``[{"sha256": …, "size": …}, …]``, and then the bytes of these contents in this order, without anything
    between them. All of them are taken, or none.
    """
    body = request.read(SMALL_AT_ONCE + 1)
    if len(body) > SMALL_AT_ONCE:
        raise InputError(
            _("More than %(bytes)s bytes are sent in several calls, or in parts: POST /api/v1/data/contents begins.")
            % {"bytes": grouped(SMALL_AT_ONCE)}
        )
    first, _end, rest = body.partition(b"\n")
    try:
        listed = parse_as(_SMALL_CONTENTS, first)
    except MalformedError as error:
        raise InputError(_("The first line does not list contents: %(why)s.") % {"why": error.reason}) from None
    if (wanted := sum(each.size for each in listed)) != len(rest):
        raise InputError(
            _("%(bytes)s bytes follow on the list, and it names %(wanted)s: send all of them again.")
            % {"bytes": grouped(len(rest)), "wanted": grouped(wanted)}
        )
    ends = list(accumulate(each.size for each in listed))
    sent = {each.sha256: rest[end - each.size : end] for each, end in zip(listed, ends, strict=True)}
    if any(hashlib.sha256(content).hexdigest() != sha256 for sha256, content in sent.items()):
        raise InputError(_("What arrived has another SHA-256 than was announced: send it again."))
    allowed = {each.sha256 for each in listed if each.allow}
    arriving.keep_small(sent, arriving.Allowing(_organiser(request), allowed))
    return {"kept": len(sent)}


@router.post("/whole-contents", response={200: ContentState, **_PROBLEMS})
def whole_content(request: HttpRequest, about: WholeContent) -> dict[str, Any]:
    """Take a content in: its hash is checked, and that it gives nothing of the competition away."""
    user = _organiser(request)
    upload = Upload.objects.filter(pk=about.upload, by=user, purpose=Upload.DATA).first()
    if upload is None:
        raise HttpError(404, _("You have no such upload: it is done, or was too old."))
    try:
        with uploads.whole(upload) as file:
            allowed = {upload.sha256} if about.allow else set()
            arriving.keep(file, upload.sha256, arriving.Allowing(user, allowed))
    except InputError:
        uploads.discard(upload)
        raise
    uploads.discard(upload)
    return {"id": None, "size": upload.size, "received": upload.size}


@router.post("/versions", response={200: Version, 201: Version, **_PROBLEMS})
def publish(request: HttpRequest) -> Status[dict[str, Any]]:
    """Publish a version whose contents are all here, in one step.

    The body is JSON: ``{"files": [{"path": …, "size": …, "sha256": …, "session": …}, …], "note": …}``. The answer is 201, or 200
    where the same files under the same terms are a version already.
    """
    user = _organiser(request)
    new = _listed(request)
    made, fresh = snapshots.publish(_files(new), note=new.note, author=author_of(user), by=user)
    return Status(201 if fresh else 200, _told(request, made))


def _listed(request: HttpRequest) -> NewVersion:
    """The body; of thousands of files it is longer than that of a form may be."""
    body = request.read(_LARGEST_LIST + 1)
    if len(body) > _LARGEST_LIST:
        raise InputError(
            _("The list of files is longer than %(bytes)s bytes: pack some files together.")
            % {"bytes": grouped(_LARGEST_LIST)}
        )
    try:
        return parse_as(NewVersion, body)
    except MalformedError as error:
        raise InputError(_("The body does not list files: %(why)s.") % {"why": error.reason}) from None


def _files(new: NewVersion) -> list[snapshots.NewFile]:
    return [snapshots.NewFile(each.path, each.size, each.sha256, each.session) for each in new.files]


def _told(request: HttpRequest, snapshot: Snapshot) -> dict[str, Any]:
    page = request.build_absolute_uri(reverse("version", args=[snapshot.number]))
    gone = snapshot.withdrawn
    withdrawn = None if gone is None else {"at": gone.at, "reason": gone.reason}
    return {"number": snapshot.number, "sha256": snapshot.sha256, "page": page, "withdrawn": withdrawn}
