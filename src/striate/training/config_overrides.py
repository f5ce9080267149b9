"""Overrides of recipe keys, such as ``data.batch_size=64`` on the command line."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from striate._internal.safe_parsing import parse_toml
from striate.errors import InputError, describe_type, option, quoted, shortened

Overrides = Mapping[str, Any] | Iterable[str]
Path = tuple[str, ...]

_KEY = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_WORD = re.compile(r"[A-Za-z/~.][A-Za-z0-9_/+.:~-]*")  # also a path, or module:Class


def _given() -> str:
    return option("--set", "overrides:")


def parsed(overrides: Overrides | None) -> dict[Path, Any]:
    """Parse overrides. Values are in TOML syntax, but single words need no quotes.

    Raises
    ------
    InputError
        If one is not ``key=value``, or its value is not one of TOML.
    """
    if overrides is None:
        return {}
    if isinstance(overrides, Mapping):
        pairs = list(overrides.items())
    elif not isinstance(overrides, Iterable):
        raise InputError(
            f"overrides is {describe_type(overrides)}; expected settings by key, such as {{'data.batch_size': 64}}."
        )
    else:
        texts = [overrides] if isinstance(overrides, str) else list(overrides)
        pairs = [_pair(text) for text in texts]
    for key, _ in pairs:
        if not _KEY.fullmatch(str(key)):
            raise InputError(f"{_given()} {quoted(key, 100)} is not a key such as data.batch_size.")
    return {tuple(str(key).split(".")): _plain(value) for key, value in pairs}


def _plain(value: Any) -> Any:
    """Convert numbers and arrays of NumPy and PyTorch to Python objects."""
    return value.tolist() if hasattr(value, "tolist") else value


def _pair(text: str) -> tuple[str, Any]:
    key, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not value:
        raise InputError(f"{_given()} {shortened(text, 100)}: expected key=value, such as data.batch_size=64.")
    try:
        read = parse_toml(f"value = {value}")
    except InputError as error:
        if _WORD.fullmatch(value):
            return key, value
        raise InputError(
            f'{_given()} {shortened(text, 100)}: the value is not written as in TOML (64, 0.5, true, "text", [36, 64]).'
        ) from error
    if set(read) != {"value"}:
        raise InputError(f"{_given()} {shortened(text, 100)}: give one setting a time.")
    return key, read["value"]


def apply(tables: Mapping[str, Any], changes: Mapping[Path, Any], source: str) -> dict[str, Any]:
    """Return a copy of the tables of a recipe with changes applied.

    Raises
    ------
    InputError
        If a change goes into something that is not a table.
    """
    result: dict[str, Any] = dict(tables)
    for path, value in changes.items():
        table = result
        for depth, name in enumerate(path[:-1]):
            inner = table.get(name, {})
            if inner is True or inner is False:  # `shifter = false` becomes a table when a key of it is set
                inner = {}
            if not isinstance(inner, Mapping):
                raise InputError(f"{_given()} {'.'.join(path)}: {'.'.join(path[: depth + 1])} of {source} is no table.")
            table[name] = dict(inner)
            table = table[name]
        table[path[-1]] = value
    return result
