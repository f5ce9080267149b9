"""The audit log: who did what, when, from where; what was there before and after. Rows are chained, so that a removed one is noticed."""

import hashlib
import json
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from striate.portal.models.unchanging import Unchanging

BEGIN = "0" * 64  # what the first entry takes for the digest before it


class AuditEntry(Unchanging):
    """One thing that was done.

    Attributes
    ----------
    number
        From 1.
    at
        When.
    who
        ``user N`` for an account, whose name goes with it while the log stays; ``command line: USER``, ``anonymous``.
    account
        Number of the account, if it was one.
    origin
        Network address, or the machine's name.
    what
        Such as ``change team`` or ``sign in``.
    about
        What it was done to, such as ``team 12``.
    before, after
        Fields that changed; secrets are never among them.
    previous, digest
        SHA-256 of the entry before and of this one.
    """

    number = models.PositiveBigIntegerField(_("number of the entry"), primary_key=True)
    at = models.DateTimeField(_("at"))
    who = models.CharField(_("who"), max_length=200)
    account = models.PositiveBigIntegerField(_("number of the account"), null=True)
    origin = models.CharField(_("from where"), max_length=100, blank=True)
    what = models.CharField(_("what"), max_length=80)
    about = models.CharField(_("about"), max_length=150, blank=True)
    before = models.JSONField(_("before"), null=True)
    after = models.JSONField(_("after"), null=True)
    previous = models.CharField(_("hash of the entry before"), max_length=64)
    digest = models.CharField(_("hash"), max_length=64, unique=True)

    class Meta:
        ordering = ("-number",)
        verbose_name = _("entry of the audit log")
        verbose_name_plural = _("audit log")

    def __str__(self) -> str:
        return f"{self.number}: {self.what} {self.about}"

    @property
    def body(self) -> dict[str, Any]:
        """What the digest is of."""
        names = ("number", "who", "account", "origin", "what", "about", "before", "after", "previous")
        return {"at": self.at.isoformat(), **{name: getattr(self, name) for name in names}}

    def digested(self) -> str:
        """SHA-256 of this entry, which the next one repeats."""
        text = json.dumps(self.body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


class AuditEnd(models.Model):
    """Where the audit log ends: one row, which whoever adds to the log locks first, and which tells when its last entries are gone."""

    number = models.PositiveBigIntegerField(default=0)
    digest = models.CharField(max_length=64, default=BEGIN)

    def __str__(self) -> str:
        return f"entry {self.number}"
