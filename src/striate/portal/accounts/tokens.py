"""Accept the tokens of programs, and slow down those who guess them."""

from django.http import HttpRequest

from striate.portal.accounts.throttle import TOKEN, address_of
from striate.portal.models import Token, User
from striate.portal.ratelimit import count


def owner_of_token(request: HttpRequest, text: str) -> User | None:
    """Return whose token this is; None if it is wrong.

    Wrong tokens are counted by network address. A valid token is accepted however many wrong ones came from the same address.

    Raises
    ------
    TooOftenError
        If too many wrong tokens came from the address of the request.
    """
    user = Token.owner(text)
    if user is None:
        count(request, TOKEN, address_of(request))
    return user


def bearer(request: HttpRequest) -> str | None:
    """Return the token of the header ``Authorization: Bearer TOKEN``; None if there is none."""
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    return text.strip() if kind.casefold() == "bearer" else None
