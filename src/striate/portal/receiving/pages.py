"""Pages about submissions: send one, watch it, choose it."""

from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.db.models import Sum
from django.db.models.functions import Length
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from striate.competition import Board
from striate.errors import InputError
from striate.metrics.score_summary import is_too_few_images
from striate.portal.access import admitted, competes, require_no_rival, require_visible, signed_in
from striate.portal.boards.metric_names import metric_name, shown_metrics
from striate.portal.boards.pages import level_text
from striate.portal.boards.standings import DECIMALS
from striate.portal.competition import competition, place
from striate.portal.entries.keeping import current, may_write
from striate.portal.hosting.downloading import place_for
from striate.portal.hosting.ranges import Sent, send_made
from striate.portal.models import Link, Score, Submission, Team, Upload, User
from striate.portal.models.submissions import State
from striate.portal.organising import audit
from striate.portal.receiving import choosing, limits, store, uploads
from striate.portal.receiving.chain import lines
from striate.portal.receiving.checking import retry
from striate.portal.receiving.forms import Note, Submit
from striate.portal.receiving.soon import check_soon
from striate.portal.receiving.taking import NATIVE, refuse_outside_of_phases, take
from striate.portal.receiving.trying import try_out


@admitted
@require_http_methods(["GET", "HEAD", "POST"])
def submit(request: HttpRequest) -> HttpResponseBase:
    """Send a file, and have it checked: it is submitted, and counted, when the next page is confirmed."""
    assert isinstance(request.user, User)
    user, team = request.user, request.user.team
    if team is None and not user.is_staff:
        messages.info(request, _("You submit as a team, be it of one: make one, or join one."))
        return redirect("team")
    form = Submit(user, request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        baseline = form.cleaned_data.get("baseline", "")
        try:
            refuse_outside_of_phases(baseline)
            with form.in_a_folder() as sent:
                tried = try_out(
                    sent,
                    by=user,
                    filename=form.filename,
                    told=form.told,
                    about={"note": form.cleaned_data["note"], "baseline": baseline},
                )
        except InputError as error:
            why = str(error).replace(NATIVE, form.filename)  # its own name, not the one that it was taken under
            form.add_error(None, _("Nothing was submitted. %(why)s") % {"why": why})
        else:
            return redirect("confirm", tried.pk)
    return render(
        request,
        "portal/submissions/submit.html",
        {"form": form, "limits": _limits(team), "unfinished": uploads.unfinished(user)},
    )


@admitted
@require_POST
def cancel_upload(request: HttpRequest, number: UUID) -> HttpResponseBase:
    """Forget an unfinished upload of one's own."""
    assert isinstance(request.user, User)
    uploads.discard(get_object_or_404(uploads.unfinished(request.user), pk=number))
    messages.success(request, _("The upload is cancelled."))
    return redirect("submit")


@admitted
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, number: UUID) -> HttpResponseBase:
    """What was found in a file that one has sent; submit it, or forget it."""
    assert isinstance(request.user, User)
    user = request.user
    tried = Upload.objects.filter(by=user, pk=number).exclude(found={}).first()
    if tried is None:
        messages.info(request, _("That file is not kept any more. If it is not among your submissions, send it again."))
        return redirect("submit")
    if tried.submission_id is not None:  # the button was pressed twice, or somebody goes back to this page
        return redirect("submission", tried.submission_id)
    found = tried.found
    baseline, team = found["baseline"], None if found["baseline"] else user.team
    if team is None and not (baseline and user.is_staff):
        return redirect("team")
    board = Board(competition().rules.track(found["track"]), found["protocol"])
    left = limits.left(team, board, timezone.now()) if team else None
    same = Submission.objects.filter(team=team, baseline=baseline, sha256=tried.sha256)
    problem = ""
    if request.method == "POST":
        if "forget" in request.POST:
            uploads.discard(tried)
            return redirect("submit")
        try:
            with uploads.whole(tried) as file:
                made, new = take(
                    {NATIVE: file},
                    team=team,
                    baseline=baseline,
                    by=user,
                    filename=tried.filename,
                    note=found["note"],
                    upload=tried,
                )
        except (InputError, FileNotFoundError) as error:
            now = Upload.objects.filter(pk=tried.pk).first()
            if (
                now is not None and now.submission_id is not None
            ):  # the button was pressed twice, and the other was first
                return redirect("submission", now.submission_id)
            if isinstance(error, FileNotFoundError):
                raise
            problem = str(error)
        else:
            uploads.done(tried)
            if not new:
                messages.info(request, _("Your team has sent this file before: this is the same submission."))
            check_soon(made)
            return redirect("submission", made.pk)
    known = same.exclude(state=State.REFUSED).first()
    may = left is None or bool(left.within_a_day) or known is not None
    shown = {"tried": tried, "found": found, "board": board, "left": left, "known": known, "may": may}
    return render(request, "portal/submissions/confirm.html", {**shown, "problem": problem})


def _limits(team: Team | None) -> list[limits.Left]:
    now = timezone.now()
    return [limits.left(team, board, now) for board in competition().boards.values()] if team else []


def _own(request: HttpRequest, number: UUID) -> Submission:
    """Return the submission; 404 for users who may not see it."""
    submission = get_object_or_404(Submission.objects.select_related("team", "by"), pk=number)
    assert isinstance(request.user, User)
    require_visible(request.user, submission)
    return submission


@signed_in
@require_safe
def submission(request: HttpRequest, number: UUID) -> HttpResponseBase:
    """One submission: its life, its receipt, its scores."""
    own = _own(request, number)
    return render(
        request, "portal/submissions/submission.html", {**_about(own, request.user), "note_form": Note(instance=own)}
    )


@signed_in
@require_safe
def life(request: HttpRequest, number: UUID) -> HttpResponseBase:
    """The part of the page that changes while a submission is on its way."""
    return render(request, "portal/submissions/life.html", _about(_own(request, number), request.user))


def _about(own: Submission, user: Any) -> dict[str, Any]:
    score = Score.objects.filter(submission=own).order_by("-pk").first()
    shown = score and [
        (metric_name(name), rounded(score.metrics[name])) for name in shown_metrics() if name in score.metrics
    ]
    same: Any = ()
    if user.is_staff and not competes(user):  # shown to organisers, and to nobody else
        same = (
            Submission.objects.filter(sha256=own.sha256)
            .exclude(pk=own.pk)
            .exclude(team=own.team)
            .select_related("team")
        )
    in_the_running = own.team is not None and own.team.disqualified_at is None
    return {
        "submission": own,
        "life": own.transitions.all(),
        "receipt": Link.objects.filter(submission=own, kind="submission").first(),
        "metrics": shown,
        "level": level_text(),
        "same": same,
        "writes": may_write(user, own),
        "carded": current(own) is not None,
        "choosable": own.state == State.SCORED and in_the_running and choosing.may_choose(),
        "chosen": choosing.chosen(own),
        "retriable": user.is_staff and own.state == State.FAILED and bool(own.kept),
    }


def rounded(values: dict[str, Any]) -> dict[str, Any]:
    """Values of a metric as they are shown: nobody, not even the team, is told more decimals."""
    shown = {key: f"{value:.{DECIMALS}f}" if isinstance(value, float) else value for key, value in values.items()}
    return {**shown, "too_few": is_too_few_images(values["reason"])}


@signed_in
@require_safe
def sent_file(request: HttpRequest, number: UUID) -> HttpResponseBase:
    """Send the file that is kept of a submission to its team, or to an organiser who does not compete."""
    own = _own(request, number)
    assert isinstance(request.user, User)
    require_no_rival(request.user, own)
    if not own.kept or own.state == State.REFUSED:
        raise Http404
    answer = send_made(
        request,
        partial(store.chunks, own.kept),
        size=store.size(own.kept),
        digest=own.kept,
        filename=f"{own.kept[:16]}.parquet",
    )
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


@signed_in
@require_safe
def receipt(request: HttpRequest, number: UUID) -> HttpResponseBase:
    """The receipt of a submission as a file, which ``striate competition verify --receipt`` takes."""
    link = get_object_or_404(Link, submission=_own(request, number), kind="submission")
    named = {"Content-Disposition": f'attachment; filename="receipt-{link.number:03d}.json"'}
    return HttpResponse(f"{link.body}\n", content_type="application/json", headers=named)


@signed_in
@require_POST
def choose(request: HttpRequest, number: UUID) -> HttpResponseBase:
    """Choose a submission of one's own team."""
    own = _own(request, number)
    assert isinstance(request.user, User)
    if own.team is None or own.team != request.user.team:
        raise Http404
    try:
        choosing.choose(own)
        messages.success(
            request,
            _("This is what shall count for %(board)s.") % {"board": f"{own.track}, {own.protocol}"},
        )
    except InputError as error:
        messages.error(request, str(error))
    return redirect("submission", own.pk)


@signed_in
@require_POST
def note(request: HttpRequest, number: UUID) -> HttpResponseBase:
    """Write a note about a submission of one's own team."""
    own = _own(request, number)
    assert isinstance(request.user, User)
    if own.team != request.user.team:
        raise Http404
    form = Note(request.POST, instance=own)
    if form.is_valid():
        Submission.objects.filter(pk=own.pk).update(note=form.cleaned_data["note"])
        messages.success(request, _("The note is kept."))
    return redirect("team") if request.POST.get("back") == "team" else redirect("submission", own.pk)


@signed_in
@require_POST
def again(request: HttpRequest, number: UUID) -> HttpResponseBase:
    """Queue once more what the platform failed at; for organisers."""
    own = _own(request, number)
    assert isinstance(request.user, User)
    if not request.user.is_staff:
        raise Http404
    try:
        with transaction.atomic():
            retry(own)
            audit.note(request, "queue again", about=own, before={"state": "failed"}, after={"state": "queued"})
    except InputError as error:
        messages.error(request, str(error))
    return redirect("submission", own.pk)


@require_safe
def receipts(request: HttpRequest) -> HttpResponseBase:
    """The chain of receipts, as ``striate competition`` reads it."""
    length = Link.objects.aggregate(characters=Sum(Length("body")))["characters"] or 0
    pieces = Sent((line.encode() for line in lines()), place_for(length if request.method == "GET" else 0))
    return StreamingHttpResponse(pieces, content_type="application/jsonl; charset=utf-8")


@require_safe
def commitment(request: HttpRequest) -> HttpResponseBase:
    """What the organisers committed to."""
    file = place().competition / "commitment.json"
    return FileResponse(file.open("rb"), content_type="application/json")


@require_safe
def rules_file(request: HttpRequest) -> HttpResponseBase:
    """The rules, as they were published."""
    return HttpResponse(competition().rules_text, content_type="application/toml; charset=utf-8")
