"""A person's own data: all that the portal has, as JSON; and what is left after the account is deleted."""

import json
from typing import Any

from django.contrib.admin.models import LogEntry
from django.db import transaction
from django.utils import timezone

from striate.portal.models import Acceptance, Submission, Token, Upload, User
from striate.portal.models.people import pseudonym


def exported(user: User) -> dict[str, Any]:
    """All that the portal knows about a person."""
    team = user.team
    submissions = Submission.objects.filter(by=user).prefetch_related("transitions", "scores", "cards", "links")
    return {
        "account": {
            "username": user.username,
            "name": user.name,
            "email": user.email,
            "joined": user.date_joined,
            "last sign-in": user.last_login,
            "verified": user.verified_at,
            "approved": user.approved_at,
        },
        "team": team and {"name": team.name, "joined": user.membership.joined_at},
        "accepted terms": list(user.acceptances.values("sha256", "at", "terms")),
        "tokens": list(Token.objects.filter(user=user).values("name", "created_at", "used_at", "revoked_at")),
        "unfinished uploads": list(
            Upload.objects.filter(by=user).values("filename", "size", "sha256", "found", "expires_at")
        ),
        "submissions": [
            {
                "id": each.pk,
                "file": each.filename,
                "sha256": each.sha256,
                "track": each.track,
                "protocol": each.protocol,
                "received": each.received_at,
                "state": each.state,
                "reason": each.reason,
                "note": each.note,
                "size": each.size,
                "receipts": [
                    {"number": link.number, "kind": link.kind, "at": link.at, "digest": link.digest}
                    for link in each.links.all()
                ],
                "method cards": [{"version": c.version, "at": c.at, **c.content} for c in each.cards.all()],
                "life": [{"at": t.at, "state": t.after, "reason": t.reason} for t in each.transitions.all()],
                "live scores": [
                    {name: value["mean"] and round(value["mean"], 4) for name, value in score.metrics.items()}
                    for score in each.scores.all()
                ],
            }
            for each in submissions
        ],
    }


def _forget_in_history(user: User) -> None:
    """Take the name out of the admin's history, in which organisers see what was changed last."""
    entries = LogEntry.objects.filter(content_type__app_label="portal")
    left, member = pseudonym(user.pk), f"{user.username} in "
    entries.filter(content_type__model="user", object_id=str(user.pk)).update(object_repr=left)
    for entry in entries.filter(content_type__model="membership", object_repr__startswith=member):
        entry.object_repr = entry.object_repr.replace(member, f"{left} in ", 1)
        entry.save(update_fields=["object_repr"])
    was, now = (json.dumps(f"{name} in ")[:-1] for name in (user.username, left))
    for entry in entries.filter(change_message__contains=was):
        entry.change_message = entry.change_message.replace(was, now)
        entry.save(update_fields=["change_message"])


def delete(user: User) -> None:
    """Remove what is personal. Submissions stay their team's, since they are part of the chain of receipts.

    The empty account stays, too: that somebody accepted the terms is not undone, but nobody can tell any more who.
    """
    with transaction.atomic():
        Token.objects.filter(user=user).delete()
        Upload.objects.filter(by=user).delete()
        Submission.objects.filter(by=user).update(by=None)
        _forget_in_history(user)
        if (team := user.team) is not None:
            user.membership.delete()
            if not team.fixed and not team.memberships.exists():
                team.delete()
        if not Acceptance.objects.filter(user=user).exists():
            user.delete()
            return
        left = pseudonym(user.pk)
        user.username, user.name, user.email = left, "", f"{left}@deleted.invalid"
        user.is_active = user.is_staff = user.is_superuser = False
        user.approved_at = user.verified_at = user.last_login = None
        user.deleted_at = timezone.now()
        user.set_unusable_password()
        user.save()
