"""Response headers that say how much of a rate limit is left, as the IETF draft "RateLimit header fields for HTTP" defines them."""

from collections.abc import Mapping

from striate.portal.accounts.throttle import Throttle
from striate.portal.models import Attempt


def rate_limit(throttle: Throttle, key: str) -> Mapping[str, str]:
    """Headers about one limit of one client.

    Parameters
    ----------
    throttle
        The limit.
    key
        Whose attempts are counted.

    Returns
    -------
    Mapping[str, str]
        ``RateLimit-Policy`` with the quota and the window in seconds, and ``RateLimit`` with what remains of the quota and
        the seconds after which there is more.
    """
    tried = Attempt.within(throttle.what, key, throttle.window).count()
    left = max(0, throttle.limit - tried)
    window = round(throttle.window.total_seconds())
    return {
        "RateLimit-Policy": f'"{throttle.what}";q={throttle.limit};w={window}',
        "RateLimit": f'"{throttle.what}";r={left};t={throttle.wait(key) if not left else window}',
    }
