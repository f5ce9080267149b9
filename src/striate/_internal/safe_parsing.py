"""Parse untrusted TOML and JSON with limits on size, nesting depth, numbers and text."""

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

MAX_BYTES = 64 * 2**20  # maximum size of a document
MAX_DEPTH = 64  # maximum nesting depth
_BYTE_ORDER_MARK = "\ufeff"  # written by some Windows editors
_PIECE = 2**20  # bytes per read
_LONGEST_REASON = 120  # characters
_TOO_DEEP = f"it is nested more than {MAX_DEPTH} levels deep"


class MalformedError(InputError):
    """The document cannot be parsed.

    Attributes
    ----------
    reason
        Cause, as a clause.
    """

    def __init__(self, source: object, kind: str, reason: str) -> None:
        super().__init__(f"{source} is not valid {kind}: {reason}.")
        self.reason = reason


def read_limited(path: str | os.PathLike[str], largest: int = MAX_BYTES) -> bytes:
    """Read a file, and raise an error if it is larger than `largest` bytes.

    Raises
    ------
    InputError
        If the file is larger.
    OSError
        If the file cannot be read.
    """
    content = bytearray()
    with expand_path(path).open("rb") as file:  # in pieces, because read(largest) would allocate the maximum at once
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
        Document as text or UTF-8 bytes.
    source
        Origin of the document, such as a path; the subject of error messages.

    Raises
    ------
    MalformedError
        If the document is not valid TOML, is nested too deeply, or contains a number with too many digits.
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
        Document as text or UTF-8 bytes.
    source
        Origin of the document, such as a path; the subject of error messages.

    Raises
    ------
    MalformedError
        If the document is not valid JSON, is nested too deeply, or contains a number with too many digits or invalid Unicode.
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
    """Parse a JSON document that must be an object, as `parse_json` does.

    Parameters
    ----------
    content, source
        As in `parse_json`.
    needs
        Model of required keys; further keys are allowed.
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
    """Parse a JSON document and validate it against a pydantic model or type.

    Parameters
    ----------
    kind
        Model class or type adapter to validate against.
    content, source
        As in `parse_json`.

    Raises
    ------
    MalformedError
        As in `parse_json`, or if a value is missing, unknown or not allowed. `reason` names the first such value.
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
    """Parse a JSON document and validate it against a model, with advice in the error message.

    Parameters
    ----------
    model
        Model class to validate against.
    content
        JSON document.
    source
        Origin of the document, such as a path; the subject of error messages.
    mend
        Advice at the end of the error message.

    Raises
    ------
    InputError
        If the document is not valid JSON, or a value is missing, unknown or not allowed.
    """
    try:
        return parse_as(model, content, source)
    except MalformedError as error:
        raise InputError(f"{source} is damaged ({error.reason}); {mend}.") from error


def describe_first_error(error: ValidationError) -> str:
    """Describe the first validation error, such as ``boards.0.rows: Field required``."""
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
    """Reject deep nesting and lone surrogates. Iterates by level, because recursion could exceed the stack."""
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
