"""Write the audit log, and verify it.

It takes one line in what changes something, within its transaction::

audit.note(request, "approve account", about=user, after={"approved_at": now})
"""

import getpass
import platform
from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import override

from striate.errors import InputError
from striate.portal.models.audit import BEGIN, AuditEnd, AuditEntry
from striate.portal.models.people import Team, Token, User
from striate.portal.organising.asking import request_now

# Whatever is called like this is a secret, or a person's address: that it changed is written, and no more.
_HIDDEN = ("password", "token", "digest", "secret", "invitation", "session", "key", "email", "passphrase", "cookie")
# What people are called, and what they call what is theirs, goes with their accounts, and the log stays.
_OF_PEOPLE, _THEIRS = ("name", "username"), (User, Team, Token)
HIDDEN = "not written here"
_LONGEST = 2000  # characters of a value

Actor = HttpRequest | User | str | None


def note(
    actor: Actor,
    what: str,
    *,
    about: models.Model | str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Add an entry, in the transaction that is open; whoever has none gets one for the entry alone.

    Parameters
    ----------
    actor
        Who does it: a request, an account, or a name. None stands for the request that is being answered, or, where there is
        none, for whoever uses the command line.
    what
        What is done, in few words: ``approve account``.
    about
        What it is done to; of a row, its kind and number are written.
    before, after
        Fields that change. Values whose name is that of a secret, and names of accounts, teams and tokens, are replaced by `HIDDEN`.
    """
    who, account, origin = _actor(actor)
    with transaction.atomic():
        AuditEnd.objects.get_or_create(pk=1)
        end = AuditEnd.objects.select_for_update().get(pk=1)
        entry = AuditEntry(
            number=end.number + 1,
            at=timezone.now().astimezone(UTC),
            who=who[:200],
            account=account,
            origin=origin[:100],
            what=what[:80],
            about=named(about)[:150],
            before=_plain(before, own=isinstance(about, _THEIRS)),
            after=_plain(after, own=isinstance(about, _THEIRS)),
            previous=end.digest,
        )
        entry.digest = entry.digested()
        entry.save(force_insert=True)
        AuditEnd.objects.filter(pk=1).update(number=entry.number, digest=entry.digest)
    return entry


def verified() -> Iterator[AuditEntry]:
    """Read the log from its begin on, and hold it against itself.

    Raises
    ------
    InputError
        Where an entry is missing or was changed.
    """
    number, digest = 0, BEGIN
    for entry in AuditEntry.objects.order_by("number").iterator(chunk_size=500):
        if entry.number != number + 1 or entry.previous != digest:
            raise InputError(
                f"The audit log is not whole: what stood before entry {entry.number} was removed or changed."
            )
        if entry.digested() != entry.digest:
            raise InputError(f"Entry {entry.number} of the audit log was changed after it was written.")
        number, digest = entry.number, entry.digest
        yield entry
    end = AuditEnd.objects.filter(pk=1).first()
    if end is not None and (end.number, end.digest) != (number, digest):
        raise InputError(f"The audit log ends with entry {number}, and had {end.number}: the last ones were removed.")


def _actor(actor: Actor) -> tuple[str, int | None, str]:
    if actor is None:
        actor = request_now.get()
    if isinstance(actor, HttpRequest):
        origin = str(actor.META.get("REMOTE_ADDR", ""))
        user = getattr(actor, "user", None)
        if user is not None and user.is_authenticated:
            return f"user {user.pk}", user.pk, origin
        return "anonymous", None, origin
    if isinstance(actor, User):
        request = request_now.get()
        return f"user {actor.pk}", actor.pk, str(request.META.get("REMOTE_ADDR", "")) if request else ""
    return actor or f"command line: {_user()}", None, platform.node()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "unknown"


def kind_of(row: models.Model) -> str:
    """What a row is, in the language of the log, whoever asks."""
    with override(settings.LANGUAGE_CODE):
        return str(row._meta.verbose_name)


def named(about: models.Model | str) -> str:
    """How the log names what something is done to: a row by its kind and number."""
    return about if isinstance(about, str) else f"{kind_of(about)} {about.pk}"


def _plain(fields: Mapping[str, Any] | None, *, own: bool = False) -> dict[str, Any] | None:
    if fields is None:
        return None
    return {name: HIDDEN if _is_hidden(name, own) else _value(value) for name, value in fields.items()}


def _is_hidden(name: str, own: bool) -> bool:
    return any(word in name.casefold() for word in _HIDDEN) or (own and name in _OF_PEOPLE)


def _value(value: Any) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return repr(value)  # as text, so that every database gives back what was digested
    if isinstance(value, Mapping):
        return _plain({str(name): each for name, each in value.items()})
    if isinstance(value, list | tuple):
        return [_value(each) for each in value]
    if isinstance(value, bytes | memoryview):
        return f"{len(value)} bytes"
    return (value.isoformat() if hasattr(value, "isoformat") else str(value))[:_LONGEST].replace("\x00", "")
