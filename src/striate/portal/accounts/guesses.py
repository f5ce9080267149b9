"""Slow down people who guess passwords without locking out the owner of the account.

Wrong passwords are counted for each pair of account and network address, so that guesses from elsewhere do not concern the
owner. When an account is attacked from many addresses at once, each address gets few attempts; the first one is always
allowed. A device from which somebody has signed in to the account before carries a signed cookie and is counted by itself.
"""

import json
import secrets
from dataclasses import dataclass

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse

from striate._internal.safe_parsing import parse_json
from striate.competition.name_key import name_key
from striate.portal.accounts.throttle import (
    PASSWORD,
    SIGN_IN,
    SIGN_IN_ACCOUNT,
    SIGN_IN_ADDRESS,
    Attempts,
    Throttle,
    address_of,
    too_often,
)
from striate.portal.models import User

COOKIE = "known_device"
_SALT = "known device"
_LASTS = 180 * 24 * 3600  # seconds
_MOST_ACCOUNTS = 8  # on one device
_FEW = 3  # attempts of an address for an account that is being attacked


@dataclass(frozen=True)
class Device:
    """A browser in which people have signed in.

    Attributes
    ----------
    name
        Random.
    accounts
        Numbers of the accounts, the last one last.
    """

    name: str
    accounts: tuple[int, ...] = ()

    @classmethod
    def of(cls, request: HttpRequest) -> "Device":
        """Read the cookie; a new device if there is none, or none that was signed here."""
        try:
            text = signing.loads(request.COOKIES.get(COOKIE, ""), salt=_SALT, max_age=_LASTS)
            name, accounts = parse_json(text)
            return cls(str(name), tuple(map(int, accounts)))
        except (signing.BadSignature, ValueError, TypeError):
            return cls(secrets.token_urlsafe(12))


def remember(request: HttpRequest, response: HttpResponse, user: User) -> None:
    """Let the device be known for an account from now on."""
    device = Device.of(request)
    others = [each for each in device.accounts if each != user.pk]
    accounts = [*others[1 - _MOST_ACCOUNTS :], user.pk]
    response.set_cookie(
        COOKIE,
        signing.dumps(json.dumps([device.name, accounts]), salt=_SALT),
        max_age=_LASTS,
        path="/accounts/",
        secure=settings.ENCRYPTED,
        httponly=True,
        samesite="Lax",
    )


class Guess:
    """One attempt to sign in.

    Parameters
    ----------
    request
        The form that was sent.
    username
        As it was typed.

    Attributes
    ----------
    refused
        The answer, if there were too many attempts; None if this one may be made.
    """

    def __init__(self, request: HttpRequest, username: str) -> None:
        account, address = f"name {name_key(username)}", address_of(request)
        self._made: list[Attempts] = []
        self.refused: HttpResponse | None = None
        device = Device.of(request)
        known = User.objects.filter(pk__in=device.accounts, name_key=name_key(username)).exists()
        if known:
            limits = [(SIGN_IN, f"{account} on {device.name}")]
        else:
            attacked = SIGN_IN_ACCOUNT.used(account) >= SIGN_IN_ACCOUNT.limit
            pair = Throttle(SIGN_IN.what, min(SIGN_IN.limit, _FEW), SIGN_IN.window) if attacked else SIGN_IN
            limits = [(SIGN_IN_ADDRESS, address), (pair, f"{account} {address}")]
        for throttle, key in limits:
            made = throttle.take(key)
            if made is None:
                self.forget()
                self.refused = too_often(request, throttle, key)
                return
            self._made.append(made)
        # Beyond the limit nothing is gained by counting further.
        if not known and not attacked and (counted := SIGN_IN_ACCOUNT.take(account)) is not None:
            self._made.append(counted)

    def forget(self) -> None:
        """Do not count this attempt: the password was right."""
        for each in self._made:
            each.give_back()
        self._made = []


def wrong_passwords(request: HttpRequest, user: User) -> tuple[Attempts | None, str]:
    """Count an attempt to confirm something with the password; None instead of the attempt if there were too many, and the key."""
    key = f"account {user.pk} {address_of(request)}"
    return PASSWORD.take(key), key
