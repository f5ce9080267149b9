"""The API for programs; ``/api/v1/openapi.json`` describes it. Whoever asks shows a token."""

from datetime import datetime
from functools import partial
from typing import Any, Literal
from uuid import UUID

from django.core.exceptions import RequestDataTooBig
from django.db import transaction
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import NinjaAPI, Schema, Status
from ninja.errors import HttpError, ValidationError
from ninja.pagination import paginate
from ninja.parser import Parser
from ninja.security import HttpBearer
from pydantic import Field

from striate._internal.safe_parsing import parse_json, parse_json_object
from striate.errors import InputError
from striate.portal.access import NOT_ADMITTED, may_see
from striate.portal.accounts.throttle import UPLOAD
from striate.portal.accounts.tokens import owner_of_token
from striate.portal.boards.metric_names import shown_metrics
from striate.portal.boards.standings import DECIMALS
from striate.portal.bodies import body_length
from striate.portal.competition import competition, place
from striate.portal.entries.card import MethodCard
from striate.portal.entries.keeping import current, keep, may_write
from striate.portal.hosting.api import Problem
from striate.portal.hosting.api import router as data
from striate.portal.in_force import in_force
from striate.portal.models import Card, Link, Score, Submission, Upload, User
from striate.portal.paging import Page, Pages
from striate.portal.problems import CONTENT_TYPE
from striate.portal.ratelimit import Quota, count, tell
from striate.portal.receiving import uploads
from striate.portal.receiving.crowd import among_others
from striate.portal.receiving.limits import left
from striate.portal.receiving.soon import check_soon
from striate.portal.receiving.taking import NATIVE, BusyError, largest_file, refuse_outside_of_phases, take
from striate.portal.unavailable import FullDiskError

_CHUNK = 2**18  # bytes
_WAIT, _A_DAY = 3, 24 * 3600  # seconds


class _Bearer(HttpBearer):
    """A token, as ``Authorization: Bearer …``."""

    def authenticate(self, request: HttpRequest, token: str) -> User | None:
        """Whose token it is."""
        user = owner_of_token(request, token)
        if user is not None:
            request.user = user
        return user


class _Limited(Parser):
    """Parses bodies with the limits of all JSON."""

    def parse_body(self, request: HttpRequest) -> Any:
        """Parse the body of a call."""
        return parse_json(request.body)


class _Api(NinjaAPI):
    """The API, whose description says of what type errors are."""

    def get_openapi_schema(self, **named: Any) -> Any:
        """Describe the API; every error is a problem document."""
        described = super().get_openapi_schema(**named)
        for calls in described["paths"].values():
            for call in calls.values():
                for status, answer in call["responses"].items():
                    if int(status) >= 400 and "application/json" in answer.get("content", {}):
                        answer["content"] = {CONTENT_TYPE: answer["content"]["application/json"]}
        return described


api = _Api(
    title="striate portal",
    version="1",
    auth=_Bearer(),
    parser=_Limited(),
    docs_url=None,
    openapi_url="/openapi.json",
    urls_namespace="api",
)


api.add_router("/data", data)


@api.exception_handler(InputError)
def _refused(request: HttpRequest, error: InputError) -> HttpResponse:
    return api.create_response(request, {"detail": str(error)}, status=422)


@api.exception_handler(FullDiskError)
def _full(request: HttpRequest, error: FullDiskError) -> HttpResponse:
    return api.create_response(request, {"detail": str(error)}, status=507)


@api.exception_handler(RequestDataTooBig)
def _too_large(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:
    return api.create_response(request, {"detail": _("This is larger than any such request is.")}, status=413)


@api.exception_handler(ValidationError)
def _not_as_described(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """Say in one sentence what is not as the description has it."""
    found = (f"{'.'.join(str(part) for part in each['loc'][-1:])}: {each['msg']}" for each in error.errors)
    return api.create_response(request, {"detail": "; ".join(found)}, status=422)


@api.exception_handler(BusyError)
def _busy(request: HttpRequest, error: BusyError) -> HttpResponse:
    answer = api.create_response(request, {"detail": str(error)}, status=429)
    answer.headers["Retry-After"] = str(_WAIT)
    return answer


class BoardAbout(Schema):
    """A board."""

    board: str
    track: str
    session: str
    protocol: str
    metric: str


class PhaseAbout(Schema):
    """A phase."""

    name: str
    starts: datetime
    ends: datetime
    submissions: bool


class MoveAbout(Schema):
    """That the begin or the end of a phase was moved, as a notice in the chain says it."""

    notice: int
    at: datetime
    why: str
    phase: str
    boundary: Literal["starts", "ends"]
    before: datetime
    after: datetime


class About(Schema):
    """What the competition is."""

    name: str
    title: str
    boards: list[BoardAbout]
    limits: dict[str, int]
    phases: list[PhaseAbout]
    moves: list[MoveAbout]


class BeginUpload(Schema):
    """What is going to be uploaded."""

    filename: str = Field(min_length=1, max_length=1000)  # of which 200 characters are kept
    size: int = Field(ge=1, lt=2**53)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class UploadState(Schema):
    """How far an upload is."""

    id: UUID
    size: int
    received: int


class NewSubmission(Schema):
    """A whole upload that shall become a submission."""

    upload: UUID
    note: str = Field("", max_length=300)
    baseline: str = Field("", max_length=100)


class Step(Schema):
    """One step of a submission's life."""

    at: datetime
    state: str
    reason: str


class Metric(Schema):
    """A mean over neurons on the live test, with its interval; rounded."""

    mean: float | None
    low: float | None
    high: float | None
    reason: str | None


class SubmissionState(Schema):
    """A submission, as its team sees it."""

    id: UUID
    filename: str
    sha256: str
    track: str
    protocol: str
    state: Literal["received", "checked", "queued", "scoring", "scored", "refused", "failed"]
    reason: str
    over: bool
    life: list[Step]
    receipt: dict[str, Any] | None
    metrics: dict[str, Metric] | None
    page: str


class KeptCard(Schema):
    """A version of a submission's method card."""

    version: int
    at: datetime
    content: MethodCard


_BYTES = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
_PROBLEMS = {
    400: Problem,
    413: Problem,
    401: Problem,
    403: Problem,
    404: Problem,
    422: Problem,
    429: Problem,
    503: Problem,
    507: Problem,
}


def _admitted(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    if not request.user.admitted:
        raise HttpError(403, str(NOT_ADMITTED))
    return request.user


@api.get("/competition", auth=None, response=About)
def about(request: HttpRequest) -> dict[str, Any]:
    """What the competition is: boards, limits, phases as they are in force, and what was moved."""
    made, standing = competition(), in_force()
    return {
        "name": made.rules.name,
        "title": made.rules.title,
        "boards": [
            {
                "board": slug,
                "track": b.track.name,
                "session": b.track.session,
                "protocol": b.protocol,
                "metric": b.track.metric,
            }
            for slug, b in made.boards.items()
        ],
        "limits": made.rules.limits.model_dump(),
        "phases": [phase.model_dump(mode="json") for phase in standing.rules.phases],
        "moves": [move.model_dump(mode="json") for move in standing.moves],
    }


@api.get("/keys", response={200: None, **_PROBLEMS}, openapi_extra={"responses": {200: _BYTES}})
def keys(request: HttpRequest) -> HttpResponseBase:
    """Trials and neurons that submissions must predict, to check one before it is sent (an npz)."""
    _admitted(request)
    return FileResponse(place().keys.open("rb"), content_type="application/octet-stream")


@api.post("/uploads", response={200: UploadState, **_PROBLEMS})
def begin_upload(request: HttpRequest, about: BeginUpload) -> dict[str, Any]:
    """Begin an upload, or find the one of the same file that was broken off. ``RateLimit`` says how many more may be begun."""
    user = _admitted(request)
    if not user.is_staff:
        refuse_outside_of_phases("")
    # One transaction: each is a write to the disk that others wait for. Of many at once by the same person one counts at a time.
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        count(request, UPLOAD, str(user.pk))
        return _progress(
            uploads.begin(user, filename=about.filename, size=about.size, sha256=about.sha256, most=largest_file())
        )


@api.get("/uploads", response={200: list[UploadState], **_PROBLEMS})
def unfinished_uploads(request: HttpRequest) -> list[dict[str, Any]]:
    """One's own uploads that are not finished, the oldest first; beyond five the oldest gives way to a new one."""
    return [_progress(each) for each in uploads.unfinished(_admitted(request))]


@api.delete("/uploads/{number}", response={204: None, **_PROBLEMS})
def cancel_upload(request: HttpRequest, number: UUID) -> Status[None]:
    """Cancel an upload that is not finished, and forget what arrived of it."""
    upload = _upload(request, number)
    if upload.submission_id is not None:
        raise InputError(_("This upload is done: it has become a submission."))
    uploads.discard(upload)
    return Status(204, None)


@api.get("/uploads/{number}", response={200: UploadState, **_PROBLEMS})
def upload_state(request: HttpRequest, number: UUID) -> dict[str, Any]:
    """How far an upload is. 503 says when there may be a place to go on."""
    return _progress(_upload(request, number))


@api.put(
    "/uploads/{number}",
    response={200: UploadState, **_PROBLEMS},
    openapi_extra={"requestBody": {"required": True, **_BYTES}},
)
def continue_upload(request: HttpRequest, number: UUID, offset: int) -> dict[str, Any]:
    """Send bytes of the file, as the body, from `offset` on: as many at a time as is convenient."""
    upload = _upload(request, number)
    uploads.expect(upload, offset, body_length(request))
    with among_others(upload.by_id):
        uploads.append(upload, offset, iter(lambda: request.read(_CHUNK), b""))
    return _progress(upload)


@api.post("/submissions", response={200: SubmissionState, 201: SubmissionState, **_PROBLEMS})
def new_submission(request: HttpRequest, new: NewSubmission) -> Status[dict[str, Any]]:
    """Submit a whole upload. The answer is 201, or 200 where the team has sent the same file before, or asks again."""
    user, upload = _admitted(request), _upload(request, new.upload, purpose=Upload.SUBMISSION)
    if new.baseline and not user.is_staff:
        raise HttpError(403, _("Only organisers submit baselines."))
    team = None if new.baseline else user.team
    if team is None and not new.baseline:
        raise InputError(_("You submit as a team, be it of one: make one on the portal, or join one."))
    if upload.submission is not None:
        return Status(200, _described(request, upload.submission))
    about: dict[str, Any] = {"team": team, "baseline": new.baseline, "by": user, "note": new.note}
    try:
        with uploads.whole(upload) as file:
            made, fresh = take({NATIVE: file}, filename=upload.filename, upload=upload, **about)
    except (InputError, FileNotFoundError):  # perhaps the same was asked twice at once, and the other was first
        now = Upload.objects.filter(pk=upload.pk).first()
        if now is None or now.submission is None:
            raise
        return Status(200, _described(request, now.submission))
    uploads.done(upload)
    made = check_soon(made)
    _tell_limit(request, made)
    return Status(201 if fresh else 200, _described(request, made))


@api.get("/submissions", response={200: list[SubmissionState], **_PROBLEMS})
@paginate(Pages)
def own_submissions(request: HttpRequest) -> Any:
    """The submissions of one's own team, the last first."""
    team = _admitted(request).team
    found = Submission.objects.filter(team=team) if team else Submission.objects.none()
    return Page(found.order_by("-received_at", "pk").prefetch_related("transitions"), partial(_described, request))


@api.get("/submissions/{number}", response={200: SubmissionState, **_PROBLEMS})
def one_submission(request: HttpRequest, number: UUID) -> dict[str, Any]:
    """One submission of one's own team."""
    user = _admitted(request)
    found = Submission.objects.filter(pk=number).first()
    if found is None or not may_see(user, found):
        raise HttpError(404, _("Your team has no such submission."))
    return _described(request, found)


@api.get("/submissions/{number}/card", response={200: KeptCard, **_PROBLEMS})
def method_card(request: HttpRequest, number: UUID) -> Card:
    """The method card of a submission of one's own team."""
    found = Submission.objects.filter(pk=number).first()
    card = current(found) if found is not None and may_see(_admitted(request), found) else None
    if card is None:
        raise HttpError(404, _("Your team has no such submission, or it has no card."))
    return card


@api.put("/submissions/{number}/card", response={200: KeptCard, **_PROBLEMS})
def write_card(request: HttpRequest, number: UUID, card: MethodCard) -> Card:
    """Write the method card of a submission of one's own team; of a baseline, as an organiser. Every version is kept."""
    found = Submission.objects.filter(pk=number).first()
    if found is None or not may_write(_admitted(request), found):
        raise HttpError(404, _("Your team has no such submission."))
    return keep(found, card)


def _upload(request: HttpRequest, number: UUID, **purpose: str) -> Upload:
    found = Upload.objects.filter(pk=number, by=_admitted(request), **purpose).first()
    if found is None:
        raise HttpError(404, _("You have no such upload: it is done, or was too old."))
    return found


def _tell_limit(request: HttpRequest, made: Submission) -> None:
    """Have the answer say how many submissions the team has left within 24 hours, as soon as it is known to which board."""
    board = next(
        (b for b in competition().boards.values() if (b.track.name, b.protocol) == (made.track, made.protocol)), None
    )
    if made.team is None or board is None:
        return
    found, now = left(made.team, board, timezone.now()), timezone.now()
    more_in = _A_DAY if found.next_at is None else max(1, round((found.next_at - now).total_seconds()))
    tell(request, "submission", Quota(competition().rules.limits.per_day, _A_DAY, found.within_a_day, more_in))


def _progress(upload: Upload) -> dict[str, Any]:
    return {"id": upload.pk, "size": upload.size, "received": uploads.received(upload)}


def _described(request: HttpRequest, own: Submission) -> dict[str, Any]:
    receipt = Link.objects.filter(submission=own, kind="submission").first()
    score = Score.objects.filter(submission=own).order_by("-pk").first()
    return {
        "id": own.pk,
        "filename": own.filename,
        "sha256": own.sha256,
        "track": own.track,
        "protocol": own.protocol,
        "state": own.state,
        "reason": own.reason,
        "over": own.over,
        "life": [{"at": t.at, "state": t.after, "reason": t.reason} for t in own.transitions.all()],
        "receipt": _receipt(receipt),
        "metrics": score and {name: _rounded(score.metrics[name]) for name in shown_metrics() if name in score.metrics},
        "page": request.build_absolute_uri(f"/submissions/{own.pk}/"),
    }


def _receipt(link: Link | None) -> dict[str, Any] | None:
    return None if link is None else parse_json_object(link.body, f"Receipt {link.number}")


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {key: round(value, DECIMALS) if isinstance(value, float) else value for key, value in values.items()}
