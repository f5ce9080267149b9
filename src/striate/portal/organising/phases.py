"""The page on which organisers move phases: those that were committed to, those in force, and a form."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from striate.competition import InForce
from striate.competition.notices import LONGEST_REASON
from striate.errors import InputError
from striate.portal.access import signed_in
from striate.portal.competition import competition
from striate.portal.in_force import in_force
from striate.portal.organising.deciding import amend, last_amendment
from striate.portal.organising.pages import organisers


class _Moment(forms.DateTimeField):
    """A moment in UTC."""

    def __init__(self, **options: Any) -> None:
        entry = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
        super().__init__(required=False, widget=entry, **options)


class MovePhase(forms.Form):
    """Another begin or end of a phase."""

    phase = forms.ChoiceField(label=gettext_lazy("Phase"))
    starts = _Moment(label=gettext_lazy("New begin (UTC)"), help_text=gettext_lazy("Empty: it stays."))
    ends = _Moment(
        label=gettext_lazy("New end (UTC)"),
        help_text=gettext_lazy(
            "Empty: it stays. A phase that begins just when this one ends keeps that boundary with it."
        ),
    )
    why = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("Everybody can read it."),
    )
    banner = forms.BooleanField(label=gettext_lazy("Announce it above every page, too"), required=False, initial=True)
    known = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, standing: InForce, now: datetime, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.standing, self.now = standing, now
        self.fields["phase"].choices = [  # type: ignore[attr-defined]
            (each.name, each.name) for each in standing.rules.phases if now < each.ends
        ]
        self.fields["known"].initial = last_amendment(standing)

    def clean(self) -> dict[str, Any]:
        """Refuse what has passed, at the field that says it; what the phases do to each other is looked at when it is written."""
        found: dict[str, Any] = super().clean() or {}
        phase = next((each for each in self.standing.rules.phases if each.name == found.get("phase")), None)
        for name in ("starts", "ends"):
            if found.get(name) is None or phase is None:
                continue
            if getattr(phase, name) <= self.now:
                self.add_error(name, _("The phase has begun: its begin cannot be moved any more."))
            elif found[name] <= self.now:
                self.add_error(name, _("Choose a moment that lies ahead."))
        if not self.errors and found["starts"] is None and found["ends"] is None:
            self.add_error(None, _("Give a new begin, a new end, or both."))
        return found

    def show_phases_as_they_are(self) -> None:
        """What was typed stays; whoever sends it again has seen the phases that stand beside it."""
        self.data = {**{name: self.data[name] for name in self.data}, "known": str(last_amendment(self.standing))}


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def phases(request: HttpRequest) -> HttpResponseBase:
    """The phases that were committed to, those in force, and a form to move one."""
    organisers(request)
    now = timezone.now()
    standing = in_force()
    form = MovePhase(standing, now, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            amend(request, **form.cleaned_data)
        except InputError as error:
            form.add_error(None, str(error))
            form.show_phases_as_they_are()
        else:
            messages.success(request, _("The phase is moved, and that is announced."))
            return redirect("phases")
    committed = competition().rules.phases
    shown = {
        "form": form,
        "phases": list(zip(committed, standing.rules.phases, strict=True)),
        "now_on": standing.rules.phase_at(now),
        "moves": standing.moves,
        "over": now >= standing.rules.closes,
    }
    return render(request, "portal/organising/phases.html", shown, status=400 if form.errors else 200)
