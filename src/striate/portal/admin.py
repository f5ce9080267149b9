"""Pages for organisers: Django's admin. What must not be edited can only be read there."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from striate.portal.models import (
    Acceptance,
    Doi,
    DoiRequest,
    Link,
    MaintenanceWindow,
    Membership,
    Score,
    Snapshot,
    Submission,
    Team,
    Transition,
    User,
)

admin.site.site_header = "Organisers"
admin.site.site_title = "Organisers"
admin.site.index_title = "The competition"
admin.site.unregister(Group)  # organisers are those with the staff mark


class ReadOnly(admin.ModelAdmin):
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


@admin.action(description="Approve the chosen accounts")
def approve(admin_: Any, request: HttpRequest, chosen: "QuerySet[User]") -> None:
    """Admit people."""
    count = chosen.filter(approved_at=None).update(approved_at=timezone.now())
    admin_.message_user(request, f"{count} accounts were approved.")


@admin.register(User)
class PersonAdmin(UserAdmin):
    """Accounts."""

    list_display = ("username", "name", "email", "date_joined", "verified_at", "approved_at", "is_staff")
    list_filter = ("is_staff", "is_active", ("approved_at", admin.EmptyFieldListFilter))
    search_fields = ("username", "name", "email")
    actions = (approve,)
    readonly_fields = ("verified_at", "deleted_at", "last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("username", "password", "name", "email")}),
        ("Admission", {"fields": ("verified_at", "approved_at", "is_active", "is_staff", "is_superuser")}),
        ("Dates", {"fields": ("last_login", "date_joined", "deleted_at")}),
    )
    add_fieldsets = ((None, {"fields": ("username", "name", "email", "usable_password", "password1", "password2")}),)
    filter_horizontal = ()


class MembershipInline(admin.TabularInline):
    """Who is in a team."""

    model = Membership
    extra = 0
    readonly_fields = ("joined_at",)


@admin.register(Team)
class TeamAdmin(admin.ModelAdmin):
    """Teams; the name stands in receipts and stays."""

    list_display = ("name", "created_at")
    search_fields = ("name",)
    readonly_fields = ("name", "created_at")
    inlines = (MembershipInline,)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Teams are made by their members."""
        return False


@admin.register(MaintenanceWindow)
class MaintenanceAdmin(admin.ModelAdmin):
    """Maintenance windows."""

    list_display = ("starts", "ends", "message")


@admin.register(Submission)
class SubmissionAdmin(ReadOnly):
    """Submissions."""

    list_display = ("received_at", "row", "track", "protocol", "state", "filename", "sha256")
    list_filter = ("state", "track", "protocol")
    search_fields = ("team__name", "baseline", "sha256", "filename")


@admin.register(Score)
class ScoreAdmin(ReadOnly):
    """Scores, at full precision."""

    list_display = ("at", "submission", "value", "scorer")
    exclude = ("draws",)


@admin.register(Transition)
class TransitionAdmin(ReadOnly):
    """Lives of submissions."""

    list_display = ("at", "submission", "before", "after", "reason")
    list_filter = ("after",)


@admin.register(Link)
class LinkAdmin(ReadOnly):
    """The chain of receipts."""

    list_display = ("number", "at", "kind", "submission", "digest")


@admin.register(Acceptance)
class AcceptanceAdmin(ReadOnly):
    """Who accepted which terms."""

    list_display = ("at", "user", "sha256")


@admin.register(Snapshot)
class SnapshotAdmin(ReadOnly):
    """Versions of the data."""

    list_display = ("number", "at", "author", "note", "sha256")


@admin.register(DoiRequest)
class DoiRequestAdmin(ReadOnly):
    """DOIs that were requested."""

    list_display = ("snapshot", "at", "by")


@admin.register(Doi)
class DoiAdmin(ReadOnly):
    """DOIs that were given."""

    list_display = ("doi", "request", "at", "by")
