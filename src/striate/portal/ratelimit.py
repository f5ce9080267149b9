"""Response headers that say how much of a rate limit is left, as the IETF draft "RateLimit header fields for HTTP" defines them."""

from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponseBase

from striate.portal.accounts.throttle import Throttle, too_often
from striate.portal.models import Attempt

Answer = Callable[[HttpRequest], HttpResponseBase]
_TOLD = "striate.rate_limits"


@dataclass(frozen=True)
class Quota:
    """How much of a limit is left to a client.

    Attributes
    ----------
    limit
        How often something may be done within the window.
    window
        In seconds.
    left
        How often it may still be done.
    more_in
        Seconds until it may be done more often.
    """

    limit: int
    window: int
    left: int
    more_in: int

    @classmethod
    def of(cls, throttle: Throttle, key: str) -> "Quota":
        """Count what is left of a throttle to whom a key stands for."""
        left = max(0, throttle.limit - Attempt.within(throttle.what, key, throttle.window).count())
        window = round(throttle.window.total_seconds())
        return cls(throttle.limit, window, left, window if left else throttle.wait(key))


class TooOftenError(Exception):
    """Something was tried too often.

    Parameters
    ----------
    throttle
        The limit.
    key
        Whose attempts were counted.
    """

    def __init__(self, throttle: Throttle, key: str) -> None:
        super().__init__(throttle.what)
        self.throttle, self.key = throttle, key


def count(request: HttpRequest, throttle: Throttle, key: str) -> None:
    """Count an attempt, and have the answer say how many are left.

    Raises
    ------
    TooOftenError
        If there were too many.
    """
    counted = throttle.take(key)
    tell(request, throttle.what, Quota.of(throttle, key))
    if counted is None:
        raise TooOftenError(throttle, key)


def tell(request: HttpRequest, name: str, quota: Quota) -> None:
    """Have the answer to a request say what is left of a limit."""
    request.META.setdefault(_TOLD, {})[name] = quota


class RateLimits:
    """Middleware that answers 429 to what is tried too often, and writes ``RateLimit-Policy`` and ``RateLimit``."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer as ever, with the headers."""
        response = self._answer(request)
        if told := request.META.get(_TOLD):
            policies = (f'"{name}";q={quota.limit};w={quota.window}' for name, quota in told.items())
            response.headers["RateLimit-Policy"] = ", ".join(policies)
            left = (f'"{name}";r={quota.left};t={quota.more_in}' for name, quota in told.items())
            response.headers["RateLimit"] = ", ".join(left)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        """Answer 429 if something was tried too often."""
        return too_often(request, error.throttle, error.key) if isinstance(error, TooOftenError) else None
