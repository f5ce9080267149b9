"""Logs as lines of JSON, without secrets: no query, header or body of a request is written."""

import json
import logging
from datetime import UTC, datetime


class JsonLines(logging.Formatter):
    """One JSON object a line: when, how serious, who, what; and the fields that were given by ``extra={"about": …}``."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage().partition("?")[0],
            **getattr(record, "about", {}),
        }
        if record.exc_info:
            away = _database_away(record.exc_info[1])
            line |= {"why": away} if away else {"traceback": self.formatException(record.exc_info)}
        return json.dumps(line, ensure_ascii=False, default=str)


def _database_away(error: BaseException | None) -> str:
    """What a database says that is busy or being restarted: a traceback for each request meanwhile would fill the log."""
    from django.db import InterfaceError, OperationalError

    return str(error).strip().partition("\n")[0] if isinstance(error, OperationalError | InterfaceError) else ""
