"""A list for `ninja.pagination`: only the rows of the page that was asked for are read and described."""

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet


class Page:
    """Rows of the database as the API describes them.

    Parameters
    ----------
    rows
        All of them, in order.
    describe
        Makes what the API answers of one row.
    """

    def __init__(self, rows: "QuerySet[Any]", describe: Callable[[Any], dict[str, Any]]) -> None:
        self._rows, self._describe = rows, describe

    def __len__(self) -> int:
        return self._rows.count()

    def __getitem__(self, part: slice) -> list[dict[str, Any]]:
        return [self._describe(row) for row in self._rows[part]]
