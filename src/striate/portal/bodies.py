"""Limits on the body of a request, by address; the proxies in ``deploy/`` enforce the same limits, and a test compares them.

Most addresses take a form or some JSON. Upload addresses take much more, and are read only after the sender was admitted.
"""

import re
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.http import HttpRequest

LARGEST_BODY = 2 * 2**20  # bytes, at every address but those below
LARGEST_UPLOAD = 2100 * 2**20  # bytes, at upload addresses
UPLOAD_FORM = "/submit/"  # the only page whose form has files
# The same expression is in the Caddyfile and in nginx.conf.
UPLOADS = r"^/(submit/|api/v1/uploads/[^/]+|api/v1/data/(missing|contents|versions))$"
_uploads = re.compile(UPLOADS)


class LengthRequiredError(SuspiciousOperation):
    """A body without ``Content-Length``, of which nobody knows how long it is before it has been read."""


class DropFiles(FileUploadHandler):
    """Upload handler that keeps no file: forms with files are accepted at `UPLOAD_FORM` alone."""

    def new_file(self, *args: Any, **named: Any) -> None:
        """Skip the file."""
        raise SkipFile

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Keep nothing."""

    def file_complete(self, file_size: int) -> None:
        """Return no file."""


def is_upload(path: str) -> bool:
    """Whether an address takes uploads."""
    return _uploads.fullmatch(path) is not None


def largest_body(path: str) -> int:
    """Bytes that the body of a request to an address may have."""
    from striate.portal.receiving.taking import LARGER_AS_TEXT, largest_file

    if path == UPLOAD_FORM:
        return min(LARGEST_UPLOAD, largest_file() * LARGER_AS_TEXT + LARGEST_BODY)
    return LARGEST_UPLOAD if is_upload(path) else LARGEST_BODY


def body_length(request: HttpRequest) -> int:
    """Bytes of the body of a request, as its header states them.

    Raises
    ------
    LengthRequiredError
        If the body is sent in chunks, and its length is not stated.
    """
    if request.META.get("HTTP_TRANSFER_ENCODING"):
        raise LengthRequiredError("Transfer-Encoding without Content-Length")
    length = request.META.get("CONTENT_LENGTH") or "0"
    return int(length) if str(length).isdecimal() else 0
