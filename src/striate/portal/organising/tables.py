"""The tables as lines of JSON, the same for every database: so that what SQLite held can go to PostgreSQL, and to later versions.

What passes by itself is left out: sessions, uploads on their way and what they brought that no version has, attempts to sign in, workers that were seen.
"""

import base64
import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from itertools import islice
from typing import Any, BinaryIO

from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, connections, models, transaction
from django.db.migrations.loader import MigrationLoader

from striate._internal.safe_parsing import MAX_BYTES, parse_json_object
from striate.errors import InputError, quoted, shortened
from striate.portal.models.people import key_of

_APP = "portal"
PASSING = ("upload", "part", "arrival", "attempt", "worker")
_AT_ONCE = 200  # rows
_NAMES = {"user": ("username", "email"), "team": ("name",)}  # fields whose keys are unique


@contextmanager
def snapshot() -> Iterator[str]:
    """The database as it is now, for as long as the context lasts, while others go on writing; its name for Django."""
    name, told = "snapshot", copy.deepcopy(connections.databases["default"])
    if connections["default"].vendor == "postgresql":
        from psycopg import IsolationLevel

        told["OPTIONS"] = {**told.get("OPTIONS", {}), "isolation_level": IsolationLevel.REPEATABLE_READ}
    else:
        told["OPTIONS"] = {**told.get("OPTIONS", {}), "transaction_mode": "DEFERRED"}  # it takes no lock of writers
    connections.databases[name] = told
    try:
        with transaction.atomic(using=name):
            applied_migrations(name)  # the snapshot begins with the first thing that is read
            yield name
    finally:
        connections[name].close()
        del connections[name]
        del connections.databases[name]


def applied_migrations(using: str = "default") -> list[str]:
    """Names of the migrations that the tables have seen, in their order."""
    loader = MigrationLoader(connections[using])
    return sorted(name for app, name in loader.applied_migrations if app == _APP)


def tables(migrations: list[str], using: str = "default") -> list[type[models.Model]]:
    """The tables after some migrations; those that refer to Django's own are left out, whose numbers differ from place to place."""
    loader = MigrationLoader(connections[using])
    nodes = [(_APP, name) for name in migrations if (_APP, name) in loader.graph.nodes]
    made = loader.project_state(nodes).apps.get_app_config(_APP).get_models(include_auto_created=True)
    return [model for model in made if model._meta.model_name not in PASSING and _is_own(model)]


def _is_own(model: type[models.Model]) -> bool:
    related: list[Any] = [field.related_model for field in model._meta.concrete_fields if field.is_relation]
    return all(each._meta.app_label == _APP for each in related)


def lines(model: type[models.Model], using: str) -> Iterator[bytes]:
    """Rows of a table, one JSON object a line."""
    for row in rows(model, using):
        yield json.dumps(row, ensure_ascii=False).encode() + b"\n"


def rows(model: type[models.Model], using: str) -> Iterator[dict[str, Any]]:
    """Rows of a table as JSON has them: times in ISO 8601, bytes in base 64."""
    names = [field.attname for field in model._meta.concrete_fields]
    for row in model._base_manager.using(using).order_by("pk").values_list(*names).iterator(chunk_size=_AT_ONCE):
        yield dict(zip(names, map(_json, row), strict=True))


def fill(model: type[models.Model], file: BinaryIO) -> int:
    """Write rows into an empty table; return how many.

    Raises
    ------
    InputError
        If a row is damaged, or does not fit the others.
    """
    count = 0
    found = parsed_rows(model, file)
    while some := list(islice(found, _AT_ONCE)):
        try:
            model._base_manager.bulk_create(some)
        except (DataError, IntegrityError, OverflowError, TypeError, ValueError) as error:
            where = f"{model._meta.model_name}, rows {count + 1} to {count + len(some)}"
            raise InputError(f"The backup is damaged: {where} cannot be stored ({shortened(error)}).") from None
        count += len(some)
    return count


def parsed_rows(model: type[models.Model], file: BinaryIO) -> Iterator[models.Model]:
    """Read rows as `lines` has written them, without trusting them.

    Raises
    ------
    InputError
        If a row is damaged, or its name would be taken for that of another.
    """
    fields = {field.attname: field for field in model._meta.concrete_fields}
    table = str(model._meta.model_name)
    taken: dict[tuple[str, str], str] = {}
    number = 0
    while line := file.readline(MAX_BYTES):
        number += 1
        source = f"Row {number} of the table {table} in the backup"
        row = parse_json_object(line, source)
        _require_apart(table, row, taken)
        try:
            yield model(**{name: fields[name].to_python(value) for name, value in row.items()})
        except (ValidationError, LookupError, TypeError, ValueError, ArithmeticError) as error:
            raise InputError(f"{source} is damaged ({type(error).__name__}: {shortened(error)}).") from None


def _require_apart(table: str, row: dict[str, Any], taken: dict[tuple[str, str], str]) -> None:
    """Refuse names that would be taken for each other: another database, or a later version, may not store both."""
    for field in _NAMES.get(table, ()):
        name = str(row.get(field, ""))
        key = (field, key_of(field, name))
        if key in taken:
            raise InputError(
                f"The backup has two {table}s that would be taken for each other, {quoted(taken[key])} and {quoted(name)}: rename one of them "
                "where the backup was made, then make another backup."
            )
        taken[key] = name


def count_on(made: list[type[models.Model]]) -> None:
    """Let the database number new rows after those that were written with their numbers."""
    from django.core.management.color import no_style

    connection = connections["default"]
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), made):
            cursor.execute(statement)


def _json(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(bytes(value)).decode()
    if isinstance(value, date):  # datetimes, too
        return value.isoformat()
    return value if value is None or isinstance(value, bool | int | float | str | list | dict) else str(value)
