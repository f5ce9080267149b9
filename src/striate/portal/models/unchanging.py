"""Rows that are written once: nothing changes or removes them, whatever page, form or admin tries."""

from typing import Any, NoReturn, Self

from django.db import models


class UnchangingError(TypeError):
    """Something tried to change what must stay as it was written."""


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise UnchangingError("These rows are written once: none is changed or removed.")


class UnchangingRows(models.QuerySet[models.Model]):
    """A query that can read and add."""

    update = _refuse
    delete = _refuse
    bulk_update = _refuse


class Unchanging(models.Model):
    """A row that is written once."""

    objects = models.Manager.from_queryset(UnchangingRows)()

    class Meta:
        abstract = True

    def save(self: Self, *args: Any, **options: Any) -> None:
        """Write the row, if it is new."""
        if not self._state.adding:
            _refuse()
        super().save(*args, **options)

    def delete(self, *args: Any, **options: Any) -> NoReturn:
        """Refuse."""
        _refuse()
