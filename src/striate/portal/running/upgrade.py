"""Bring the tables to this version: by itself, after a backup of what they hold, all at once or not at all; never back."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from striate.errors import InputError
from striate.portal.place import FILE_MODE, FOLDER_MODE, Place

_KEPT = 5  # backups


def upgrade(place: Place) -> Path | None:
    """Migrate the database, if it is of an older version.

    Returns
    -------
    Path or None
        The backup of what the tables held before, if they were those of an older version.

    Raises
    ------
    InputError
        If it is of a newer one, is not what its version made, or holds what this version does not take.
    """
    from django.core.management import call_command
    from django.db import DatabaseError, connection
    from django.db.migrations.executor import MigrationExecutor

    require_known_tables()
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    before = sorted(name for app, name in executor.loader.applied_migrations if app == "portal")
    made: Path | None = None
    try:
        if plan and before:
            made = _back_up(place)
        with _whole():
            call_command("migrate", interactive=False, verbosity=0)
    except (DatabaseError, InputError) as error:
        why = str(error).strip().partition("\n")[0].rstrip(".")
        if made is not None and _tables() == before:
            made.unlink()  # a service that starts again and again would write one each time
            made = None
        left = f"what it held before is in {made}" if made else "nothing was changed"
        raise InputError(f"The database cannot be brought to this version of striate ({why}); {left}.") from error
    if made is not None:
        _note(before[-1])
        for old in sorted(made.parent.glob("*.tar"))[:-_KEPT]:
            old.unlink()
    return made


@contextmanager
def _whole() -> Iterator[None]:
    """Undo all migrations if one of them fails: an earlier version of striate would refuse what half of them leave."""
    from django.db import connection, transaction

    # SQLite changes tables only while foreign keys are not checked, and cannot switch that within a transaction.
    connection.disable_constraint_checking()
    try:
        with transaction.atomic():
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:  # it changes no table for which checks wait
                    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            yield
            connection.check_constraints()
    finally:
        connection.enable_constraint_checking()


def require_known_tables() -> None:
    """Refuse tables of a newer version.

    Raises
    ------
    InputError
        If they are.
    """
    from django.db import connection
    from django.db.migrations.loader import MigrationLoader

    loader = MigrationLoader(connection)
    newer = sorted(
        name for app, name in loader.applied_migrations if app == "portal" and (app, name) not in loader.disk_migrations
    )
    if newer:
        raise InputError(
            f"The database was used by a newer version of striate (it has {newer[-1]}): install that version, or restore the backup "
            "that was made before the upgrade."
        )


def _tables() -> list[str] | None:
    """Migrations that the tables have seen; None where the database does not answer."""
    from django.db import DatabaseError

    from striate.portal.organising.tables import applied_migrations

    try:
        return applied_migrations()
    except DatabaseError:
        return None


def _note(before: str) -> None:
    from striate.portal.organising import audit
    from striate.portal.organising.tables import applied_migrations

    audit.note(None, "upgrade tables", before={"tables": before}, after={"tables": applied_migrations()[-1]})


def _back_up(place: Place) -> Path:
    from striate.portal.organising.backup import backup

    folder = place.data / "before-upgrades"
    folder.mkdir(mode=FOLDER_MODE, exist_ok=True)  # the next upgrade may be the other user's
    made = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S}.tar"
    backup(made, files=False)
    made.chmod(FILE_MODE)
    return made
