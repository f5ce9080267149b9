"""What must be there before the portal can serve: folders, tables, an administrator, the keys that submissions are held against."""

import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from striate.competition.commitment import Commitment
from striate.errors import InputError
from striate.portal.place import Place
from striate.portal.vaults import refuse_readable_vault

ADMINISTRATOR = "admin"


@dataclass(frozen=True)
class Administrator:
    """An account that was made, and its password, which is shown once."""

    username: str
    password: str


def prepare(place: Place, *, near: Iterable[Path] = ()) -> Administrator | None:
    """Make what is missing; what is there stays.

    Parameters
    ----------
    place
        Where the portal's things lie.
    near
        More folders in which no vault may lie.

    Returns
    -------
    Administrator or None
        The account of the administrator, if it was made now.

    Raises
    ------
    InputError
        If a vault can be read, or the competition was not committed to, or is another than before.
    """
    refuse_readable_vault((place.competition, place.competition.parent, place.data, *near))
    Commitment.read(place.competition)
    place.prepare()
    with FileLock(place.data / ".prepare.lock"):
        set_up(place)
        from django.core.management import call_command

        call_command("migrate", interactive=False, verbosity=0)
        _begin_chain()
        _begin_data()
        _write_keys(place)
        return _administrator()


def set_up(place: Place) -> None:
    """Tell Django where everything lies, and load it."""
    os.environ.update(place.environment)
    os.environ["DJANGO_SETTINGS_MODULE"] = "striate.portal.settings"
    import django

    django.setup()


def new_password(username: str) -> str:
    """Give an account a new random password.

    Raises
    ------
    InputError
        If there is no such account.
    """
    from striate.portal.models import User

    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise InputError(f"There is no account {username!r}; the administrator's is {ADMINISTRATOR!r}.")
    password = secrets.token_urlsafe(15)
    user.set_password(password)
    user.save(update_fields=["password"])
    return password


def new_account(username: str, email: str, team: str) -> tuple[str, str]:
    """Make an admitted account in a team, with a random password and a token.

    Raises
    ------
    InputError
        If there is such an account, or the team cannot have this name.
    """
    from django.db import transaction
    from django.utils import timezone

    from striate.competition.submit import require_team
    from striate.portal.competition import competition
    from striate.portal.models import Membership, Team, Token, User

    if User.objects.filter(username__iexact=username).exists() or User.objects.filter(email__iexact=email).exists():
        raise InputError(f"There is an account {username!r}, or one with the address {email}: choose others.")
    require_team(competition().rules, team, baseline=False)
    password = secrets.token_urlsafe(15)
    with transaction.atomic():
        user = User.objects.create_user(username, email, password, approved_at=timezone.now())
        own = Team.objects.filter(name__iexact=team).first() or Team.objects.create(name=team)
        Membership.objects.create(user=user, team=own)
        return password, Token.make(user, "made by an organiser")[1]


def _administrator() -> Administrator | None:
    from striate.portal.models import User

    if User.objects.filter(is_superuser=True).exists():
        return None
    password = secrets.token_urlsafe(15)
    User.objects.create_superuser(ADMINISTRATOR, f"{ADMINISTRATOR}@portal.invalid", password)
    return Administrator(ADMINISTRATOR, password)


def _begin_chain() -> None:
    from striate.portal.competition import competition
    from striate.portal.models import Chain

    anchor = competition().anchor
    chain, _ = Chain.objects.get_or_create(pk=1, defaults={"anchor": anchor})
    if chain.anchor != anchor:
        raise InputError(
            f"The portal's data are of another commitment than {competition().folder}: name other data (--data), or the folder that "
            "they are of."
        )


def _begin_data() -> None:
    from striate.portal.hosting.snapshots import begin

    begin()


def _write_keys(place: Place) -> None:
    from striate.portal.competition import competition
    from striate.portal.receiving.keys import write_keys

    write_keys(place.keys, competition())
