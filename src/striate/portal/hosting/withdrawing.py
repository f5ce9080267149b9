"""Withdraw a version of the data that is wrong, and restore it. Its page stays and says why; its files are given to nobody meanwhile."""

from typing import Any

from django import forms
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from striate._internal.text_cleaning import clean_line
from striate.errors import InputError
from striate.portal.models import Snapshot, User, Withdrawal
from striate.portal.organising import audit
from striate.portal.problems import for_programs, problem


class WithdrawnError(Exception):
    """Something of a version was asked for that was withdrawn.

    Attributes
    ----------
    snapshot
        The version.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__(str(snapshot))
        self.snapshot = snapshot


def require_available(snapshot: Snapshot) -> Snapshot:
    """Return a version that was not withdrawn.

    Raises
    ------
    WithdrawnError
        If it was.
    """
    if snapshot.withdrawn is not None:
        raise WithdrawnError(snapshot)
    return snapshot


def require_current() -> Snapshot:
    """Return the current version.

    Raises
    ------
    WithdrawnError
        If all versions were withdrawn.
    """
    return Snapshot.current() or require_available(Snapshot.latest())


def withdraw(snapshot: Snapshot, reason: str, by: User) -> None:
    """Withdraw a version.

    Raises
    ------
    InputError
        If it was withdrawn already.
    """
    with transaction.atomic():
        made, new = Withdrawal.objects.get_or_create(snapshot=snapshot, defaults={"reason": reason, "by": by})
        if not new:
            raise InputError(_("This version was withdrawn already: %(reason)s") % {"reason": made.reason})
        audit.note(by, "withdraw version", about=snapshot, after={"number": snapshot.number, "reason": reason})


def restore(snapshot: Snapshot, by: User) -> None:
    """Give the files of a version that was withdrawn again.

    Raises
    ------
    InputError
        If it was not withdrawn.
    """
    with transaction.atomic():
        gone = Withdrawal.objects.select_for_update().filter(snapshot=snapshot).first()
        if gone is None:
            raise InputError(_("This version is not withdrawn."))
        gone.delete()
        before = {"number": snapshot.number, "reason": gone.reason, "withdrawn": gone.at}
        audit.note(by, "restore version", about=snapshot, before=before)


def told(request: HttpRequest, snapshot: Snapshot) -> str:
    """What programs are told instead of files of a version that was withdrawn, on one line."""
    gone, current = snapshot.withdrawn, Snapshot.current()
    assert gone is not None
    reason = gone.reason if gone.reason.endswith((".", "!", "?")) else f"{gone.reason}."
    said = _("Version %(number)d of the data was withdrawn on %(date)s: %(reason)s") % {
        "number": snapshot.number,
        "date": gone.at.date().isoformat(),
        "reason": reason,
    }
    if current is None:
        return f"{said} {_('No other version is available.')}"
    address = request.build_absolute_uri(reverse("version", args=[current.number]))
    now = _("The current one is version %(number)d: %(address)s") % {"number": current.number, "address": address}
    return f"{said} {now}"


def gone(request: HttpRequest, error: WithdrawnError) -> HttpResponse:
    """Answer 410: a page for browsers, a problem document for programs that take JSON, a line of text for others."""
    sentence = told(request, error.snapshot)
    if for_programs(request):
        return problem(410, sentence)
    if "html" not in request.headers.get("Accept", ""):
        return HttpResponse(f"{sentence}\n", content_type="text/plain; charset=utf-8", status=410)
    shown = {"snapshot": error.snapshot, "current": Snapshot.current()}
    return render(request, "portal/data/gone.html", shown, status=410)


class WithdrawForm(forms.Form):
    """Why a version is withdrawn, and its name, so that nobody withdraws another one by mistake.

    Parameters
    ----------
    name
        The name of the version, which the user must type.
    """

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 3, "maxlength": 300}),
        help_text=gettext_lazy("Everybody can read it."),
    )
    name = forms.CharField(
        label=gettext_lazy("Name of the version"), max_length=200, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )

    def __init__(self, name: str, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._name = name
        self.fields["name"].help_text = _("Type %(name)s to confirm.") % {"name": name}

    def clean_reason(self) -> str:
        """Put the reason on one line."""
        reason = clean_line(self.cleaned_data["reason"])
        if not reason:
            raise forms.ValidationError(_("Say why the version is withdrawn."))
        return reason

    def clean_name(self) -> str:
        """Refuse another name than that of the version."""
        if self.cleaned_data["name"] != self._name:
            raise forms.ValidationError(_("This is not the name of the version: type %(name)s.") % {"name": self._name})
        return self._name
