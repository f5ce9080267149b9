"""Pages about one's account."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, logout
from django.contrib.auth.hashers import make_password
from django.contrib.auth.views import LoginView, PasswordChangeView, PasswordResetConfirmView, PasswordResetView
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from striate.competition.name_key import address_key
from striate.portal.access import signed_in
from striate.portal.accounts import mail, own_data
from striate.portal.accounts.forms import Delete, NewToken, SignIn, SignUp
from striate.portal.accounts.guesses import Guess, remember, wrong_passwords
from striate.portal.accounts.throttle import (
    LINK,
    LINK_ACCOUNT,
    LINK_ADDRESS,
    PASSWORD,
    SIGN_UP,
    address_of,
    too_often,
)
from striate.portal.competition import competition
from striate.portal.models import Token, User
from striate.portal.models.people import NAME_TAKEN
from striate.portal.organising.watching import note_token

_BACKEND = "django.contrib.auth.backends.ModelBackend"


@require_http_methods(["GET", "HEAD", "POST"])
def sign_up(request: HttpRequest) -> HttpResponseBase:
    """Make an account; where mail is sent, one signs in once the address is verified, and is told by mail if it has an account."""
    form = SignUp(request.POST or None)
    if request.method != "POST":
        return render(request, "portal/accounts/sign_up.html", {"form": form})
    attempts = SIGN_UP.take(address_of(request))
    if attempts is None:
        return too_often(request, SIGN_UP, address_of(request))
    user = _made(form) if form.is_valid() else None
    if user is None:
        attempts.give_back()  # the address told nothing that the page did not
        return render(request, "portal/accounts/sign_up.html", {"form": form})
    if not settings.MAIL:
        login(request, user, backend=_BACKEND)
        answer = redirect("account")
        remember(request, answer, user)
        return answer
    kind, send = ("known", mail.send_known) if form.taken else ("verify", mail.send_verification)
    if LINK_ACCOUNT.take(f"{kind} {user.email_key}") is not None:
        send(request, user)
    return render(request, "portal/accounts/look.html", {"address": form.cleaned_data["email"]})


def _made(form: SignUp) -> User | None:
    """The account that was made, or that which has the address; in the same time, so that the clock does not tell which."""
    if form.taken:
        make_password(form.cleaned_data["password1"])
        return User.objects.filter(email_key=address_key(form.cleaned_data["email"])).first()
    try:
        with transaction.atomic():
            made: User = form.save()
    except IntegrityError:  # somebody took the name or the address in this instant
        form.add_error("username", NAME_TAKEN)
        return None
    return made


class SignInView(LoginView):
    """Sign in. Wrong passwords are counted, see `striate.portal.accounts.guesses`."""

    template_name = "portal/accounts/sign_in.html"
    authentication_form = SignIn
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: object, **named: object) -> HttpResponse:
        """Count failures, and refuse to try further where there were too many."""
        guess = Guess(request, request.POST.get("username", ""))
        if guess.refused is not None:
            return guess.refused
        answer: HttpResponse = super().post(request, *args, **named)
        if answer.status_code == 302:
            guess.forget()
            assert isinstance(request.user, User)
            remember(request, answer, request.user)
        return answer


class PasswordView(PasswordChangeView):
    """Change one's own password; who has found a session may not guess it without end."""

    template_name = "portal/accounts/password.html"
    success_url = "/accounts/"

    def post(self, request: HttpRequest, *args: object, **named: object) -> HttpResponse:
        """Count wrong passwords."""
        assert isinstance(request.user, User)
        attempt, key = wrong_passwords(request, request.user)
        if attempt is None:
            return too_often(request, PASSWORD, key)
        form = self.get_form()
        valid = form.is_valid()
        if "old_password" not in form.errors:
            attempt.give_back()
        answer: HttpResponse = self.form_valid(form) if valid else self.form_invalid(form)
        if valid:
            messages.success(request, _("Your password is changed, and other browsers are signed out."))
            if request.user.tokens.filter(revoked_at=None).exists():
                messages.info(request, _("Tokens go on working: revoke those that you do not know."))
        return answer


class ResetView(PasswordResetView):
    """Ask for a link that sets a new password."""

    template_name = "portal/accounts/reset.html"
    email_template_name = "portal/accounts/reset_mail.txt"
    subject_template_name = "portal/accounts/reset_subject.txt"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.extra_email_context = {"site_name": competition().rules.title}  # else the Host header of the request
        if settings.ADDRESS:
            protocol, domain = settings.ADDRESS.split("://")
            self.extra_email_context |= {"protocol": protocol, "domain": domain}

    def post(self, request: HttpRequest, *args: object, **named: object) -> HttpResponse:
        """Send one, but not too often."""
        address = address_of(request)
        pair = f"{address_key(request.POST.get('email', ''))} {address}"
        for throttle, key in ((LINK_ADDRESS, address), (LINK, pair)):
            if throttle.take(key) is None:
                return too_often(request, throttle, key)
        answer: HttpResponse = super().post(request, *args, **named)
        return answer

    def form_valid(self, form: Any) -> HttpResponse:
        """Send the link, up to a limit of mails; links that were sent before remain valid for a day."""
        if LINK_ACCOUNT.take(f"reset {address_key(form.cleaned_data['email'])}") is None:
            return redirect("password_reset_done")
        answer: HttpResponse = super().form_valid(form)
        return answer


class ResetConfirmView(PasswordResetConfirmView):
    """Set a new password by the link that was sent to the address of the account."""

    template_name = "portal/accounts/reset_confirm.html"
    success_url = "/accounts/sign-in/"

    def form_valid(self, form: Any) -> HttpResponse:
        """Revoke all tokens, because somebody else may have created them before the address was verified."""
        with transaction.atomic():
            answer: HttpResponse = super().form_valid(form)
            tokens = list(Token.objects.filter(user=self.user, revoked_at=None))
            for token in tokens:
                Token.objects.filter(pk=token.pk).update(revoked_at=timezone.now())
                note_token(self.request, "revoke token", token)
        messages.success(self.request, _("The new password is set: sign in."))
        if tokens:
            messages.info(self.request, _("All tokens of the account were revoked: make new ones for your programs."))
        return answer


@require_POST
def sign_out(request: HttpRequest) -> HttpResponseBase:
    """Sign out."""
    logout(request)
    return redirect("home")


@require_http_methods(["GET", "HEAD", "POST"])
def verify(request: HttpRequest, token: str) -> HttpResponseBase:
    """Verify an address by the link that was sent to it, once its owner confirms it; programs that scan mail follow links, too."""
    user = mail.verified(token)
    if user is None:
        why = _("This link is too old, or not whole: sign in, and ask for a new one.")
        return render(request, "portal/refused.html", {"why": why}, status=400)
    if user.verified_at is None and request.method != "POST":
        return render(request, "portal/accounts/verify.html", {"person": user})
    if user.verified_at is None:
        User.objects.filter(pk=user.pk).update(verified_at=timezone.now())
    thanks = (
        _("Your address is verified.") if request.user.is_authenticated else _("Your address is verified: sign in.")
    )
    messages.success(request, thanks)
    return redirect("account")


@signed_in
@require_POST
def verify_again(request: HttpRequest) -> HttpResponseBase:
    """Send the link once more."""
    assert isinstance(request.user, User)
    if settings.MAIL and request.user.verified_at is None:
        key = f"again {request.user.pk}"
        if LINK.take(key) is None:
            return too_often(request, LINK, key)
        mail.send_verification(request, request.user)
        messages.success(request, _("A link was sent to %(address)s.") % {"address": request.user.email})
    return redirect("account")


@signed_in
@require_safe
def account(request: HttpRequest) -> HttpResponseBase:
    """One's own account."""
    assert isinstance(request.user, User)
    return render(
        request,
        "portal/accounts/account.html",
        {"tokens": request.user.tokens.filter(revoked_at=None), "form": NewToken(), "mail": settings.MAIL},
    )


@signed_in
@require_POST
def make_token(request: HttpRequest) -> HttpResponseBase:
    """Make a token, and show it: once."""
    assert isinstance(request.user, User)
    form = NewToken(request.POST)
    if not form.is_valid():
        messages.error(request, _("Say what the token is for."))
        return redirect("account")
    with transaction.atomic():
        token, text = Token.make(request.user, form.cleaned_data["name"])
        note_token(request, "make token", token)
    answer = render(request, "portal/accounts/token.html", {"token": token, "text": text})
    answer.headers["Cache-Control"] = "no-store"
    return answer


@signed_in
@require_POST
def revoke_token(request: HttpRequest, number: int) -> HttpResponseBase:
    """Revoke a token of one's own."""
    assert isinstance(request.user, User)
    token = Token.objects.filter(pk=number, user=request.user, revoked_at=None).first()
    if token is not None:
        with transaction.atomic():
            Token.objects.filter(pk=token.pk).update(revoked_at=timezone.now())
            note_token(request, "revoke token", token)
    messages.success(request, _("The token works no longer."))
    return redirect("account")


@signed_in
@require_safe
def export(request: HttpRequest) -> HttpResponseBase:
    """All that the portal knows about oneself."""
    assert isinstance(request.user, User)
    answer = JsonResponse(own_data.exported(request.user), json_dumps_params={"indent": 1, "ensure_ascii": False})
    answer.headers["Content-Disposition"] = 'attachment; filename="my-data.json"'
    return answer


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest) -> HttpResponseBase:
    """Delete one's own account."""
    assert isinstance(request.user, User)
    user = request.user
    if user.is_superuser:
        why = _("An administrator's account is not deleted here: let another administrator do so.")
        return render(request, "portal/refused.html", {"why": why}, status=400)
    form = Delete(user, request.POST or None)
    if request.method == "POST":
        attempt, key = wrong_passwords(request, user)
        if attempt is None:
            return too_often(request, PASSWORD, key)
        if form.is_valid():
            attempt.give_back()
            logout(request)
            own_data.delete(user)
            messages.success(request, _("Your account is deleted."))
            return redirect("home")
    return render(request, "portal/accounts/delete.html", {"form": form})
