"""Validate settings with pydantic, and turn validation errors into one-sentence messages."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from striate.errors import InputError, nearest, option, quoted, shortened

Model = TypeVar("Model", bound=BaseModel)
Marker = TypeVar("Marker")
_MAX_VALUE_CHARACTERS = 60  # of an invalid value in a message


class SettingsChoice(ABC):
    """Marker of a field whose model depends on the value: a table that chooses a component by ``type``."""

    @abstractmethod
    def settings_class(self, value: object) -> type[BaseModel] | None:
        """Return the model that a table chooses; None if it chooses none that exists."""


def field_markers(kind: type[Marker], annotation: Any, metadata: Iterable[Any] = ()) -> Iterator[Marker]:
    """Yield the objects of a class among the metadata of a field and of the parts of its annotation."""
    yield from (each for each in metadata if isinstance(each, kind))
    yield from (each for each in getattr(annotation, "__metadata__", ()) if isinstance(each, kind))
    for argument in get_args(annotation):
        yield from field_markers(kind, argument)


def validate_settings(
    model: type[Model],
    tables: Mapping[str, Any],
    source: str,
    overridden: frozenset[tuple[str, ...]] = frozenset(),
    *,
    kind: str = "recipe",
    renamed_hint: Callable[[str, str], str | None] | None = None,
) -> Model:
    """Validate parsed TOML tables against a pydantic model, without converting types.

    Parameters
    ----------
    model
        Model to validate against.
    tables
        Parsed TOML.
    source
        Origin of the tables, such as a path; the subject of error messages.
    overridden
        Paths of keys that were set on the command line instead.
    kind
        Noun for the whole document in error messages, such as ``"recipe"``.
    renamed_hint
        Function of an unknown key and its table that returns a clause naming the new key, or None if the key was not
        renamed.

    Raises
    ------
    InputError
        If a key is unknown or a value is not allowed. The message names the first such key.
    """
    try:
        # as JSON because pydantic, when strict, takes lists for tuples only there
        return model.model_validate_json(json.dumps(tables, default=str), strict=True)
    except ValidationError as error:
        first = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
        names = _names(model, first["loc"], tables)
        where = (
            option("--set", "overrides")
            if any(names[: len(path)] == path or path[: len(names)] == names for path in overridden)
            else source
        )
        if first["type"] == "extra_forbidden":
            *tables_above, key = names
            table = f"table [{'.'.join(tables_above)}]" if tables_above else kind
            valid = _fields(model, tuple(tables_above), tables)
            elsewhere = next(_places(model, key, tables), None)
            hint = renamed_hint(key, ".".join(tables_above)) if renamed_hint else None
            if hint is None:
                hint = nearest(key, valid) if elsewhere is None else f"did you mean {elsewhere!r}?"
            stop = "" if hint.endswith("?") else "."
            raise InputError(f"{where}: the {table} has no key {quoted(key, 42)}: {hint}{stop}") from error
        if first["type"] == "missing":
            raise InputError(f"{source}: {'.'.join(names)} is missing: give it a value.") from error
        message = first["msg"].removeprefix("Value error, ").removeprefix("Input ").rstrip(".")
        message = " ".join(shortened(word, 80) for word in message.split(" "))  # a word may be the value that was got
        got = (
            f"{'.'.join(names)} = {_format_value(first['input'])}: "
            if names and not isinstance(first["input"], dict)
            else ""
        )
        table = f"[{'.'.join(names)}]: " if names and not got else ""
        raise InputError(f"{where}: {got}{table}{message}.") from error


def _format_value(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return text if len(text) <= _MAX_VALUE_CHARACTERS else f"{text[:_MAX_VALUE_CHARACTERS]}…"


def _names(model: type[BaseModel], location: tuple[int | str, ...], tables: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the keys of an error location, without the union members and list positions that pydantic adds."""
    names: list[str] = []
    for part in location:
        fields = _fields(model, tuple(names), tables)
        if not fields:
            break
        if not isinstance(part, str):
            continue
        names.append(part)
        if part not in fields:
            break
    return tuple(names)


def _fields(model: type[BaseModel], path: tuple[str, ...], tables: Any) -> tuple[str, ...]:
    """Return the keys of the table at `path`; empty if `path` is a single value."""
    table = table_model(model, path, tables)
    return () if table is None else tuple(table.model_fields)


def table_model(model: type[BaseModel], path: tuple[str, ...], tables: Any) -> type[BaseModel] | None:
    """Return the model of the table at `path`, where tables may choose a component by ``type``; None if there is none."""
    for name in path:
        field = model.model_fields.get(name)
        tables = tables.get(name) if isinstance(tables, Mapping) else None
        inner = _model_of(field, tables) if field else None
        if inner is None:
            return None
        model = inner
    return model


def _places(model: type[BaseModel], key: str, tables: Any, above: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the full names of all keys called `key`, such as ``data.batch_size``."""
    for name in _fields(model, above, tables):
        if name == key:
            yield ".".join((*above, name))
        yield from _places(model, key, tables, (*above, name))


def _model_of(field: FieldInfo, table: Any) -> type[BaseModel] | None:
    """Return the model of a field: that of the component that its table chooses, or the model of its annotation."""
    choice = next(field_markers(SettingsChoice, field.annotation, field.metadata), None)  # type: ignore[type-abstract]
    if choice is None:
        return _model_in(field.annotation)
    return choice.settings_class(table[0] if isinstance(table, list) and table else table)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in get_args(annotation):
        if (found := _model_in(part)) is not None:
            return found
    return None
