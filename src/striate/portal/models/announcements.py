"""What organisers tell everybody."""

from typing import Self

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from striate._internal.text_cleaning import clean_line, clean_text
from striate.portal.models.submissions import Link


class Announcement(models.Model):
    """News on the front page, in the feed, and on every page as a banner if it shall be.

    Attributes
    ----------
    title, text
        What it says; the text in Markdown. Both are empty where it says what its notice does, in the language of whoever reads it.
    notice
        What the portal announces by itself: an organiser's decision, as it stands in the chain.
    starts, ends
        From when it is shown, and how long; without an end it stays.
    banner
        Whether its title stands above every page.
    """

    title = models.CharField(_("title"), max_length=120)
    text = models.TextField(_("text"), blank=True, max_length=20_000, help_text=_("Markdown; HTML is shown as text."))
    notice = models.ForeignKey(
        Link,
        null=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="announcements",
        verbose_name=_("notice"),
    )
    starts = models.DateTimeField(_("from"), default=timezone.now)
    ends = models.DateTimeField(_("until"), null=True, blank=True)
    banner = models.BooleanField(_("above every page"), default=False)

    class Meta:
        ordering = ("-starts", "-pk")
        verbose_name = _("announcement")
        verbose_name_plural = _("announcements")

    def __str__(self) -> str:
        if self.says_its_notice:
            return gettext("announcement of notice %(number)d") % {"number": self.notice_id}
        return self.title

    @property
    def says_its_notice(self) -> bool:
        """Whether its words are made of its notice, when somebody reads it."""
        return self.notice_id is not None and not self.title

    def clean(self) -> None:
        """Leave out what nobody can see, which no feed can hold, and refuse one that ends before it starts."""
        self.title, self.text = clean_line(self.title), clean_text(self.text)
        if None not in (self.starts, self.ends) and self.ends <= self.starts:  # type: ignore[operator] # wrongly filled in: None
            raise ValidationError({"ends": _("It must end after it starts.")})

    @classmethod
    def shown(cls) -> "QuerySet[Self]":
        """Those that everybody sees now, the last first."""
        now = timezone.now()
        return cls.objects.filter(Q(ends=None) | Q(ends__gt=now), starts__lte=now)
