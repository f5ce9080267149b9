"""Pages about one's account."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, logout
from django.contrib.auth.views import LoginView, PasswordResetView
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from striate.portal.access import signed_in
from striate.portal.accounts import mail, own_data
from striate.portal.accounts.forms import Delete, NewToken, SignIn, SignUp
from striate.portal.accounts.throttle import RESET, SIGN_UP, too_many
from striate.portal.models import Attempt, Token, User
from striate.portal.organising.watching import note_token

_BACKEND = "django.contrib.auth.backends.ModelBackend"


@require_http_methods(["GET", "POST"])
def sign_up(request: HttpRequest) -> HttpResponseBase:
    """Make an account."""
    form = SignUp(request.POST or None)
    origin = str(request.META.get("REMOTE_ADDR"))
    if request.method == "POST" and too_many(SIGN_UP, origin):
        form.add_error(None, "Too many accounts were made from your network: wait an hour.")
    elif request.method == "POST" and form.is_valid():
        user = form.save()
        Attempt.note(SIGN_UP.what, origin)
        if settings.MAIL:
            mail.send_verification(request, user)
        login(request, user, backend=_BACKEND)
        return redirect("account")
    return render(request, "portal/accounts/sign_up.html", {"form": form})


class SignInView(LoginView):
    """Sign in."""

    template_name = "portal/accounts/sign_in.html"
    authentication_form = SignIn
    redirect_authenticated_user = True


class ResetView(PasswordResetView):
    """Ask for a link that sets a new password."""

    template_name = "portal/accounts/reset.html"
    email_template_name = "portal/accounts/reset_mail.txt"
    subject_template_name = "portal/accounts/reset_subject.txt"

    def post(self, request: HttpRequest, *args: object, **named: object) -> HttpResponse:
        """Send one, but not too often."""
        key = str(request.META.get("REMOTE_ADDR"))
        if too_many(RESET, key):
            return render(
                request, "portal/refused.html", {"why": "Too many links were asked for: wait an hour."}, status=429
            )
        Attempt.note(RESET.what, key)
        return super().post(request, *args, **named)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponseBase:
    """Sign out."""
    logout(request)
    return redirect("home")


@require_GET
def verify(request: HttpRequest, token: str) -> HttpResponseBase:
    """Verify an address by the link that was sent to it."""
    user = mail.verified(token)
    if user is None:
        why = "This link is too old, or not whole: sign in, and ask for a new one."
        return render(request, "portal/refused.html", {"why": why}, status=400)
    if user.verified_at is None:
        User.objects.filter(pk=user.pk).update(verified_at=timezone.now())
    messages.success(request, "Your address is verified.")
    return redirect("account")


@signed_in
@require_POST
def verify_again(request: HttpRequest) -> HttpResponseBase:
    """Send the link once more."""
    assert isinstance(request.user, User)
    key = f"verify {request.user.pk}"
    if settings.MAIL and request.user.verified_at is None and not too_many(RESET, key):
        Attempt.note(RESET.what, key)
        mail.send_verification(request, request.user)
        messages.success(request, f"A link was sent to {request.user.email}.")
    return redirect("account")


@signed_in
@require_GET
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
        messages.error(request, "Say what the token is for.")
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
    messages.success(request, "The token works no longer.")
    return redirect("account")


@signed_in
@require_GET
def export(request: HttpRequest) -> HttpResponseBase:
    """All that the portal knows about oneself."""
    assert isinstance(request.user, User)
    answer = JsonResponse(own_data.exported(request.user), json_dumps_params={"indent": 1, "ensure_ascii": False})
    answer.headers["Content-Disposition"] = 'attachment; filename="my-data.json"'
    return answer


@signed_in
@require_http_methods(["GET", "POST"])
def delete(request: HttpRequest) -> HttpResponseBase:
    """Delete one's own account."""
    assert isinstance(request.user, User)
    user = request.user
    if user.is_superuser:
        why = "An administrator's account is not deleted here: let another administrator do so."
        return render(request, "portal/refused.html", {"why": why}, status=400)
    form = Delete(user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        logout(request)
        own_data.delete(user)
        messages.success(request, "Your account is deleted.")
        return redirect("home")
    return render(request, "portal/accounts/delete.html", {"form": form})
