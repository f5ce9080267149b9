"""Who takes part: people, their teams, their tokens."""

import hashlib
import secrets
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from striate.competition.name_key import address_key, name_key
from striate.portal.models.last_use import last_use

_TOKEN_USED_EVERY = timedelta(minutes=1)
NAME_TAKEN = _("Somebody has this name already, or one that looks like it: choose another.")


class NameKey(models.CharField):
    """A unique column with the key of a name, written whenever the row is saved; two names that look alike cannot both be stored.

    Parameters
    ----------
    of
        Name of the field that it is the key of: ``email`` has the key of addresses, others that of names.
    """

    def __init__(self, *args: Any, of: str, **options: Any) -> None:
        self.of = of
        super().__init__(*args, **{"max_length": 600, "editable": False, "unique": True} | options)

    def deconstruct(self) -> Any:
        """Describe the field to migrations."""
        name, path, args, options = super().deconstruct()
        return name, path, args, options | {"of": self.of}

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        """Compute the key."""
        key = key_of(self.of, getattr(model_instance, self.of))
        setattr(model_instance, self.attname, key)
        return key


def key_of(field: str, text: str) -> str:
    """Return the key of what is in a field."""
    return address_key(text) if field == "email" else name_key(text)


class _Keyed(models.Model):
    """A row with keys: saving some fields saves their keys, too."""

    class Meta:
        abstract = True

    def save(self, *args: Any, update_fields: Any = None, **options: Any) -> None:
        """Save the row."""
        if update_fields is not None:
            keys = {
                field.name for field in self._meta.fields if isinstance(field, NameKey) and field.of in update_fields
            }
            update_fields = {*update_fields, *keys}
        super().save(*args, update_fields=update_fields, **options)


class User(_Keyed, AbstractUser):
    """A person with an account.

    Attributes
    ----------
    name
        As the person writes it.
    verified_at
        When the person followed the link that was sent to the e-mail address.
    approved_at
        When an organiser approved the account.
    deleted_at
        When the person deleted it: what was personal is gone, and nobody can sign in.
    """

    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    name = models.CharField(_("name"), max_length=100, blank=True)
    email = models.EmailField(_("e-mail address"))
    name_key = NameKey(of="username")
    email_key = NameKey(of="email")
    verified_at = models.DateTimeField(_("verified at"), null=True, blank=True, editable=False)
    approved_at = models.DateTimeField(_("approved at"), null=True, blank=True)
    deleted_at = models.DateTimeField(_("deleted at"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")

    @property
    def admitted(self) -> bool:
        """Whether the person may take part: verified where mail is sent, else approved by an organiser."""
        return bool(self.is_staff or self.approved_at or (settings.MAIL and self.verified_at))

    @property
    def team(self) -> "Team | None":
        """The person's team, if there is one."""
        membership = Membership.objects.filter(user=self).select_related("team").first()
        return membership.team if membership else None

    def get_full_name(self) -> str:
        """As the person writes it."""
        return self.name or self.username

    def get_short_name(self) -> str:
        """What the person signs in with."""
        return self.username


ADMINISTRATOR_MARKS = ("is_active", "is_staff", "is_superuser")  # marks of an administrator, who needs all of them


def administrators() -> "models.QuerySet[User]":
    """Accounts that may make organisers, and can sign in."""
    return User.objects.filter(**dict.fromkeys(ADMINISTRATOR_MARKS, True))


def _invitation() -> str:
    return secrets.token_urlsafe(18)


def pseudonym(number: int) -> str:
    """What stands for an account that was deleted, by its number."""
    return f"deleted-{number}"


class Team(_Keyed):
    """Who submits: its name stands on the boards and in the receipts, and stays.

    Attributes
    ----------
    name
        On the boards.
    invitation
        Whoever has it can join.
    disqualified_at, disqualified_for
        Since when and why it is on no board, as the notices in the chain say it; its receipts stay.
    """

    name = models.CharField(_("name"), max_length=60)
    name_key = NameKey(of="name")
    invitation = models.CharField(max_length=40, default=_invitation, unique=True, editable=False)
    created_at = models.DateTimeField(_("made at"), default=timezone.now, editable=False)
    disqualified_at = models.DateTimeField(_("disqualified at"), null=True, editable=False)
    disqualified_for = models.CharField(
        _("disqualified, because"),
        max_length=300,
        blank=True,
        help_text=_(
            "Everybody can read this reason, here and in the chain of receipts. The team leaves the boards and is left out when the "
            "competition is closed; its receipts stay. Empty it to take this back."
        ),
    )

    class Meta:
        ordering = ("name",)
        verbose_name = _("team")
        verbose_name_plural = _("teams")

    def __str__(self) -> str:
        return self.name

    def invite_anew(self) -> None:
        """Make another invitation; the old one is worth nothing any more."""
        Team.objects.filter(pk=self.pk).update(invitation=_invitation())

    @property
    def fixed(self) -> bool:
        """Whether it has submitted, or a notice names it: its name stays, and nobody can leave it for another team."""
        return self.submissions.exists() or self.notices.exists()


class Membership(models.Model):
    """That a person is in a team: in one, and no more."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="membership", verbose_name=_("user")
    )
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships", verbose_name=_("team"))
    joined_at = models.DateTimeField(_("joined at"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")

    def __str__(self) -> str:
        return f"{self.user} in {self.team}"


class Token(models.Model):
    """A person's key for programs. It is shown once; only its hash is kept (of 256 random bits, so that no salt is needed)."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=60)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    used_at = models.DateTimeField(null=True, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.name

    @classmethod
    def make(cls, user: User, name: str) -> tuple["Token", str]:
        """Make a token; the text is given out here and never again."""
        text = f"striate_{secrets.token_urlsafe(32)}"
        return cls.objects.create(user=user, name=name, digest=_digest(text)), text

    @classmethod
    def owner(cls, text: str) -> User | None:
        """Whose token this is; None if it is nobody's, or was revoked."""
        found = cls.objects.select_related("user").filter(digest=_digest(text), revoked_at=None).first()
        if found is None or not found.user.is_active:
            return None
        now = timezone.now()
        if found.used_at is None or now - found.used_at > _TOKEN_USED_EVERY:
            last_use.note(found.pk)
        return found.user


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Attempt(models.Model):
    """That something was tried that may not be tried too often, such as to sign in.

    Attributes
    ----------
    what
        Such as ``sign-in``.
    key
        Hash of who tried it.
    """

    what = models.CharField(max_length=20)
    key = models.CharField(max_length=64)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = (models.Index(fields=("what", "key", "at"), name="attempts_by_key"),)

    @classmethod
    def within(cls, what: str, key: str, window: timedelta) -> "models.QuerySet[Attempt]":
        """What was tried within a window."""
        return cls.objects.filter(what=what, key=_digest(key), at__gt=timezone.now() - window)

    @classmethod
    def note(cls, what: str, key: str, **fields: Any) -> "Attempt":
        """Note that something was tried."""
        return cls.objects.create(what=what, key=_digest(key), **fields)
