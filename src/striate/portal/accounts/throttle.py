"""Limits on how often something may be tried, counted in the database so that all processes share them."""

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv6Address, ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from striate.portal.models import Attempt
from striate.portal.problems import for_programs, problem


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

        The attempt is stored before it is counted, so that of many simultaneous attempts no more pass than are allowed.
        Refused attempts do not count, and beyond the limit nothing is written.
        """
        if any(self.used(key) >= self.limit for key in keys):
            return None
        made = Attempts([Attempt.note(self.what, key).pk for key in keys])
        if any(self.used(key) > self.limit for key in keys):
            made.give_back()
            return None
        return made

    def used(self, key: str) -> int:
        """Number of attempts for a key within the window."""
        return Attempt.within(self.what, key, self.window).count()

    def wait(self, *keys: str) -> int:
        """Seconds until no key has used up its attempts, at least one."""
        ends = [timezone.now()]
        for key in keys:
            tried = Attempt.within(self.what, key, self.window)
            # The attempts that have to expire before another one is allowed; more than one if the limit was lowered.
            if (over := tried.count() - self.limit) >= 0:
                ends.append(tried.order_by("at").values_list("at", flat=True)[over] + self.window)
        return max(1, round((max(ends) - timezone.now()).total_seconds()))


@dataclass(frozen=True)
class Attempts:
    """Attempts that were counted."""

    numbers: list[int]

    def give_back(self) -> None:
        """Stop counting them."""
        Attempt.objects.filter(pk__in=self.numbers).delete()


def _throttle(name: str) -> Throttle:
    return Throttle(name, *settings.LIMITS[name])


SIGN_IN = _throttle("sign-in")  # failures, for one account from one network address, or from one known device
SIGN_IN_ADDRESS = _throttle("sign-in-address")  # failures, for all accounts from one network address
SIGN_IN_ACCOUNT = _throttle("sign-in-account")  # failures, for one account from all network addresses
SIGN_UP = _throttle("sign-up")  # for one network address
PASSWORD = _throttle("password")  # wrong passwords of somebody who is signed in, from one network address
LINK = _throttle("link")  # for one mail address from one network address
LINK_ADDRESS = _throttle("link-address")  # for all mail addresses from one network address
LINK_ACCOUNT = _throttle("link-account")  # mails of one kind that are sent to one address
UPLOAD = _throttle("upload")  # for one account
TOKEN = _throttle("token")  # wrong tokens, from one network address


def sentence(throttle: Throttle, *keys: str) -> str:
    """Say that something was tried too often, and how long to wait."""
    minutes = -(-throttle.wait(*keys) // 60)
    if throttle is TOKEN:
        return _(
            "Too many wrong tokens came from this network address: check the token, and try again in %(minutes)d minutes."
        ) % {"minutes": minutes}
    return _("This was tried too often: wait %(minutes)d minutes, then try again.") % {"minutes": minutes}


def too_often(request: HttpRequest, throttle: Throttle, *keys: str) -> HttpResponse:
    """Answer 429 with one sentence and ``Retry-After``."""
    why = sentence(throttle, *keys)
    page = not for_programs(request)
    answer = render(request, "portal/refused.html", {"why": why}, status=429) if page else problem(429, why)
    answer.headers["Retry-After"] = str(throttle.wait(*keys))
    return answer


def address_of(request: HttpRequest) -> str:
    """Return the key of the network that a request comes from: the address, of IPv6 the /64 that one subscriber has."""
    text = str(request.META.get("REMOTE_ADDR") or "")
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:  # a Unix socket, or whatever a proxy wrote
        return f"from {text}"
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return f"from {IPv6Address(int(address) >> 64 << 64)}/64"
        address = address.ipv4_mapped
    return f"from {address}"
