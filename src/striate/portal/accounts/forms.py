"""What people fill in about themselves and their teams."""

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm, BaseUserCreationForm
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from striate.competition.submit import require_team
from striate.errors import InputError
from striate.portal.accounts.throttle import SIGN_IN, require_few
from striate.portal.competition import competition
from striate.portal.models import Team, Token, User


class SignUp(BaseUserCreationForm):
    """A new account."""

    class Meta:
        model = User
        fields = ("username", "name", "email")

    def clean_username(self) -> str:
        """Names that differ in case alone would be confused."""
        name: str = self.cleaned_data["username"]
        if User.objects.filter(username__iexact=name).exists():
            raise forms.ValidationError("Somebody has this name already: choose another.")
        return name

    def clean_email(self) -> str:
        """One account a person."""
        address: str = self.cleaned_data["email"]
        if User.objects.filter(email__iexact=address).exists():
            raise forms.ValidationError(
                "There is an account with this address already: sign in, or reset its password."
            )
        return address


class SignIn(AuthenticationForm):
    """Name and password; not too often in vain."""

    def clean(self) -> dict[str, Any]:
        """Count what fails, and refuse to try further where that is too much."""
        assert isinstance(self.request, HttpRequest)
        keys = (f"name {self.cleaned_data.get('username', '').lower()}", f"from {self.request.META.get('REMOTE_ADDR')}")
        with require_few(SIGN_IN, keys):
            return super().clean()


class Delete(forms.Form):
    """That an account shall be deleted, said with the password."""

    password = forms.CharField(widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}))

    def __init__(self, user: User, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.user = user

    def clean_password(self) -> str:
        """Check the password."""
        password: str = self.cleaned_data["password"]
        if not self.user.check_password(password):
            raise forms.ValidationError("This is not your password.")
        return password


class NewTeam(forms.ModelForm):
    """A new team."""

    class Meta:
        model = Team
        fields = ("name",)

    def clean_name(self) -> str:
        """Names must fit the receipts, and differ from each other and from the baselines."""
        name = " ".join(self.cleaned_data["name"].split())
        try:
            require_team(competition().rules, name, baseline=False)
        except InputError as error:
            raise forms.ValidationError(str(error)) from None
        if Team.objects.filter(name__iexact=name).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(
                "There is a team of this name already: choose another, or ask it for its invitation."
            )
        return name


class RenameTeam(NewTeam):
    """Another name of a team."""

    class Meta:
        model = Team
        fields = ("name",)
        labels = {"name": _("another name")}


class ChangeAddress(Delete):
    """Another e-mail address, said with the password."""

    email = forms.EmailField(label=_("new e-mail address"), widget=forms.EmailInput(attrs={"autocomplete": "email"}))
    field_order = ("email", "password")

    def clean_email(self) -> str:
        """One account a person."""
        address: str = self.cleaned_data["email"]
        if User.objects.filter(email__iexact=address).exists():
            raise forms.ValidationError(_("There is an account with this address already: choose another."))
        return address


class NewToken(forms.ModelForm):
    """A new token."""

    class Meta:
        model = Token
        fields = ("name",)
        labels = {"name": "what it is for"}
