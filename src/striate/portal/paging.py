"""A list for `ninja.pagination`: only the rows of the page that was asked for are read and described."""

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja.pagination import LimitOffsetPagination

from striate.errors import InputError, shortened

_LARGEST_OFFSET = 2**63 - 1 - 1000  # with a page behind it, it must fit the 64-bit integers of databases


class Pages(LimitOffsetPagination):
    """Pages by ``limit`` and ``offset``; other parameters, which would be ignored, are refused."""

    def paginate_queryset(self, queryset: Any, pagination: Any, request: HttpRequest, **params: Any) -> Any:
        """Choose a page.

        Raises
        ------
        InputError
            If the query has another parameter, or an offset beyond what a database can count.
        """
        if unknown := sorted(set(request.GET) - {"limit", "offset"}):
            raise InputError(
                _("This list takes the parameters limit and offset, and not %(unknown)s.")
                % {"unknown": repr(unknown[0][:60])}
            )
        if pagination.offset > _LARGEST_OFFSET:
            raise InputError(
                _("The offset of a list is at most %(most)s, got %(got)s.")
                % {"most": _LARGEST_OFFSET, "got": shortened(pagination.offset)}
            )
        return super().paginate_queryset(queryset, pagination, request, **params)


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
