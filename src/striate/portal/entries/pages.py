"""Pages of entries and their method cards."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from striate.competition.results import MetricResult, board_name
from striate.errors import InputError
from striate.metrics.score_summary import is_too_few_images
from striate.portal.access import admitted, may_see
from striate.portal.boards.metric_names import metric_name, shown_metrics
from striate.portal.boards.pages import level_text
from striate.portal.boards.published import published
from striate.portal.boards.standings import DECIMALS
from striate.portal.decimals import decimals
from striate.portal.entries.forms import CardForm
from striate.portal.entries.keeping import current, entry, keep, may_write
from striate.portal.markdown import rendered
from striate.portal.models import Card, Submission, User

_TEXTS = (
    ("architecture", gettext_lazy("Architecture")),
    ("pretraining", gettext_lazy("Pre-training")),
    ("recordings", gettext_lazy("Other recordings")),
    ("behaviour", gettext_lazy("Behaviour")),
    ("training", gettext_lazy("Training")),
)


@require_safe
def show(request: HttpRequest, receipt: int) -> HttpResponseBase:
    """An entry: public if it stands on a board, else for its team and the organisers; to others it is as if there was none."""
    found = entry(receipt)
    user = request.user if isinstance(request.user, User) else None
    if found is None:
        raise Http404
    own = found.submission
    inside = user is not None and may_see(user, own)
    if not (found.public or inside):
        raise Http404
    card = current(own)
    asked = request.GET.get("version", "")
    if inside and card is not None and asked.isdecimal() and len(asked) < 6:
        card = own.cards.filter(version=int(asked)).first() or card
    results = published() if found.final else None
    shown = {
        "entry": found,
        "submission": own,
        "slug": board_name(own.track, own.protocol),
        "card": card,
        "told": card and told(card),
        "inside": inside,
        "writes": user is not None and may_write(user, own),
        "versions": own.cards.all() if inside else (),
        "live": [
            (metric_name(name), {**values, "too_few": is_too_few_images(values["reason"])})
            for name in shown_metrics()
            if (values := found.row["metrics"].get(name))
        ]
        if found.row
        else (),
        "level": level_text(),
        "labels": [metric_name(name) for name in shown_metrics()],
        "final": found.final and [(metric_name(name), _stated(found.final.metrics[name])) for name in shown_metrics()],
        "parts": found.final and [_part(part) for part in found.final.parts],
        "chain": results and results.chain,
    }
    return render(request, "portal/entries/entry.html", shown)


def told(card: Card) -> dict[str, Any]:
    """What a card says, ready to be shown."""
    content = card.content
    texts = [(label, content.get(name) or content["data"].get(name, "")) for name, label in _TEXTS]
    return {
        **content,
        "summary": rendered(content["summary"], below=3, of_strangers=True),
        "texts": [(label, rendered(text, below=3, of_strangers=True)) for label, text in texts if text],
        "links": [
            (label, content[name]) for name, label in (("code", _("code")), ("weights", _("weights"))) if content[name]
        ],
    }


@admitted
@require_http_methods(["GET", "HEAD", "POST"])
def card(request: HttpRequest, number: UUID) -> HttpResponseBase:
    """Write the method card of a submission."""
    own = get_object_or_404(Submission.objects.select_related("team"), pk=number)
    assert isinstance(request.user, User)
    if not may_write(request.user, own):
        raise Http404
    last = current(own)
    form = CardForm(request.POST) if request.method == "POST" else CardForm.showing(last.content if last else None)
    if request.method == "POST" and form.is_valid():
        try:
            keep(own, form.card)
        except InputError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("The card is kept."))
            receipt = own.links.filter(kind="submission").first()
            return redirect("entry", receipt.number) if receipt else redirect("submission", own.pk)
    return render(request, "portal/entries/card.html", {"form": form, "submission": own})


def _part(part: Any) -> tuple[str, int, list[str]]:
    name = (
        _("area %(name)s") % {"name": part.name} if part.kind == "area" else _("depth %(name)s") % {"name": part.name}
    )
    return name, part.neurons, [_number(part.scores[metric]) for metric in shown_metrics()]


def _stated(value: MetricResult) -> str:
    return _("too few images") if is_too_few_images(value.reason) else _number(value.mean)


def _number(value: float | None) -> str:
    return "–" if value is None else decimals(value, DECIMALS)
