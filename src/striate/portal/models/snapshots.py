"""Versions of the data: what was published once stays as it was, under a number and a hash."""

from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from striate.portal.models.unchanging import Unchanging


class Content(Unchanging):
    """Bytes of a file, known by their hash and kept once, in however many versions and under however many names they stand.

    Attributes
    ----------
    sha256, size
        Of the bytes.
    beside
        Path in the competition's folder, where they are served from that; otherwise they lie in the storage ``data``.
    """

    sha256 = models.CharField(max_length=64, unique=True)
    size = models.BigIntegerField()
    beside = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.sha256[:12]

    @property
    def name(self) -> str:
        """What it is called in the storage."""
        return stored_name(self.sha256)


def stored_name(sha256: str) -> str:
    """What bytes of a hash are called in the storage."""
    return f"{sha256[:2]}/{sha256}"


class Arrival(models.Model):
    """Bytes that a push has brought, or is bringing, and that are in no version yet.

    Attributes
    ----------
    sha256, size
        Of the bytes.
    whole
        Whether all of them are in the storage.
    asked_at
        When a push last named them: what no push has named for days is cleared.
    """

    sha256 = models.CharField(max_length=64, unique=True)
    size = models.BigIntegerField()
    whole = models.BooleanField(default=False)
    asked_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.sha256[:12]


class Snapshot(Unchanging):
    """One version of the data.

    Attributes
    ----------
    number
        1, 2, …
    sha256
        Of the canonical manifest: files and terms. The same files under the same terms are the same snapshot.
    at, author, note
        When it was published, by whom, and what is new in it.
    licence, licence_address, terms
        On what terms its files are given.
    terms_sha256
        Hash of the terms, as they are accepted.
    """

    number = models.PositiveIntegerField(_("number of the version"), unique=True)
    sha256 = models.CharField(_("SHA-256"), max_length=64, unique=True)
    at = models.DateTimeField(_("at"), default=timezone.now)
    author = models.CharField(_("author"), max_length=150, blank=True)
    note = models.TextField(_("note"), blank=True)
    licence = models.CharField(_("licence"), max_length=200)
    licence_address = models.CharField(_("address of the licence"), max_length=500, blank=True)
    terms = models.TextField(_("terms"))
    terms_sha256 = models.CharField(_("SHA-256 of the terms"), max_length=64, db_index=True)

    class Meta:
        ordering = ("-number",)
        verbose_name = _("version of the data")
        verbose_name_plural = _("versions of the data")

    def __str__(self) -> str:
        return gettext("version %(number)d") % {"number": self.number}

    @property
    def short(self) -> str:
        """Its name in addresses that never change."""
        return self.sha256[:16]

    @property
    def doi(self) -> str | None:
        """Its DOI, once it was given one."""
        found = Doi.objects.filter(request__snapshot=self).first()
        return None if found is None else str(found.doi)

    @property
    def withdrawn(self) -> "Withdrawal | None":
        """When and why it was withdrawn; None if it was not."""
        return getattr(self, "withdrawal", None)

    @classmethod
    def latest(cls) -> "Snapshot":
        """The last version, also if it was withdrawn."""
        found = cls.objects.order_by("-number").first()
        if found is None:
            raise RuntimeError("The portal has no data yet: `striate serve` takes the competition's folder in.")
        return found

    @classmethod
    def available(cls) -> "models.QuerySet[Snapshot]":
        """The versions that were not withdrawn, the last first."""
        return cls.objects.filter(withdrawal=None).order_by("-number")

    @classmethod
    def current(cls) -> "Snapshot | None":
        """The last version that was not withdrawn; None if all were."""
        return cls.available().first()


class Withdrawal(models.Model):
    """That a version was withdrawn: nobody gets its files any more, and its page says why. Restoring the version removes the row.

    Attributes
    ----------
    snapshot
        The version.
    reason
        As everybody reads it, on one line.
    by
        The organiser; empty once the account is deleted.
    """

    snapshot = models.OneToOneField(
        Snapshot, on_delete=models.PROTECT, related_name="withdrawal", verbose_name=_("version of the data")
    )
    reason = models.CharField(_("reason"), max_length=300)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("by")
    )
    at = models.DateTimeField(_("at"), default=timezone.now)

    class Meta:
        verbose_name = _("withdrawal of a version")
        verbose_name_plural = _("withdrawals of versions")

    def __str__(self) -> str:
        return gettext("withdrawal of %(version)s") % {"version": self.snapshot}


class SnapshotFile(Unchanging):
    """A file of a version.

    Attributes
    ----------
    path
        Below the folder of the dataset.
    session, role
        As the catalogue has them; empty where the file is no recording.
    changed
        The version in which this path last got other bytes.
    """

    snapshot = models.ForeignKey(Snapshot, on_delete=models.PROTECT, related_name="files")
    path = models.CharField(max_length=400)
    content = models.ForeignKey(Content, on_delete=models.PROTECT, related_name="+")
    session = models.CharField(max_length=100, blank=True)
    role = models.CharField(max_length=100, blank=True)
    changed = models.ForeignKey(Snapshot, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ("path",)
        constraints = (models.UniqueConstraint(fields=("snapshot", "path"), name="path_once"),)
        indexes = (models.Index(fields=("session", "snapshot"), name="recordings_of_versions"),)

    def __str__(self) -> str:
        return self.path


class Description(Unchanging):
    """What is said of a version to those who cite it. A later one replaces an earlier one, until a DOI is requested.

    Attributes
    ----------
    metadata
        Title, creators and the rest, as `striate.portal.hosting.metadata.Metadata` has them.
    """

    snapshot = models.ForeignKey(Snapshot, on_delete=models.PROTECT, related_name="descriptions")
    metadata = models.JSONField()
    by = models.CharField(max_length=150, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"description of {self.snapshot}"


class DoiRequest(Unchanging):
    """That a DOI was requested for a version: from then on, what is said of it stays.

    Attributes
    ----------
    metadata
        What is to be registered.
    """

    snapshot = models.OneToOneField(
        Snapshot, on_delete=models.PROTECT, related_name="doi_request", verbose_name=_("version of the data")
    )
    metadata = models.JSONField(_("metadata"))
    by = models.CharField(_("by"), max_length=150, blank=True)
    at = models.DateTimeField(_("at"), default=timezone.now)

    class Meta:
        verbose_name = _("request for a DOI")
        verbose_name_plural = _("requests for DOIs")

    def __str__(self) -> str:
        return gettext("DOI of %(version)s") % {"version": self.snapshot}


class Doi(Unchanging):
    """The DOI of a version, once it was given."""

    request = models.OneToOneField(
        DoiRequest, on_delete=models.PROTECT, related_name="given", verbose_name=_("request")
    )
    doi = models.CharField(_("DOI"), max_length=200, unique=True)
    by = models.CharField(_("by"), max_length=150, blank=True)
    at = models.DateTimeField(_("at"), default=timezone.now)

    class Meta:
        verbose_name = _("DOI")
        verbose_name_plural = _("DOIs")

    def __str__(self) -> str:
        return self.doi


def author_of(user: Any) -> str:
    """How a person is named beside what they published."""
    return str(user.name or user.username)[:150] if user is not None else ""
