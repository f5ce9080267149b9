"""Pages for organisers: Django's admin. What must not be edited can only be read there."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DataError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.forms import BaseInlineFormSet, ModelForm
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from striate._internal.text_cleaning import clean_line
from striate.competition.name_key import address_key, name_key
from striate.errors import InputError
from striate.portal.access import competes, without_rivals
from striate.portal.accounts import own_data
from striate.portal.models import (
    Acceptance,
    Announcement,
    AuditEntry,
    Card,
    Doi,
    DoiRequest,
    Link,
    MaintenanceWindow,
    Membership,
    Score,
    Snapshot,
    State,
    Submission,
    Team,
    Transition,
    User,
)
from striate.portal.models.people import ADMINISTRATOR_MARKS, NAME_TAKEN, administrators, pseudonym
from striate.portal.organising import audit
from striate.portal.organising.announcing import told
from striate.portal.organising.deciding import judge
from striate.portal.organising.pages import same_files
from striate.portal.receiving.checking import retry
from striate.portal.scoring.later import rank_later


def _sign_in(request: HttpRequest, extra_context: Any = None) -> HttpResponse:
    """Have organisers sign in where everybody does, with the same limits."""
    if request.user.is_authenticated:
        raise PermissionDenied(_("These pages are for organisers."))
    return redirect_to_login(request.GET.get("next") or reverse("admin:index"))


admin.site.login = _sign_in  # type: ignore[method-assign]
admin.site.site_header = _("Organisers")
admin.site.site_title = _("Organisers")
admin.site.index_title = _("The competition")
admin.site.unregister(Group)  # organisers are those with the staff mark


class _Rows(ChangeList):
    """A list of rows whose address may have been typed by hand."""

    def get_results(self, request: HttpRequest) -> None:
        """Read the rows of the page.

        Raises
        ------
        IncorrectLookupParameters
            If the database, or Python, has no such number or moment; the list is then shown without the choice.
        """
        try:
            with transaction.atomic():
                super().get_results(request)
                self.result_list = list(self.result_list)
        except (ArithmeticError, DataError, TypeError, ValueError) as error:
            raise IncorrectLookupParameters from error


class Listed(admin.ModelAdmin):
    """Rows in a list that can be searched and filtered."""

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        """Return what reads the list."""
        return _Rows

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Refuse regular expressions in addresses: databases fail at invalid ones, and take for ever with some valid ones."""
        return "regex" not in lookup and super().lookup_allowed(lookup, value, request)


class ReadOnly(Listed):
    """Rows that are looked at, and neither added, changed nor removed."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False


class OfTeams(Listed):
    """Rows that belong to teams: users who compete see only those of their own team.

    Attributes
    ----------
    of_team
        What leads from a row to its team.
    """

    of_team = "team"

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        """The rows that the person may see."""
        return without_rivals(request.user, super().get_queryset(request), self.of_team)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """List the rows, and say above them if some are left out."""
        team = request.user.team  # type: ignore[union-attr] # accounts are those of the portal
        left_out = team and {"subtitle": _("without other teams, since you compete in team %s") % team}
        return super().changelist_view(request, {**(extra_context or {}), **(left_out or {})})


@admin.action(description=_("Approve the chosen accounts"))
def approve(admin_: Any, request: HttpRequest, chosen: "QuerySet[User]") -> None:
    """Admit people."""
    waiting = list(chosen.filter(approved_at=None))
    for user in waiting:
        user.approved_at = timezone.now()
        user.save(update_fields=["approved_at"])  # one by one: each has its entry in the audit log
    admin_.message_user(
        request,
        ngettext("%d account was approved.", "%d accounts were approved.", len(waiting)) % len(waiting),
    )


@admin.action(permissions=["delete"], description=_("Remove all personal data of the chosen accounts"))
def anonymise(admin_: Any, request: HttpRequest, chosen: "QuerySet[User]") -> None:
    """Take accounts down: submissions, receipts and accepted terms stay, without telling who it was."""
    count = 0
    for user in chosen.filter(deleted_at=None):
        if user.is_staff or user.is_superuser:
            message = _("%(user)s is an organiser: take the staff mark first.") % {"user": user.username}
            admin_.message_user(request, message, messages.ERROR)
            continue
        with transaction.atomic():
            audit.note(request, "anonymise account", about=user)
            own_data.delete(user)
        count += 1
    admin_.message_user(request, ngettext("%d account was anonymised.", "%d accounts were anonymised.", count) % count)


class Admitted(admin.SimpleListFilter):
    """Accounts that wait for approval, and the others."""

    title = _("may take part")
    parameter_name = "admitted"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """What can be chosen."""
        return [("no", _("waits for approval")), ("yes", _("yes"))]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[User]") -> "QuerySet[User]":
        """Those that were chosen."""
        may = Q(is_staff=True) | Q(approved_at__isnull=False)
        if settings.MAIL:
            may |= Q(verified_at__isnull=False)
        if self.value() == "no":
            return queryset.filter(~may, is_active=True)
        return queryset.filter(may) if self.value() == "yes" else queryset


class _AsSeen(ModelForm):
    """A row as an organiser saw it: what somebody else has changed since is not overwritten by what stood in this form before."""

    as_seen = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._stored = _digest_of(self.initial) if self.instance.pk else ""
        self.fields["as_seen"].initial = self._stored

    def clean(self) -> dict[str, Any]:
        """Refuse to overwrite another change."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.pop("as_seen", "") not in ("", self._stored):
            raise ValidationError(
                _("Somebody has changed this since you opened the page: open it again, and enter your change anew.")
            )
        return cleaned


def _digest_of(values: Mapping[str, Any]) -> str:
    text = json.dumps({name: str(value) for name, value in values.items() if name != "as_seen"}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class _OnePerson(ModelForm):
    """An account that no other account can be taken for."""

    def clean_username(self) -> str:
        """Refuse a name that another account has, or one that looks like it."""
        name: str = self.cleaned_data["username"]
        if User.objects.filter(name_key=name_key(name)).exclude(pk=self.instance.pk).exists():
            raise ValidationError(NAME_TAKEN)
        return name

    def clean_name(self) -> str:
        """Nothing that cannot be seen."""
        return clean_line(self.cleaned_data["name"])

    def clean_email(self) -> str:
        """Refuse the address of another account."""
        address: str = self.cleaned_data["email"]
        if User.objects.filter(email_key=address_key(address)).exclude(pk=self.instance.pk).exists():
            raise ValidationError(_("There is an account with this address already: choose another."))
        return address


class _NewPerson(_OnePerson, AdminUserCreationForm):
    """An account that an organiser makes."""


class _Person(_AsSeen, _OnePerson, UserChangeForm):
    """An account that an organiser changes."""

    def clean(self) -> dict[str, Any]:
        """Refuse to leave the portal without an administrator."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        stays = all(cleaned.get(mark, getattr(self.instance, mark)) for mark in ADMINISTRATOR_MARKS)
        if not stays and administrators().filter(pk=self.instance.pk).exists() and administrators().count() == 1:
            raise ValidationError(
                _("This is the only administrator: make another one first, or nobody could change organisers any more.")
            )
        return cleaned


@admin.register(User)
class PersonAdmin(OfTeams, UserAdmin):
    """Accounts."""

    of_team = "membership__team"
    form = _Person
    add_form = _NewPerson
    list_display = ("username", "name", "email", "date_joined", "verified_at", "approved_at", "is_staff")
    list_filter = (Admitted, "is_staff", "is_active")
    search_fields = ("username", "name", "email")
    actions = (approve, anonymise)
    readonly_fields = ("verified_at", "deleted_at", "last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("username", "password", "name", "email", "as_seen")}),
        (_("Admission"), {"fields": ("verified_at", "approved_at", "is_active", "is_staff", "is_superuser")}),
        (_("Dates"), {"fields": ("last_login", "date_joined", "deleted_at")}),
    )
    add_fieldsets = ((None, {"fields": ("username", "name", "email", "usable_password", "password1", "password2")}),)
    filter_horizontal = ()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Let administrators alone say who is an organiser or an administrator."""
        marks = () if request.user.is_superuser else ("is_staff", "is_superuser")
        return (*super().get_readonly_fields(request, obj), *marks)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Keep accounts of other organisers, and their passwords, to administrators."""
        other = obj is not None and (obj.is_staff or obj.is_superuser) and obj != request.user
        return super().has_change_permission(request, obj) and (request.user.is_superuser or not other)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse to delete accounts of organisers, and those that accepted terms: they can be anonymised."""
        kept = obj is not None and (obj.is_staff or obj.is_superuser or obj.acceptances.exists())
        return super().has_delete_permission(request, obj) and not kept


class _Named(BaseInlineFormSet):
    """Rows of a table; each field bears its name for those who do not see the head of its column."""

    def add_fields(self, form: Any, index: int | None) -> None:
        """Name them."""
        super().add_fields(form, index)
        for field in form.fields.values():
            if field.label:
                inner = getattr(field.widget, "widget", field.widget)  # of what has links beside it
                inner.attrs["aria-label"] = capfirst(field.label)


class MembershipInline(admin.TabularInline):
    """Who is in a team."""

    model = Membership
    formset = _Named
    extra = 0
    readonly_fields = ("joined_at",)


class _Judged(_AsSeen):
    """A team as organisers fill it in; what cannot be decided now is seen when it is written, and then said here.

    Attributes
    ----------
    refused
        Why that was so; empty before it was tried.
    """

    refused = ""

    def clean_disqualified_for(self) -> str:
        """Say at the reason why it was refused."""
        if self.refused:
            raise ValidationError(self.refused)
        reason: str = self.cleaned_data["disqualified_for"]
        return reason


@admin.register(Team)
class TeamAdmin(OfTeams):
    """Teams. The name stands in receipts and stays; teams cannot be merged, since each had its own limits."""

    of_team = "pk"
    list_display = ("name", "created_at", "disqualified_for")
    form = _Judged
    list_filter = (("disqualified_at", admin.EmptyFieldListFilter),)
    search_fields = ("name",)
    readonly_fields = ("name", "created_at", "disqualified_at")
    inlines = (MembershipInline,)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Teams are made by their members."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who is in a team and which is disqualified is decided by organisers who do not compete."""
        return super().has_change_permission(request, obj) and not competes(request.user)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A team that has submitted, or that a notice names, stays, since the chain does: it can be disqualified."""
        allowed = super().has_delete_permission(request, obj) and not competes(request.user)
        return allowed and (obj is None or not obj.fixed)

    def changeform_view(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        """Say why something cannot be decided now, beside what was typed; nothing of it is written."""
        try:
            return super().changeform_view(request, *args, **options)
        except InputError as error:
            request.refused = str(error)  # type: ignore[attr-defined] # for the form
            return super().changeform_view(request, *args, **options)

    def get_form(self, request: HttpRequest, *args: Any, **options: Any) -> Any:
        """A form that bears why it was refused, if it was."""
        made = super().get_form(request, *args, **options)
        return type(made.__name__, (made,), {"refused": getattr(request, "refused", "")})

    def save_model(self, request: HttpRequest, obj: Team, form: Any, change: bool) -> None:
        """Let a team leave the boards, or come back to them, with its reason."""
        if "disqualified_for" in form.changed_data:
            judge(obj)
        super().save_model(request, obj, form, change)
        if "disqualified_for" in form.changed_data:
            boards = Submission.objects.filter(team=obj).exclude(track="").order_by()
            for track, protocol in set(boards.values_list("track", "protocol")):
                rank_later(track, protocol)


@admin.register(MaintenanceWindow)
class MaintenanceAdmin(Listed):
    """Maintenance windows."""

    form = _AsSeen
    list_display = ("starts", "ends", "message")


class SameFile(admin.SimpleListFilter):
    """Files that came from two teams."""

    title = _("the same file")
    parameter_name = "same"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """What can be chosen."""
        return [("yes", _("came from another team, too"))]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Submission]") -> "QuerySet[Submission]":
        """Those that were chosen."""
        if self.value() != "yes":
            return queryset
        return queryset.filter(pk__in=[each.pk for _digest, group in same_files() for each in group])


@admin.action(description=_("Queue again what the platform failed at"))
def again(admin_: Any, request: HttpRequest, chosen: "QuerySet[Submission]") -> None:
    """Queue again what failed after its receipt."""
    queued = 0
    for submission in chosen.filter(state=State.FAILED).exclude(kept=""):
        try:
            retry(submission)
        except InputError as error:
            admin_.message_user(request, f"{submission}: {error}", messages.ERROR)
        else:
            audit.note(request, "queue again", about=submission, before={"state": "failed"}, after={"state": "queued"})
            queued += 1
    admin_.message_user(request, ngettext("%d submission was queued.", "%d submissions were queued.", queued) % queued)


@admin.register(Submission)
class SubmissionAdmin(OfTeams, ReadOnly):
    """Submissions."""

    list_display = ("received_at", "row", "track", "protocol", "state", "filename", "sha256", "page")
    list_filter = ("state", "track", "protocol", SameFile)
    list_select_related = ("team",)
    actions = (again,)
    search_fields = ("team__name", "baseline", "sha256", "kept", "filename")

    @admin.display(description=_("row"))
    def row(self, submission: Submission) -> str:
        """What its row on a board is called."""
        return submission.row

    @admin.display(description=_("page"))
    def page(self, submission: Submission) -> SafeString:
        """Where its life stands."""
        return format_html('<a href="{}">{}</a>', reverse("submission", args=[submission.pk]), _("look at it"))


@admin.register(Score)
class ScoreAdmin(ReadOnly):
    """Scores, at full precision: for those who do not compete, since no team is told so many decimals, not even of its own."""

    list_display = ("at", "submission", "value", "scorer")
    exclude = ("draws",)

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        """The rows that the person may see."""
        found = super().get_queryset(request)
        return found.none() if competes(request.user) else found


@admin.register(Transition)
class TransitionAdmin(OfTeams, ReadOnly):
    """Lives of submissions."""

    of_team = "submission__team"
    list_display = ("at", "submission", "before", "after", "reason")
    list_filter = ("after",)


@admin.register(Link)
class LinkAdmin(OfTeams, ReadOnly):
    """The chain of receipts and notices."""

    of_team = "submission__team"
    list_display = ("number", "at", "kind", "submission", "team", "digest")
    list_filter = ("kind",)


@admin.register(Announcement)
class AnnouncementAdmin(Listed):
    """Announcements."""

    form = _AsSeen
    list_display = ("headline", "starts", "ends", "banner")
    list_filter = ("banner",)

    def get_fields(self, request: HttpRequest, obj: Announcement | None = None) -> Any:
        """Of what the portal announces by itself, the words are those of the notice."""
        words = ["headline", "notice"] if obj and obj.says_its_notice else ["title", "text"]
        return [*words, "starts", "ends", "banner", "as_seen"]

    def get_readonly_fields(self, request: HttpRequest, obj: Announcement | None = None) -> Any:
        """What only tells which announcement it is."""
        return ["headline", "notice"] if obj and obj.says_its_notice else []

    @admin.display(description=_("title"), ordering="title")
    def headline(self, announcement: Announcement) -> str:
        """What it is about, in the reader's language."""
        return told([announcement])[0].plain_title


@admin.register(AuditEntry)
class AuditAdmin(ReadOnly):
    """The audit log."""

    list_display = ("number", "at", "person", "origin", "what", "about")
    list_filter = ("what", "at")
    search_fields = ("what", "about", "origin")
    show_full_result_count = False
    fields = ("number", "at", "person", "account", "origin", "what", "about", "before", "after", "previous", "digest")
    readonly_fields = ("person",)

    @admin.display(description=_("who"), ordering="account")
    def person(self, entry: AuditEntry) -> str:
        """The name that an organiser's account has now; what stands for an account that was deleted."""
        if entry.account is None:
            return entry.who
        if entry.named is None:  # type: ignore[attr-defined] # see get_queryset
            return pseudonym(entry.account)
        return entry.named if entry.shown else f"user {entry.account}"  # type: ignore[attr-defined]

    def get_search_results(self, request: HttpRequest, queryset: "QuerySet[Any]", search_term: str) -> Any:
        """Find entries by the names that accounts have now, too."""
        found, several = super().get_search_results(request, queryset, search_term)
        if term := search_term.strip():
            named = User.objects.filter(username__icontains=term, is_staff=True).values("pk")
            found |= queryset.filter(Q(account__in=named) | Q(account=None, who__icontains=term) | Q(who=term))
        return found, several

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        """The entries; those about submissions of other teams are left out for those who compete."""
        who = User.objects.filter(pk=OuterRef("account"))
        known = who.filter(Q(is_staff=True) | Q(deleted_at__isnull=False))
        found: QuerySet[Any] = super().get_queryset(request)
        found = found.annotate(named=Subquery(who.values("username")), shown=Exists(known))
        if not competes(request.user):
            return found
        kind = audit.kind_of(Submission())
        visible = [audit.named(each) for each in without_rivals(request.user, Submission.objects.all())]
        return found.filter(~Q(about__startswith=f"{kind} ") | Q(about__in=visible))


@admin.register(Acceptance)
class AcceptanceAdmin(OfTeams, ReadOnly):
    """Who accepted which terms."""

    of_team = "user__membership__team"
    list_display = ("at", "user", "sha256")


@admin.register(Card)
class CardAdmin(OfTeams, ReadOnly):
    """Versions of method cards."""

    of_team = "submission__team"
    list_display = ("at", "submission", "version")


@admin.register(Snapshot)
class SnapshotAdmin(ReadOnly):
    """Versions of the data."""

    list_display = ("number", "at", "author", "note", "sha256", "withdrawal")
    list_select_related = ("withdrawal",)


@admin.register(DoiRequest)
class DoiRequestAdmin(ReadOnly):
    """DOIs that were requested."""

    list_display = ("snapshot", "at", "by")


@admin.register(Doi)
class DoiAdmin(ReadOnly):
    """DOIs that were given."""

    list_display = ("doi", "request", "at", "by")
