"""Permissions of organisers: accounts with the staff mark may do in the admin what the pages for organisers offer."""

from typing import Any

from django.contrib.auth.backends import BaseBackend

_MAY = frozenset(
    {
        *("add_user", "change_user", "delete_user", "change_team", "delete_team"),
        *("add_membership", "change_membership", "delete_membership"),
        *("add_announcement", "change_announcement", "delete_announcement"),
        *("add_withdrawal", "delete_withdrawal"),
        *("add_maintenancewindow", "change_maintenancewindow", "delete_maintenancewindow"),
    }
)


class OrganiserBackend(BaseBackend):
    """Grant permissions by the staff mark, which is part of every backup; nobody signs in by this."""

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        """Whether an organiser has a permission."""
        app, _, name = perm.partition(".")
        allowed = app == "portal" and (name in _MAY or name.startswith("view_"))
        return bool(allowed and user_obj.is_active and getattr(user_obj, "is_staff", False))

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        """Whether an organiser sees an application in the admin."""
        return bool(app_label == "portal" and user_obj.is_active and getattr(user_obj, "is_staff", False))
