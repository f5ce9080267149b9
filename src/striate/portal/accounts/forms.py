"""What people fill in about themselves and their teams."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm, BaseUserCreationForm, UsernameField
from django.utils.translation import gettext_lazy as _

from striate._internal.text_cleaning import clean_line
from striate.competition.name_key import address_key, is_reserved, name_key
from striate.competition.submit import require_team
from striate.errors import InputError
from striate.portal.competition import competition
from striate.portal.models import Team, Token, User
from striate.portal.models.people import NAME_TAKEN


class SignUp(BaseUserCreationForm):
    """A new account.

    Attributes
    ----------
    taken
        Whether somebody has an account with this address. Where the portal sends mail, it tells so to that address alone.
    """

    taken = False

    class Meta:
        model = User
        fields = ("username", "name", "email")
        labels = {"username": _("User name"), "name": _("Your name")}
        help_texts = {
            "username": _("You sign in with it: letters, digits and @ . + - _ only."),
            "name": _("As colleagues write it; your team sees it."),
            "email": _("For links that verify it or set a new password; shown to organisers alone."),
        }

    def clean_username(self) -> str:
        """Refuse names that would be taken for another account's or an organiser's."""
        name: str = self.cleaned_data["username"]
        if is_reserved(name):
            raise forms.ValidationError(_("This name is kept for organisers and for the portal: choose another."))
        if User.objects.filter(name_key=name_key(name)).exists():
            raise forms.ValidationError(NAME_TAKEN)
        return name

    def clean_name(self) -> str:
        """Nothing that cannot be seen."""
        return clean_line(self.cleaned_data["name"])

    def clean_email(self) -> str:
        """One account a person."""
        address: str = self.cleaned_data["email"]
        self.taken = User.objects.filter(email_key=address_key(address)).exists()
        if self.taken and not settings.MAIL:
            raise forms.ValidationError(
                _("There is an account with this address already: sign in, or reset its password.")
            )
        return address

    def _get_validation_exclusions(self) -> set[str]:
        """That an address is taken is not told on the page where it can be told by mail."""
        left_out: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]  # not in the stubs
        return left_out | {"email"} if self.taken else left_out


class SignIn(AuthenticationForm):
    """Name and password."""

    username = UsernameField(label=_("User name"), widget=forms.TextInput(attrs={"autofocus": True}))
    error_messages = {
        "invalid_login": _(
            "User name and password do not belong together. Mind capital letters, or ask for a new password."
        ),
        "inactive": _("This account is closed."),
    }


class Delete(forms.Form):
    """That an account shall be deleted, said with the password."""

    password = forms.CharField(
        label=_("Password"), widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )

    def __init__(self, user: User, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.user = user

    def clean_password(self) -> str:
        """Check the password."""
        password: str = self.cleaned_data["password"]
        if not self.user.check_password(password):
            raise forms.ValidationError(_("This is not your password."))
        return password


class NewTeam(forms.ModelForm):
    """A new team."""

    class Meta:
        model = Team
        fields = ("name",)
        labels = {"name": _("Name of the team")}
        help_texts = {"name": _("1 to 60 letters, digits, spaces and . , ' & + -")}

    def clean_name(self) -> str:
        """Names must fit the receipts, and differ from each other and from the baselines."""
        name = clean_line(self.cleaned_data["name"])
        try:
            require_team(competition().rules, name, baseline=False)
        except InputError as error:
            raise forms.ValidationError(str(error)) from None
        if Team.objects.filter(name_key=name_key(name)).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(
                _(
                    "There is a team of this name, or of one that looks like it: choose another, or ask it for its invitation."
                )
            )
        return name


class RenameTeam(NewTeam):
    """Another name of a team."""

    class Meta:
        model = Team
        fields = ("name",)
        labels = {"name": _("another name")}


class ChangeAddress(Delete):
    """Another e-mail address, said with the password.

    Attributes
    ----------
    taken
        Whether somebody has an account with this address. Where the portal sends mail, it tells so to that address alone.
    """

    taken = False

    email = forms.EmailField(label=_("new e-mail address"), widget=forms.EmailInput(attrs={"autocomplete": "email"}))
    field_order = ("email", "password")

    def clean_email(self) -> str:
        """One account a person."""
        address: str = self.cleaned_data["email"]
        self.taken = User.objects.filter(email_key=address_key(address)).exists()
        if self.taken and not settings.MAIL:
            raise forms.ValidationError(_("There is an account with this address already: choose another."))
        return address


class NewToken(forms.ModelForm):
    """A new token."""

    class Meta:
        model = Token
        fields = ("name",)
        labels = {"name": _("What it is for")}
        help_texts = {"name": _("So that you know it again, such as: my laptop.")}

    def clean_name(self) -> str:
        """Nothing that cannot be seen."""
        return clean_line(self.cleaned_data["name"])
