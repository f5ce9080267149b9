"""What is written into the audit log without being asked: whatever an organiser changes in the admin, and who signs in as one."""

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.db import models
from django.db.models.signals import post_delete, post_save, pre_save
from django.http import HttpRequest

from striate.competition.name_key import name_key
from striate.portal.models import AuditEnd, AuditEntry, Token, User
from striate.portal.organising import audit
from striate.portal.organising.asking import request_now

_DULL = {"last_login", "used_at"}  # written by every sign-in
_OUTSIDE = ("/admin/login/", "/admin/logout/")


def watch() -> None:
    """Begin to listen; called once, when Django has loaded."""
    pre_save.connect(_before_save, dispatch_uid="audit")
    post_save.connect(_after_save, dispatch_uid="audit")
    post_delete.connect(_after_delete, dispatch_uid="audit")
    user_logged_in.connect(_signed_in, dispatch_uid="audit")
    user_login_failed.connect(_failed_to_sign_in, dispatch_uid="audit")


def in_admin(request: HttpRequest | None) -> bool:
    """Whether a request may change something in the admin."""
    if request is None or request.method != "POST":
        return False
    return request.path.startswith("/admin/") and not request.path.startswith(_OUTSIDE)


def _watched(row: Any) -> bool:
    own = isinstance(row, models.Model) and row._meta.app_label == "portal"
    return own and not isinstance(row, AuditEntry | AuditEnd) and in_admin(request_now.get())


def _fields(row: models.Model) -> dict[str, Any]:
    return {field.attname: field.value_from_object(row) for field in row._meta.concrete_fields}


def _before_save(sender: Any, instance: Any, raw: bool, **_: Any) -> None:
    if not raw and _watched(instance):
        stored = sender._base_manager.filter(pk=instance.pk).first()
        instance._audited = None if stored is None else _fields(stored)


def _after_save(sender: Any, instance: Any, raw: bool, **_: Any) -> None:
    if raw:
        return
    if _watched(instance):
        before, after = instance.__dict__.pop("_audited", None), _fields(instance)
        kind = audit.kind_of(instance)
        if before is None:
            audit.note(None, f"add {kind}", about=instance, after=after)
            return
        changed = {name for name, value in after.items() if value != before[name]} - _DULL
        if changed:
            old, new = ({name: each[name] for name in sorted(changed)} for each in (before, after))
            audit.note(None, f"change {kind}", about=instance, before=old, after=new)
    elif isinstance(instance, User) and instance.is_staff and getattr(instance, "_password", None) is not None:
        audit.note(None, "change password", about=instance)


def _after_delete(instance: Any, **_: Any) -> None:
    if _watched(instance):
        audit.note(None, f"remove {audit.kind_of(instance)}", about=instance, before=_fields(instance))


def _signed_in(user: Any, **_: Any) -> None:
    if user.is_staff:
        audit.note(user, "sign in", about=user)


def _failed_to_sign_in(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    user = User.objects.filter(name_key=name_key(str(credentials.get("username", ""))), is_staff=True).first()
    if user is not None:
        audit.note(request, "fail to sign in", about=user)


def note_token(request: HttpRequest, what: str, token: Token) -> None:
    """Note that a token was made or revoked."""
    audit.note(request, what, about=token, after={"name": token.name, "user_id": token.user_id})
