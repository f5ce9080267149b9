"""Send a file, or a part of it, as HTTP asks: Range, If-Range, ETag, HEAD; without reading it into memory."""

import io
import re
from pathlib import Path
from typing import BinaryIO

from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from django.utils.http import parse_etags, quote_etag

_RANGE = re.compile(r"^bytes=(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))$")


class _Part(io.RawIOBase):
    """Some bytes of a file; servers that can send from file to socket use its descriptor, which stands at the first of them."""

    def __init__(self, file: BinaryIO, length: int) -> None:
        self._file, self._left = file, length

    def fileno(self) -> int:
        return self._file.fileno()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        most = self._left if size < 0 else min(size, self._left)
        some = self._file.read(most)
        self._left -= len(some)
        return some

    def close(self) -> None:
        self._file.close()
        super().close()


def asked_range(text: str, size: int) -> tuple[int, int] | None:
    """First and last byte that a Range asks for, within a file of some size; None where the whole file must be sent.

    Raises
    ------
    ValueError
        If it asks for bytes that the file has not.
    """
    found = _RANGE.match(text.replace(" ", ""))
    if found is None:  # several parts, another unit, nonsense: HTTP lets a server ignore these
        return None
    first, last, tail = found.groups()
    if tail is not None:
        if int(tail) == 0 or size == 0:
            raise ValueError
        return max(0, size - int(tail)), size - 1
    start, end = int(first), min(int(last), size - 1) if last else size - 1
    if last and int(last) < start:
        return None
    if start >= size:
        raise ValueError
    return start, end


def send(
    request: HttpRequest, file: Path, *, digest: str, content_type: str = "application/octet-stream"
) -> HttpResponseBase:
    """Answer a GET or HEAD for a file whose content has a hash."""
    size, tag = file.stat().st_size, quote_etag(digest)
    headers = {"ETag": tag, "Accept-Ranges": "bytes", "Cache-Control": "private, no-transform"}
    if tag in parse_etags(request.headers.get("If-None-Match", "")):
        return HttpResponse(status=304, headers=headers)
    start, end, status = 0, size - 1, 200
    asked = request.headers.get("Range")
    if asked and request.headers.get("If-Range", tag) == tag and request.method == "GET":
        try:
            part = asked_range(asked, size)
        except ValueError:
            return HttpResponse(status=416, headers={**headers, "Content-Range": f"bytes */{size}"})
        if part is not None:
            (start, end), status = part, 206
            headers["Content-Range"] = f"bytes {start}-{end}/{size}"
    length = end - start + 1
    content: io.RawIOBase | io.BytesIO = io.BytesIO()
    if request.method == "GET":
        opened = file.open("rb")
        opened.seek(start)
        content = _Part(opened, length)
    answer = FileResponse(content, as_attachment=True, filename=file.name, content_type=content_type, status=status)
    answer.block_size = 2**18
    for name, value in {**headers, "Content-Length": str(length)}.items():
        answer.headers[name] = value
    return answer
