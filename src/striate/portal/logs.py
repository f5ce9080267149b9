"""Logs as lines of JSON, without secrets: no query, header or body of a request is written, and what looks like a secret is left out."""

import json
import logging
import re
import sys
import threading
from datetime import UTC, datetime
from typing import Any

from striate.errors import StriateError
from striate.portal.organising.asking import request_now

_SECRETS = (
    (re.compile(r"striate_[A-Za-z0-9_-]{20,}"), "[token]"),
    (re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"), "[address]"),
    (re.compile(r"(://[^/\s:@]*:)[^/\s@]+@"), r"\1[password]@"),
    (re.compile(r"((?:accounts/(?:verify|reset)|team/join)/)[^\s'\"?]+"), r"\1[link]"),
    (
        re.compile(
            r"(?i)((?:sessionid|csrftoken|password\d?|passphrase|authorization|token)['\"]?\s*[=:]\s*)[^\s,;)}\]]+"
        ),
        r"\1[secret]",
    ),
)


class JsonLines(logging.Formatter):
    """One JSON object a line: when, how serious, who, what; and the fields that were given by ``extra={"about": …}``."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage().partition("?")[0],
        }
        if (request := request_now.get()) is not None:
            line["request"] = request.META.get("REQUEST_NUMBER")
        line |= getattr(record, "about", {})
        if record.exc_info:
            why = _expected(record.exc_info[1])
            line |= {"why": why} if why else {"traceback": self.formatException(record.exc_info)}
        return json.dumps(
            {name: without_secrets(value) for name, value in line.items()}, ensure_ascii=False, default=str
        )


def log_what_nobody_catches() -> None:
    """Have warnings, and errors that end this process or one of its threads, in the log instead of as plain text."""
    logging.captureWarnings(True)
    log = logging.getLogger("striate.portal")

    def failed(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
        else:
            log.critical("a process has failed", exc_info=(kind, error, trace))

    def thread_failed(failure: threading.ExceptHookArgs) -> None:
        if failure.exc_value is not None and not isinstance(failure.exc_value, SystemExit):
            log.error("a thread has failed", exc_info=(failure.exc_type, failure.exc_value, failure.exc_traceback))

    sys.excepthook, threading.excepthook = failed, thread_failed


def without_secrets(value: Any) -> Any:
    """A value with whatever looks like a token, an address, a password or a secret link left out."""
    if not isinstance(value, str):
        return value if value is None or isinstance(value, bool | int | float) else without_secrets(str(value))
    for pattern, instead in _SECRETS:
        value = pattern.sub(instead, value)
    return value


def _expected(error: BaseException | None) -> str:
    """First line of an error that is not a defect of the portal; empty for any other, whose traceback is logged.

    A database that is away, a full disk, or requests that are refused would fill the log with tracebacks.
    """
    from django.core.exceptions import SuspiciousOperation
    from django.db import InterfaceError, OperationalError
    from django.http import UnreadablePostError

    from striate.portal.unavailable import is_full_disk

    known = isinstance(
        error, OperationalError | InterfaceError | SuspiciousOperation | UnreadablePostError | StriateError
    )
    return str(error).strip().partition("\n")[0] if known or is_full_disk(error) else ""
