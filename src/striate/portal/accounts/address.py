"""Change the e-mail address of an account: the new one is verified before it counts."""

from django.conf import settings
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from striate.competition.name_key import address_key
from striate.portal.access import signed_in
from striate.portal.accounts import mail
from striate.portal.accounts.forms import ChangeAddress
from striate.portal.accounts.guesses import wrong_passwords
from striate.portal.accounts.throttle import LINK, PASSWORD, too_often
from striate.portal.models import User


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def address(request: HttpRequest) -> HttpResponseBase:
    """Ask for another address."""
    assert isinstance(request.user, User)
    user = request.user
    form = ChangeAddress(user, request.POST or None)
    if request.method == "POST":
        attempt, key = wrong_passwords(request, user)
        if attempt is None:
            return too_often(request, PASSWORD, key)
        if "password" not in form.errors:
            attempt.give_back()
        link = f"address {user.pk}"
        if form.is_valid() and settings.MAIL and LINK.take(link) is None:
            return too_often(request, LINK, link)
        if form.is_valid():
            new = form.cleaned_data["email"]
            if settings.MAIL:
                mail.send_change(request, user, new)
                messages.success(
                    request, _("A link was sent to %(address)s: it counts once you follow it.") % {"address": new}
                )
                return redirect("account")
            if _set(user, new, verified=False):
                messages.success(request, _("Your address is changed."))
                return redirect("account")
            form.add_error("email", _("There is an account with this address already: choose another."))
    return render(request, "portal/accounts/address.html", {"form": form, "mail": settings.MAIL})


@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest, token: str) -> HttpResponseBase:
    """Change the address by the link that was sent to the new one."""
    found = mail.changed(token)
    if found is None:
        why = _(
            "This link is too old, was used, or is not whole, or the password was changed since: sign in, and ask for a new one."
        )
        return render(request, "portal/refused.html", {"why": why}, status=400)
    user, new = found
    if request.method != "POST":
        return render(request, "portal/accounts/change_address.html", {"person": user, "new": new})
    if not _set(user, new, verified=True):
        why = _("There is an account with this address already: choose another.")
        return render(request, "portal/refused.html", {"why": why}, status=400)
    messages.success(request, _("Your address is changed."))
    return redirect("account")


def _set(user: User, new: str, *, verified: bool) -> bool:
    try:
        with transaction.atomic():
            return bool(
                User.objects.filter(pk=user.pk, email=user.email).update(
                    email=new, email_key=address_key(new), verified_at=timezone.now() if verified else None
                )
            )
    except IntegrityError:
        return False
