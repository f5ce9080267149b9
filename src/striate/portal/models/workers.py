"""Workers that were seen."""

from datetime import timedelta

from django.db import models
from django.db.models import QuerySet
from django.utils import timezone

SEEN_LATELY = timedelta(seconds=60)


class Worker(models.Model):
    """A worker, which says every few seconds that it is there.

    Attributes
    ----------
    name
        Machine and number of the process.
    scorer
        Versions of what it scores with.
    started_at, seen_at
        When it began, and when it said so last.
    """

    name = models.CharField(max_length=120, primary_key=True)
    scorer = models.CharField(max_length=80)
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name

    @classmethod
    def there(cls) -> "QuerySet[Worker]":
        """Workers that were seen lately."""
        return cls.objects.filter(seen_at__gt=timezone.now() - SEEN_LATELY)
