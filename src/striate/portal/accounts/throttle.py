"""Some things may not be tried too often."""

from dataclasses import dataclass
from datetime import timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from striate.portal.models import Attempt


@dataclass(frozen=True)
class Throttle:
    """How often something may be tried.

    Attributes
    ----------
    what
        What is tried.
    limit
        How often within the window.
    window
        How long attempts count.
    """

    what: str
    limit: int
    window: timedelta

    def take(self, *keys: str) -> "Attempts | None":
        """Count an attempt for each key; None if that is one too many for any of them.

        It is written down first and counted then, so that of many attempts at once no more get through than are allowed.
        What was refused does not count.
        """
        made = Attempts([Attempt.note(self.what, key).pk for key in keys])
        if any(Attempt.within(self.what, key, self.window).count() > self.limit for key in keys):
            made.give_back()
            return None
        return made

    def wait(self, *keys: str) -> int:
        """Seconds until no key has used up its attempts, at least one."""
        ends = [timezone.now()]
        for key in keys:
            tried = Attempt.within(self.what, key, self.window)
            if tried.count() >= self.limit:
                ends.append(tried.order_by("at").values_list("at", flat=True)[0] + self.window)
        return max(1, round((max(ends) - timezone.now()).total_seconds()))


@dataclass(frozen=True)
class Attempts:
    """Attempts that were counted."""

    numbers: list[int]

    def give_back(self) -> None:
        """Count them no longer."""
        Attempt.objects.filter(pk__in=self.numbers).delete()


SIGN_IN = Throttle("sign-in", 10, timedelta(minutes=15))
SIGN_UP = Throttle("sign-up", 20, timedelta(hours=1))
RESET = Throttle("reset", 5, timedelta(hours=1))
UPLOAD = Throttle("upload", 120, timedelta(hours=1))


def sentence(throttle: Throttle, *keys: str) -> str:
    """What is told to whom tried too often."""
    minutes = -(-throttle.wait(*keys) // 60)
    return _("This was tried too often: wait %(minutes)d minutes, then try again.") % {"minutes": minutes}


def too_often(request: HttpRequest, throttle: Throttle, *keys: str) -> HttpResponse:
    """Answer somebody who tried too often."""
    answer = render(request, "portal/refused.html", {"why": sentence(throttle, *keys)}, status=429)
    answer.headers["Retry-After"] = str(throttle.wait(*keys))
    return answer


def address_of(request: HttpRequest) -> str:
    """Key of where a request comes from."""
    return f"from {request.META.get('REMOTE_ADDR')}"
