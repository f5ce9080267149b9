"""Send a file, or a part of it, as HTTP asks: Range, If-Range, ETag, HEAD; without reading it into memory."""

import io
import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header, parse_etags, quote_etag

from striate.portal.hosting.downloading import place_for

_RANGE = re.compile(r"^bytes=(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))$")


class _Part(io.RawIOBase):
    """Some bytes of a file; servers that can send from file to socket use its descriptor, which stands at the first of them."""

    def __init__(self, file: BinaryIO, length: int, closed: Callable[[], None]) -> None:
        self._file, self._left, self._closed = file, length, closed

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
        self._closed()
        super().close()


class Sent(Iterator[bytes]):
    """Pieces that are made while they are sent; a generator that nobody began would not be closed."""

    def __init__(self, pieces: Iterator[bytes], closed: Callable[[], None]) -> None:
        self._pieces, self._closed = pieces, closed

    def __next__(self) -> bytes:
        return next(self._pieces)

    def close(self) -> None:
        """Give the place back, whatever goes wrong."""
        try:
            if isinstance(self._pieces, Generator):
                self._pieces.close()
        finally:
            self._closed()


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


@dataclass(frozen=True)
class Asked:
    """Which bytes to send, from the first to the last, and with which status and headers."""

    start: int
    end: int
    status: int
    headers: dict[str, str]

    @property
    def length(self) -> int:
        """How many they are."""
        return self.end - self.start + 1


def asked(
    request: HttpRequest, size: int, digest: str, *, cache: str = "private, no-transform", most: int | None = None
) -> Asked | HttpResponse:
    """Understand a GET or HEAD for content of some size with a hash; an answer, where nothing is to be sent.

    How caches may keep it is said by `cache`; of a part, at most `most` bytes are sent, if that is given.
    """
    tag = quote_etag(digest)
    headers = {"ETag": tag, "Accept-Ranges": "bytes", "Cache-Control": cache}
    if tag in parse_etags(request.headers.get("If-None-Match", "")):
        return HttpResponse(status=304, headers=headers)
    found = Asked(0, size - 1, 200, headers)
    wanted = request.headers.get("Range")
    if wanted and request.headers.get("If-Range", tag) == tag and request.method == "GET":
        try:
            part = asked_range(wanted, size)
        except ValueError:
            return HttpResponse(status=416, headers={**headers, "Content-Range": f"bytes */{size}"})
        if part is not None:
            part = (part[0], part[1] if most is None else min(part[1], part[0] + most - 1))
            headers["Content-Range"] = f"bytes {part[0]}-{part[1]}/{size}"
            found = Asked(*part, 206, headers)
    headers["Content-Length"] = str(found.length)
    return found


def send(
    request: HttpRequest,
    file: Path,
    *,
    digest: str,
    content_type: str = "application/octet-stream",
    filename: str = "",
    inline: bool = False,
) -> HttpResponseBase:
    """Answer a GET or HEAD for a file whose content has a hash.

    Raises
    ------
    CrowdedError
        If as many download as can.
    """
    found = asked(request, file.stat().st_size, digest)
    if isinstance(found, HttpResponse):
        return found
    content: io.RawIOBase | io.BytesIO = io.BytesIO()
    if request.method == "GET":
        give_back = place_for(found.length)
        try:
            opened = file.open("rb")
        except BaseException:  # it has gone in this instant, say
            give_back()
            raise
        opened.seek(found.start)
        content = _Part(opened, found.length, give_back)
    answer = FileResponse(
        content,
        as_attachment=not inline,
        filename=filename or file.name,
        content_type=content_type,
        status=found.status,
    )
    answer.block_size = 2**18
    for name, value in found.headers.items():
        answer.headers[name] = value
    return answer


def send_made(
    request: HttpRequest,
    read: Callable[[int, int], Iterator[bytes]],
    *,
    size: int,
    digest: str,
    filename: str,
    content_type: str = "application/octet-stream",
    inline: bool = False,
) -> HttpResponseBase:
    """Answer a GET or HEAD for bytes that are made or fetched while they are sent.

    Parameters
    ----------
    request
        Who asks, and for which part.
    read
        Gives so many bytes from a byte on.
    size, digest
        Of the whole.
    filename
        What it is called at the reader's.
    content_type
        What it is.
    inline
        Whether a browser may show it.

    Raises
    ------
    CrowdedError
        If as many download as can.
    """
    found = asked(request, size, digest)
    if isinstance(found, HttpResponse):
        return found
    pieces: Iterator[bytes] = iter(())
    if request.method == "GET":
        give_back = place_for(found.length)
        pieces = Sent(read(found.start, found.length), give_back)
    answer = StreamingHttpResponse(pieces, status=found.status, content_type=content_type, headers=found.headers)
    disposition = content_disposition_header(not inline, filename)
    assert disposition is not None
    answer.headers["Content-Disposition"] = disposition
    return answer
