"""Logs as lines of JSON, without secrets: no query, header or body of a request is written, and what looks like a secret is left out."""

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

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
            away = _database_away(record.exc_info[1])
            line |= {"why": away} if away else {"traceback": self.formatException(record.exc_info)}
        return json.dumps(
            {name: without_secrets(value) for name, value in line.items()}, ensure_ascii=False, default=str
        )


def without_secrets(value: Any) -> Any:
    """A value with whatever looks like a token, an address, a password or a secret link left out."""
    if not isinstance(value, str):
        return value if value is None or isinstance(value, bool | int | float) else without_secrets(str(value))
    for pattern, instead in _SECRETS:
        value = pattern.sub(instead, value)
    return value


def _database_away(error: BaseException | None) -> str:
    """What a database says that is busy or being restarted: a traceback for each request meanwhile would fill the log."""
    from django.db import InterfaceError, OperationalError

    return str(error).strip().partition("\n")[0] if isinstance(error, OperationalError | InterfaceError) else ""
