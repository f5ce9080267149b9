"""Mail that the portal sends about accounts; the answer to a request does not wait for it.

Anybody can enter the address of somebody else. So no mail holds text that the person who asked for it wrote, such as a name: it
would let anybody send advertisements and links in the portal's name.
"""

import logging
import threading
from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.core import signing
from django.core.mail import EmailMessage, send_mail
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend
from django.http import HttpRequest
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _

from striate.competition.name_key import address_key
from striate.portal.accounts.throttle import LINK_ACCOUNT
from striate.portal.competition import competition
from striate.portal.models import User

log = logging.getLogger("striate.portal.mail")

_SALT = "verify an address"
_CHANGE = "change an address"
_VALID = timedelta(days=3)


class Soon(BaseEmailBackend):
    """Send mail beside the request: a slow mail server holds no page, and how long a page takes does not tell whether mail was sent."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Send it in a thread; what goes wrong is written down."""
        threading.Thread(target=_send, args=(list(email_messages),), name="mail").start()
        return len(email_messages)


def _send(messages: list[EmailMessage]) -> None:
    try:
        EmailBackend().send_messages(messages)
    except Exception:  # a page was answered long since: the organiser finds it in the log
        log.exception("mail could not be sent")


def _public(request: HttpRequest, path: str) -> str:
    """The address of a page, as people outside reach it."""
    return f"{settings.ADDRESS}{path}" if settings.ADDRESS else request.build_absolute_uri(path)


def send_verification(request: HttpRequest, user: User) -> None:
    """Send the link that shows that the address is the person's own."""
    path = reverse("verify", args=[signing.dumps([user.pk, user.email], salt=_SALT)])
    address = _public(request, path)
    title = competition().rules.title
    text = _(
        "Hello,\n\nfollow this link within three days to verify your address for %(title)s:\n\n%(address)s\n\n"
        "If you did not sign up, do nothing.\n"
    ) % {"title": title, "address": address}
    send_mail(_("%(title)s: verify your address") % {"title": title}, text, None, [user.email])


def send_known(request: HttpRequest, user: User) -> None:
    """Tell whose address somebody wants to use that it has an account already; the page does not, or it would tell anybody."""
    address = _public(request, reverse("reset"))
    title = competition().rules.title
    text = _(
        "Hello,\n\nsomebody wants to use this address for %(title)s, where it has an account already. If you forgot your user name "
        "or your password, set a new password; the mail about it names the account:\n\n%(address)s\n\nIf it was not you, do nothing.\n"
    ) % {"title": title, "address": address}
    send_mail(_("%(title)s: you have an account") % {"title": title}, text, None, [user.email])


def verified(token: str) -> User | None:
    """Whose address a link verifies; None if it is too old, was changed, or the address has changed since."""
    try:
        number, email = signing.loads(token, salt=_SALT, max_age=_VALID)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return User.objects.filter(pk=number, email=email, is_active=True).first()


def send_change(request: HttpRequest, user: User, address: str) -> None:
    """Send the link that changes a person's address to the new one, and a word to the old one.

    If somebody has an account with the new address, that person is told so instead, and nobody else.
    """
    owner = User.objects.filter(email_key=address_key(address)).first()
    if owner is None:
        _send_link(request, user, address)
    elif LINK_ACCOUNT.take(f"known {owner.email_key}") is not None:
        send_known(request, owner)
    title = competition().rules.title
    word = _(
        "Hello,\n\nsomebody who knows your password asks to use another address for your account of %(title)s. "
        "If that was not you, change your password, and revoke the tokens that you do not know: the link that was sent to the "
        "other address does not work any more then.\n"
    ) % {"title": title}
    send_mail(_("%(title)s: another address was asked for") % {"title": title}, word, None, [user.email])


def _send_link(request: HttpRequest, user: User, address: str) -> None:
    what = [user.pk, user.email, address, user.get_session_auth_hash()]
    path = reverse("change-address", args=[signing.dumps(what, salt=_CHANGE)])
    link = _public(request, path)
    title = competition().rules.title
    text = _(
        "Hello,\n\nfollow this link within three days to use this address for %(title)s:\n\n%(address)s\n\n"
        "If you did not ask for it, do nothing.\n"
    ) % {"title": title, "address": link}
    send_mail(_("%(title)s: your new address") % {"title": title}, text, None, [address])


def changed(token: str) -> tuple[User, str] | None:
    """Whose address a link changes, and to which; None if it is too old, was changed or used, or the password is another since."""
    try:
        number, before, after, password = signing.loads(token, salt=_CHANGE, max_age=_VALID)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    user = User.objects.filter(pk=number, email=before, is_active=True).first()
    if user is None or not constant_time_compare(user.get_session_auth_hash(), password):
        return None
    return user, str(after)
