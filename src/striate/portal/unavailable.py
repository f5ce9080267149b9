"""Errors of the platform itself: the files cannot be reached, or there is no room for more."""

import errno
from collections.abc import Iterator

from django.db import Error
from django.utils.translation import gettext as _

from striate.errors import InputError

_FULL = (errno.ENOSPC, errno.EDQUOT)
# What SQLite and PostgreSQL say. Neither driver has an exception of its own for it that both share.
_FULL_DATABASE = ("disk is full", "No space left on device", "Disk quota exceeded")


class StorageUnavailableError(OSError):
    """The service that keeps the files does not answer, or refuses: a fault of the platform, which may pass."""


class FullDiskError(InputError):
    """There is no room for what is being sent. Nothing was kept of it; it may be sent again later."""

    def __init__(self, sentence: str = "") -> None:
        super().__init__(sentence or _("The disk of the portal is nearly full: try again later."))


def is_full_disk(error: BaseException | None) -> bool:
    """Whether an error, or what caused it, is that a disk or a quota is full."""
    return any(_is_full(each) for each in _chain(error))


def _is_full(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno in _FULL
    return isinstance(error, FullDiskError) or (
        isinstance(error, Error) and any(each in str(error) for each in _FULL_DATABASE)
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
