"""Answers to what watches the portal: whether it is ready, and its numbers."""

import secrets
from collections.abc import Callable

from django.core.exceptions import PermissionDenied
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from striate.portal.models import Token, User, Worker

_THIS_MACHINE = ("127.0.0.1", "::1")
_FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-Ip", "Via")


@require_safe
def ready(request: HttpRequest) -> HttpResponseBase:
    """Whether the portal can do its work: database, tables, storage, and a worker that was seen lately."""
    found = {name: _holds(check) for name, check in _CHECKS.items()}
    return JsonResponse(found, status=200 if all(found.values()) else 503, headers={"Cache-Control": "no-store"})


@require_safe
def metrics(request: HttpRequest) -> HttpResponseBase:
    """Numbers for Prometheus; for organisers, by session or token, and for programs of this machine."""
    if not (_of_this_machine(request) or _organises(request)):
        raise PermissionDenied(_("Numbers are for organisers: sign in, or show an organiser's token."))
    from striate.portal.organising.metrics import written

    text = "text/plain; version=0.0.4; charset=utf-8"
    return HttpResponse(written(), content_type=text, headers={"Cache-Control": "no-store"})


def _of_this_machine(request: HttpRequest) -> bool:
    """Whether a program of this machine asks; what a proxy passes on comes from somewhere else."""
    passed_on = any(request.headers.get(name) for name in _FORWARDED)
    return not passed_on and request.META.get("REMOTE_ADDR") in _THIS_MACHINE


def _organises(request: HttpRequest) -> bool:
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    user = Token.owner(text) if kind.casefold() == "bearer" else request.user
    return isinstance(user, User) and user.is_active and user.is_staff


def _holds(check: Callable[[], bool]) -> bool:
    try:
        return check()
    except (DatabaseError, OSError):
        return False


def _database() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return True


def _tables() -> bool:
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def _storage() -> bool:
    store = storages["submissions"]
    store.delete(store.save(f"incoming/ready-{secrets.token_hex(8)}", ContentFile(b"ready")))
    return True


def _worker() -> bool:
    return Worker.there().exists()


_CHECKS: dict[str, Callable[[], bool]] = {
    "database": _database,
    "tables": _tables,
    "storage": _storage,
    "worker": _worker,
}
