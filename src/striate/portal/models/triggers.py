"""Triggers that keep rows as they were written on the database itself, whoever asks: also who comes past Django.

They are set after every migration, and lifted while one runs: SQLite copies a table to change it.
"""

from typing import Any

from django.apps import apps
from django.db import connections

from striate.portal.models.unchanging import Unchanging

_REFUSE = (
    "CREATE OR REPLACE FUNCTION striate_written_once() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'rows of % are written once', TG_TABLE_NAME; END $$"
)
_THERE = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal",
}
_EVENTS = {"sqlite": ("UPDATE", "DELETE"), "postgresql": ("UPDATE", "DELETE", "TRUNCATE")}


def protect(using: str = "default") -> None:
    """Set the triggers that are missing."""
    connection = connections[using]
    there, wanted = _there(connection), _wanted(connection)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql" and not set(wanted) <= there:
            cursor.execute(_REFUSE)
        for name, (table, event) in wanted.items():
            if name in there:
                continue
            if connection.vendor == "postgresql":
                each = "STATEMENT" if event == "TRUNCATE" else "ROW"
                does = f"FOR EACH {each} EXECUTE FUNCTION striate_written_once()"
            else:
                does = f"BEGIN SELECT RAISE(ABORT, 'rows of {table} are written once'); END"
            cursor.execute(f"CREATE TRIGGER {name} BEFORE {event} ON {table} {does}")


def lift(using: str = "default") -> None:
    """Remove the triggers."""
    connection = connections[using]
    there = _there(connection)
    with connection.cursor() as cursor:
        for name, (table, _) in _wanted(connection).items():
            if name in there:
                cursor.execute(f"DROP TRIGGER {name}" + (f" ON {table}" if connection.vendor == "postgresql" else ""))


def before_migrating(plan: Any, using: str, **_: Any) -> None:
    """Lift the triggers, if something will be migrated."""
    if plan:
        lift(using)


def after_migrating(using: str, **_: Any) -> None:
    """Set the triggers."""
    protect(using)


def _there(connection: Any) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(_THERE[connection.vendor])
        return {name for (name,) in cursor.fetchall()}


def _wanted(connection: Any) -> dict[str, tuple[str, str]]:
    """By name: table and event; of the tables that are there."""
    tables = set(connection.introspection.table_names())
    rows = [
        model._meta.db_table for model in apps.get_app_config("portal").get_models() if issubclass(model, Unchanging)
    ]
    kept = [table for table in rows if table in tables]
    return {f"{table}_no_{event.lower()}": (table, event) for table in kept for event in _EVENTS[connection.vendor]}
