"""Answers to what watches the portal: whether it is ready, and its numbers."""

import secrets
import threading
import time
from collections.abc import Callable

from django.contrib.sessions.models import Session
from django.core.exceptions import PermissionDenied
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from striate.portal.accounts.tokens import bearer, owner_of_token
from striate.portal.competition import place
from striate.portal.models import User, Worker
from striate.portal.receiving import clock
from striate.portal.receiving.decoding import room_for

_THIS_MACHINE = ("127.0.0.1", "::1")
_PROBE = "ready"  # key of a session that expired: nobody can have it
_WRITES_EVERY = 1.0  # seconds: anybody may ask whether the portal is ready
_lock, _written = threading.Lock(), 0.0
_FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-Ip", "Via")


@require_safe
def ready(request: HttpRequest) -> HttpResponseBase:
    """Whether the portal can do its work: database, tables, storage, room on the disk, a worker that was seen lately, and the clock."""
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
    token = bearer(request)
    user = request.user if token is None else owner_of_token(request, token)
    return isinstance(user, User) and user.is_active and user.is_staff


def _holds(check: Callable[[], bool]) -> bool:
    try:
        return check()
    except (DatabaseError, OSError):
        return False


def _database() -> bool:
    """Whether the database can be written. A row is committed: a disk that is full, or a server that only reads, shows then."""
    global _written
    if not _lock.acquire(timeout=_WRITES_EVERY):  # one request waits for the database already
        return False
    try:
        if time.monotonic() - _written >= _WRITES_EVERY:
            Session.objects.update_or_create(
                session_key=_PROBE, defaults={"session_data": "", "expire_date": timezone.now()}
            )
            _written = time.monotonic()
    finally:
        _lock.release()
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


def _disk() -> bool:
    """Whether the disk has the room that the portal leaves free in any case: with less, it takes no uploads."""
    return room_for(place().data, 0)


def _worker() -> bool:
    return Worker.there().exists()


def _clock() -> bool:
    return not clock.problem()


_CHECKS: dict[str, Callable[[], bool]] = {
    "database": _database,
    "tables": _tables,
    "storage": _storage,
    "disk": _disk,
    "worker": _worker,
    "clock": _clock,
}
