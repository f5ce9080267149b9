"""Read TOML and JSON whose author is unknown: size, depth, numbers and text are checked before a value is used."""

import json
import os
import sys
import tomllib
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from striate._internal.paths import expand_path
from striate.errors import InputError, shortened

Model = TypeVar("Model", bound=BaseModel)
Value = TypeVar("Value")

MAX_BYTES = 64 * 2**20  # bytes of a document
MAX_DEPTH = 64  # tables and lists within each other
_BYTE_ORDER_MARK = "\ufeff"  # which some editors of Windows put before a text
_PIECE = 2**20  # bytes that are read at a time
_LONGEST_REASON = 120  # characters
_TOO_DEEP = f"it is nested more than {MAX_DEPTH} levels deep"


class MalformedError(InputError):
    """A document that cannot be parsed.

    Attributes
    ----------
    reason
        Why, as a clause.
    """

    def __init__(self, source: object, kind: str, reason: str) -> None:
        super().__init__(f"{source} is not valid {kind}: {reason}.")
        self.reason = reason


def read_limited(path: str | os.PathLike[str], largest: int = MAX_BYTES) -> bytes:
    """Read a file that must not be larger than `largest` bytes.

    Raises
    ------
    InputError
        If it is larger.
    OSError
        If it cannot be read.
    """
    content = bytearray()
    with expand_path(path).open("rb") as file:  # piece by piece: memory for all that may come would be taken at once
        while piece := file.read(_PIECE):
            content += piece
            if len(content) > largest:
                raise InputError(f"{path} is larger than any such file may be ({largest:,} bytes).")
    return bytes(content)


def parse_toml(content: bytes | str, source: object = "The text") -> dict[str, Any]:
    """Parse a TOML document.

    Parameters
    ----------
    content
        The document; bytes must be UTF-8.
    source
        Where it is from: the subject of the sentence in an error.

    Raises
    ------
    MalformedError
        If it is not TOML, is nested too deeply, or holds a number of too many digits.
    """
    try:
        tables = tomllib.loads(_text(content, source, "TOML"))
    except (ValueError, RecursionError) as error:
        raise _malformed(source, "TOML", error) from None
    _check(tables, source, "TOML")
    return tables


def parse_json(content: bytes | str, source: object = "The text") -> Any:
    """Parse a JSON document.

    Parameters
    ----------
    content
        The document; bytes must be UTF-8.
    source
        Where it is from: the subject of the sentence in an error.

    Raises
    ------
    MalformedError
        If it is not JSON, is nested too deeply, or holds a number of too many digits or text that is not Unicode.
    """
    try:
        value = json.loads(_text(content, source, "JSON"))
    except (ValueError, RecursionError) as error:
        raise _malformed(source, "JSON", error) from None
    _check(value, source, "JSON")
    return value


def parse_json_object(
    content: bytes | str, source: object = "The text", *, needs: type[BaseModel] | None = None
) -> dict[str, Any]:
    """Parse a JSON document that must be an object; as `parse_json`.

    Parameters
    ----------
    content, source
        As in `parse_json`.
    needs
        Values that the object must have, among others.
    """
    value = parse_json(content, source)
    if not isinstance(value, dict):
        raise MalformedError(source, "JSON", f"expected an object, got {type(value).__name__}")
    if needs is not None:
        try:
            needs.model_validate(value)
        except ValidationError as error:
            raise MalformedError(source, "JSON", describe_first_error(error)) from error
    return value


def parse_as(
    kind: type[Model] | TypeAdapter[Value], content: bytes | str, source: object = "The text"
) -> Model | Value:
    """Parse a JSON document and check it against a pydantic model or type.

    Parameters
    ----------
    kind
        What the document should be.
    content, source
        As in `parse_json`.

    Raises
    ------
    MalformedError
        As in `parse_json`, or if a value is missing, unknown or not allowed; its `reason` names the first one.
    """
    text = _text(content, source, "JSON")
    parse_json(
        text, source
    )  # for its limits; pydantic parses again: when strict, it takes lists for tuples only in JSON
    try:
        return kind.validate_json(text) if isinstance(kind, TypeAdapter) else kind.model_validate_json(text)
    except ValidationError as error:
        raise MalformedError(source, "JSON", describe_first_error(error)) from error


def parse_model(model: type[Model], content: bytes | str, source: object, mend: str) -> Model:
    """Parse a JSON document and check it against a model.

    Parameters
    ----------
    model
        What the document should be.
    content
        The document.
    source
        Where it is from: the subject of the sentence in an error.
    mend
        What to do about an error: the end of the sentence.

    Raises
    ------
    InputError
        If it is not JSON, or a value is missing, unknown or not allowed.
    """
    try:
        return parse_as(model, content, source)
    except MalformedError as error:
        raise InputError(f"{source} is damaged ({error.reason}); {mend}.") from error


def describe_first_error(error: ValidationError) -> str:
    """Say where a document fails first, and why: ``boards.0.rows: Field required``."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = shortened(".".join(map(str, first["loc"])), 60) or "JSON"
    return f"{where}: {shortened(first['msg'].removeprefix('Value error, '), _LONGEST_REASON)}"


def _text(content: bytes | str, source: object, kind: str) -> str:
    if isinstance(content, str):
        return content.removeprefix(_BYTE_ORDER_MARK)
    try:
        return content.decode("utf-8").removeprefix(_BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        raise MalformedError(source, kind, f"it is not text in UTF-8 (byte {error.start})") from None


def _malformed(source: object, kind: str, error: Exception) -> "MalformedError":
    if isinstance(error, MalformedError):
        return error
    reason = shortened(str(error).rstrip("."), _LONGEST_REASON)
    if isinstance(error, RecursionError):
        reason = _TOO_DEEP
    elif "for integer string conversion" in str(error):
        reason = f"a number has more than {sys.get_int_max_str_digits():,} digits"
    return MalformedError(source, kind, reason)


def _check(value: Any, source: object, kind: str) -> None:
    """Refuse deep nesting and lone surrogates; walks level by level, because recursion could itself be too deep."""
    level = [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for each in level:
            if isinstance(each, str):
                if not each.isascii():
                    _check_text(each, source, kind)
            elif isinstance(each, dict):
                below += each
                below += each.values()
            elif isinstance(each, list):
                below += each
        if not below:
            return
        level = below
    raise MalformedError(source, kind, _TOO_DEEP)


def _check_text(text: str, source: object, kind: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        reason = f"it holds a text that is not Unicode (the surrogate U+{ord(text[error.start]):04X})"
        raise MalformedError(source, kind, reason) from None
