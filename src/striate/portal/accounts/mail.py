"""Mail that the portal sends about accounts."""

from datetime import timedelta

from django.conf import settings
from django.core import signing
from django.core.mail import send_mail
from django.http import HttpRequest
from django.urls import reverse

from striate.portal.competition import competition
from striate.portal.models import User

_SALT = "verify an address"
_CHANGE = "change an address"
_VALID = timedelta(days=3)


def send_verification(request: HttpRequest, user: User) -> None:
    """Send the link that shows that the address is the person's own."""
    path = reverse("verify", args=[signing.dumps([user.pk, user.email], salt=_SALT)])
    address = f"{settings.ADDRESS}{path}" if settings.ADDRESS else request.build_absolute_uri(path)
    title = competition().rules.title
    text = (
        f"Hello {user.get_full_name()},\n\nfollow this link within three days to verify your address for {title}:\n\n{address}\n\n"
        "If you did not sign up, do nothing.\n"
    )
    send_mail(f"{title}: verify your address", text, None, [user.email])


def verified(token: str) -> User | None:
    """Whose address a link verifies; None if it is too old, was changed, or the address has changed since."""
    try:
        number, email = signing.loads(token, salt=_SALT, max_age=_VALID)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return User.objects.filter(pk=number, email=email, is_active=True).first()


def send_change(request: HttpRequest, user: User, address: str) -> None:
    """Send the link that changes a person's address to the new one, and a word to the old one."""
    path = reverse("change-address", args=[signing.dumps([user.pk, user.email, address], salt=_CHANGE)])
    link = f"{settings.ADDRESS}{path}" if settings.ADDRESS else request.build_absolute_uri(path)
    title = competition().rules.title
    text = (
        f"Hello {user.get_full_name()},\n\nfollow this link within three days to use this address for {title}:\n\n{link}\n\n"
        "If you did not ask for it, do nothing.\n"
    )
    send_mail(f"{title}: your new address", text, None, [address])
    word = (
        f"Hello {user.get_full_name()},\n\nsomebody who knows your password asks to use another address for your account of {title}. "
        "If that was not you, change your password.\n"
    )
    send_mail(f"{title}: another address was asked for", word, None, [user.email])


def changed(token: str) -> tuple[User, str] | None:
    """Whose address a link changes, and to which; None if it is too old, was changed, or was used."""
    try:
        number, before, after = signing.loads(token, salt=_CHANGE, max_age=_VALID)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    user = User.objects.filter(pk=number, email=before, is_active=True).first()
    return (user, str(after)) if user else None
