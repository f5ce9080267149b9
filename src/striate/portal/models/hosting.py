"""What hosting data needs to remember: who accepted which terms, and when the portal is under maintenance."""

from typing import Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from striate._internal.text_cleaning import clean_line
from striate.portal.models.unchanging import Unchanging


class Acceptance(Unchanging):
    """That a person accepted terms: these, word for word."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="acceptances", verbose_name=_("user")
    )
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    terms = models.TextField(_("terms"))
    at = models.DateTimeField(_("at"), default=timezone.now)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("user", "sha256"), name="accepted_once"),)
        verbose_name = _("acceptance of terms")
        verbose_name_plural = _("acceptances of terms")

    def __str__(self) -> str:
        return gettext("%(user)s accepted %(terms)s") % {"user": self.user, "terms": self.sha256[:12]}


class MaintenanceWindow(models.Model):
    """A stretch of time in which writes are refused. It is announced from the moment that it is entered here.

    Attributes
    ----------
    starts, ends
        When.
    message
        What the banner says beside the times.
    """

    starts = models.DateTimeField(_("from"))
    ends = models.DateTimeField(_("until"))
    message = models.CharField(_("message"), max_length=300, blank=True)

    class Meta:
        ordering = ("starts",)
        verbose_name = _("maintenance window")
        verbose_name_plural = _("maintenance windows")

    def __str__(self) -> str:
        return f"{self.starts:%Y-%m-%d %H:%M} – {self.ends:%Y-%m-%d %H:%M} UTC"

    def clean(self) -> None:
        """Leave out what nobody can see, and refuse a window that ends before it starts."""
        self.message = clean_line(self.message)
        if (
            None not in (self.starts, self.ends) and self.ends <= self.starts
        ):  # a field that was filled in wrongly is None
            raise ValidationError({"ends": _("The window must end after it starts.")})

    @classmethod
    def current(cls) -> Self | None:
        """The window that is on now."""
        now = timezone.now()
        return cls.objects.filter(starts__lte=now, ends__gt=now).order_by("-ends").first()

    @classmethod
    def announced(cls) -> Self | None:
        """The window that is on, or the next one."""
        return cls.objects.filter(ends__gt=timezone.now()).order_by("starts").first()

    @property
    def is_on(self) -> bool:
        """Whether it has begun and not ended."""
        return self.starts <= timezone.now() < self.ends

    @property
    def seconds_left(self) -> int:
        """Whole seconds until it ends, at least one."""
        return max(1, round((self.ends - timezone.now()).total_seconds()))
