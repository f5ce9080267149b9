"""What must be there before the portal can serve: folders, tables, an administrator, the keys that submissions are held against."""

import os
import secrets
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from striate.competition.benchmark_rules import check_metrics
from striate.competition.commitment import Commitment
from striate.competition.rules import read_rules
from striate.errors import InputError
from striate.portal.place import FILE_MODE, Place
from striate.portal.plugins import load_plugins
from striate.portal.secret_key import told_key
from striate.portal.vaults import refuse_readable_vault

ADMINISTRATOR = "admin"
_PREPARING = 2022_07_01  # any number that is always the same
# What SQLite says of a file where waiting does not help.
_LASTING = ("unable to open database", "readonly", "disk I/O error", "is full", "not a database", "malformed")
_PATIENCE = 60.0  # seconds that a database may take to answer


@dataclass(frozen=True)
class Administrator:
    """An account that was made, and its password, which is shown once."""

    username: str
    password: str


@dataclass(frozen=True)
class Prepared:
    """What was made.

    Attributes
    ----------
    administrator
        The account of the administrator, if it was made now.
    before_upgrade
        The backup of what the tables held, if they were those of an older version until now.
    """

    administrator: Administrator | None
    before_upgrade: Path | None


def prepare(place: Place, *, live_truth: Path | None = None) -> Prepared:
    """Make what is missing; what is there stays.

    Parameters
    ----------
    place
        Where the portal's things lie.
    live_truth
        The live truth that the worker will be told; no vault may lie beside it.

    Returns
    -------
    Prepared
        What was made.

    Raises
    ------
    InputError
        If a vault can be read, the live truth cannot be used, the competition was not committed to or is another than before, or
        the database or the storage does not answer.
    """
    near = (live_truth.parent,) if live_truth else ()
    refuse_readable_vault((place.competition, place.competition.parent, place.data, *near))
    Commitment.read(place.competition)
    load_plugins()
    check_metrics(read_rules(place.competition)[0].benchmark)
    place.prepare()
    with FileLock(place.data / ".prepare.lock", mode=FILE_MODE), _alone(place):
        from django.conf import settings

        from striate.portal.running.serve import require_live_truth
        from striate.portal.running.upgrade import upgrade

        if live_truth is not None:
            require_live_truth(live_truth)
        if settings.BUCKET is not None:
            settings.BUCKET.require()
        before = upgrade(place)
        _begin_chain()
        _begin_data()
        _require_results()
        _write_keys(place)
        return Prepared(_administrator(), before)


def is_there(place: Place) -> bool:
    """Whether a portal was made: it has a secret key, of its own or as it is told."""
    return place.secret_key.is_file() or (place.data.is_dir() and told_key() is not None)


def open_portal(place: Place) -> None:
    """Load Django for a portal that is there, and may be running.

    Raises
    ------
    InputError
        If there is none, or its tables are of another version of striate.
    """
    if not is_there(place):
        raise InputError(f"There is no portal in {place.data}: `striate serve {place.competition}` makes one.")
    set_up(place)
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    from striate.portal.running.upgrade import require_known_tables

    require_known_tables()
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise InputError(
            f"The database is that of an older version of striate: start the portal once (`striate serve {place.competition}`)."
        )


@contextmanager
def _alone(place: Place) -> Iterator[None]:
    """Let machines that share a database prepare one after another."""
    set_up(place)
    from django.db import connection

    _wait_for_database()
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_PREPARING])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_PREPARING])


def set_up(place: Place) -> None:
    """Tell Django where everything lies, and load it."""
    os.environ.update(place.environment)
    os.environ["DJANGO_SETTINGS_MODULE"] = "striate.portal.settings"
    import django

    django.setup()


def _wait_for_database() -> None:
    """Where everything is started at once, the database may be the last."""
    from django.db import DatabaseError, InterfaceError, connection

    until = time.monotonic() + _PATIENCE
    while True:
        try:
            connection.ensure_connection()
            return
        except (DatabaseError, InterfaceError) as error:
            if any(each in str(error) for each in _LASTING):
                raise InputError(
                    f"The database {connection.settings_dict['NAME']} cannot be opened ({error}): see that its disk has room, and that the "
                    "portal's user can write the file and its folder."
                ) from None
            if time.monotonic() > until:
                why = str(error).strip().partition("\n")[0]
                raise InputError(f"The database does not answer ({why}): start it, or mend DATABASE_URL.") from None
            time.sleep(1.0)


def new_password(username: str) -> str:
    """Give an account a new random password.

    Raises
    ------
    InputError
        If there is no such account.
    """
    from django.db import transaction

    from striate.competition.name_key import name_key
    from striate.portal.models import User
    from striate.portal.organising import audit

    user = User.objects.filter(name_key=name_key(username), is_active=True).first()
    if user is None:
        raise InputError(f"There is no account {username!r}; the administrator's is {ADMINISTRATOR!r}.")
    password = secrets.token_urlsafe(15)
    with transaction.atomic():
        user.set_password(password)
        user._password = None  # type: ignore[attr-defined] # the entry that follows says it
        user.save(update_fields=["password"])
        audit.note(None, "reset password", about=user)
    return password


def new_account(username: str, email: str, team: str) -> tuple[str, str]:
    """Make an admitted account in a team, with a random password and a token.

    Raises
    ------
    InputError
        If there is such an account, or the team cannot have this name.
    """
    from django.core.exceptions import ValidationError
    from django.db import transaction
    from django.db.models import Q
    from django.utils import timezone

    from striate._internal.text_cleaning import clean_line
    from striate.competition.name_key import address_key, name_key
    from striate.competition.submit import require_team
    from striate.portal.competition import competition
    from striate.portal.models import Membership, Team, Token, User
    from striate.portal.organising import audit

    username, team = unicodedata.normalize("NFKC", username), clean_line(team)
    try:
        User(username=username, email=email, password="-").full_clean(
            exclude=("name_key", "email_key"), validate_unique=False
        )
    except ValidationError as error:
        what, said = next(iter(error.message_dict.items()))
        raise InputError(f"This cannot be the {what} of an account: {' '.join(said)}") from None
    known = Q(name_key=name_key(username)) | Q(email_key=address_key(email))
    if User.objects.filter(known).exists():
        raise InputError(
            f"There is an account {username!r} or one that looks like it, or one with the address {email}: choose others."
        )
    require_team(competition().rules, team, baseline=False)
    password = secrets.token_urlsafe(15)
    with transaction.atomic():
        user = User.objects.create_user(username, email, password, approved_at=timezone.now())
        own = Team.objects.filter(name_key=name_key(team)).first() or Team.objects.create(name=team)
        Membership.objects.create(user=user, team=own)
        token, text = Token.make(user, "made by an organiser")
        audit.note(None, "add account", about=user, after={"team_id": own.pk})
        audit.note(None, "make token", about=token, after={"name": token.name, "user_id": user.pk})
        return password, text


def _administrator() -> Administrator | None:
    from striate.competition.name_key import name_key
    from striate.portal.models import User
    from striate.portal.models.people import ADMINISTRATOR_MARKS, administrators

    if administrators().exists():
        return None
    password = secrets.token_urlsafe(15)
    own = User.objects.filter(name_key=name_key(ADMINISTRATOR)).first()  # it may have lost its marks
    if own is None:
        User.objects.create_superuser(ADMINISTRATOR, f"{ADMINISTRATOR}@portal.invalid", password)
        return Administrator(ADMINISTRATOR, password)
    for mark in ADMINISTRATOR_MARKS:
        setattr(own, mark, True)
    own.set_password(password)
    own.save()
    return Administrator(own.username, password)


def _begin_chain() -> None:
    from striate.portal.competition import competition
    from striate.portal.models import Chain
    from striate.portal.organising.deciding import catch_up
    from striate.portal.receiving.takeover import take_over

    anchor = competition().anchor
    chain, _ = Chain.objects.get_or_create(pk=1, defaults={"anchor": anchor})
    if chain.anchor != anchor:
        raise InputError(
            f"The portal's data are of another commitment than {competition().folder}: name other data (--data), or the folder that "
            "they are of."
        )
    take_over()
    catch_up()


def _begin_data() -> None:
    from striate.portal.hosting.snapshots import begin

    begin()


def _require_results() -> None:
    """Say now what every page would stumble over: results that were published, and were not brought along, or are of another format."""
    from striate.portal.boards.published import published

    try:
        published()
    except (OSError, InputError) as error:
        raise InputError(
            f"The results that were published cannot be read ({error}): bring results/ along from where the portal was."
        ) from None


def _write_keys(place: Place) -> None:
    from striate.portal.competition import competition
    from striate.portal.receiving.keys import write_keys

    write_keys(place.keys, competition())
