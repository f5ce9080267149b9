"""One download attempt from one mirror: request the missing bytes of a file and append them."""

import html
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from striate.catalog import DataFile
from striate.catalog.git_annex import AnnexKey, find_content, parse_pointer, read_pointer
from striate.fetch.checksums import Hasher
from striate.fetch.errors import BrokenOffError, ChangedError, DownError, SlowError, UnusableError
from striate.fetch.http_client import Client, Response, describe_gone, host_name
from striate.fetch.partial_file import FileVersion, PartialFile
from striate.fetch.retry_policy import RetryPolicy, format_duration, parse_retry_after

_HEAD = 1024  # bytes needed to recognise a web page or a pointer
_PAGE = 64 * 1024  # bytes of a web page to search for its title
_BUSY = {429, 502, 503, 504}
_RANGE = re.compile(r"^bytes\s+(?:(\d{1,18})-(\d{1,18})|\*)/(?:(\d{1,18})|\*)$")
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
_BLOCK = 4 * 2**20


@dataclass
class Transfer:
    """State of the download of one file over all attempts.

    Attributes
    ----------
    file
        Catalogue entry of the file.
    partial
        Bytes received so far.
    hasher
        Hashes the bytes while they are received.
    watch
        Progress callback, called with the received and the total number of bytes. It may raise to cancel.
    restarted
        Callback, called with the reason when received bytes are discarded.
    key
        git-annex key, if a host sent a pointer instead of the file.
    """

    file: DataFile
    partial: PartialFile
    hasher: Hasher
    watch: Callable[[int, int | None], None]
    restarted: Callable[[str], None]
    key: AnnexKey | None = field(default=None)

    @property
    def size(self) -> int | None:
        """Exact size of the file in bytes from the catalogue or the git-annex key; None if unknown."""
        if self.file.size is not None:
            return self.file.size
        return self.key.size if self.key else None

    @property
    def total(self) -> int | None:
        """Size of the file in bytes, exact or as announced by the host; None if unknown."""
        return self.partial.origin.total if self.size is None and self.partial.origin else self.size

    def can_resume_from(self, address: str) -> bool:
        """Whether bytes from `address` may follow the received bytes. Mixing hosts requires a hash for the final verification."""
        known = self.partial.origin
        hashed = self.file.sha256 or self.file.md5 or self.key
        return known is not None and (known.address == address or bool(hashed))

    @property
    def complete(self) -> bool:
        """Whether all bytes have been received."""
        return self.partial.origin is not None and self.partial.size == self.total


def download(task: Transfer, client: Client, base: str, retry_policy: RetryPolicy, *, resume: bool = True) -> None:
    """Request the missing bytes of a file from a host and append them.

    Bytes are appended only if the response is a 206 whose ``Content-Range`` begins at the end of the received bytes, with the
    same total size and ``ETag``. A response with status 200 is the complete file, so the download restarts.

    Parameters
    ----------
    task
        State of the download.
    client
        HTTP client.
    base
        Base URL, to which the name of the file is appended.
    retry_policy
        Policy with the stall timeout and the minimum transfer rate.
    resume
        Whether to send a range request. Some hosts answer it incorrectly.

    Raises
    ------
    BrokenOffError
        If the connection ends early. Received bytes are kept.
    DownError
        If the host is busy or under maintenance, or sends a web page.
    ChangedError
        If the file changed on the host since the download began.
    UnusableError
        If the host cannot serve the file.
    """
    address = base + quote(task.file.name)
    known = task.partial.origin if resume and task.can_resume_from(address) else None
    here = task.partial.size if known else 0
    headers = {}
    if here:
        headers["Range"] = f"bytes={here}-"
        if known and known.address == address and known.etag and not known.etag.startswith("W/"):
            headers["If-Range"] = known.etag
    response = client.get(address, headers)
    try:
        if response.status == 416 and here:
            return _handle_range_error(task, response, here)
        if response.status not in (200, 206):
            raise _status_error(response, task)
        if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise UnusableError(f"{response.host} sends the file in another encoding; a proxy on the way may do that")
        if response.status == 206:
            return _append(task, response, address, here, retry_policy)
        return _restart(task, response, address, retry_policy)
    finally:
        response.close()


def _append(task: Transfer, response: Response, address: str, here: int, retry_policy: RetryPolicy) -> None:
    match = _RANGE.match(response.headers.get("Content-Range", ""))
    if not here or match is None or match[1] is None or int(match[1]) != here:
        raise RangeError(f"{response.host} sends another part than the one that it was asked for")
    last, total = int(match[2]), int(match[3]) if match[3] else None
    origin = _origin(response, address, total)
    known = task.partial.origin
    if known is not None and (why := origin.differs(known)):
        raise ChangedError(f"the file changed at {response.host}: {why}")
    _check_announced_size(task, response, total)
    length = response.number("Content-Length")
    if length is not None and length != last - here + 1:
        raise RangeError(f"{response.host} announces {length:,} bytes for a part of {last - here + 1:,}")
    task.partial.resume(origin if total is not None else origin.model_copy(update={"total": task.total}))
    _write(task, response, here, last + 1, retry_policy)


def _restart(task: Transfer, response: Response, address: str, retry_policy: RetryPolicy) -> None:
    total = response.number("Content-Length")
    head = _head(response)
    _reject_web_page(task, response, head)
    _check_announced_size(task, response, total)
    origin, known, here = _origin(response, address, total), task.partial.origin, task.partial.size
    same = known is not None and known.address == address and bool(known.etag or known.modified)
    if known is not None and here:
        why = origin.differs(known)
        task.restarted(
            f"the file changed at {response.host}: {why}" if why else f"{response.host} sends files only whole"
        )
        same = same and why is None and (origin.etag, origin.modified) == (known.etag, known.modified)
    if same and here:
        task.partial.resume(origin)  # same version: keep the received bytes until they are overwritten
    else:
        task.partial.begin(origin)
    _write(task, response, 0, total, retry_policy, head)


def _write(
    task: Transfer, response: Response, at: int, end: int | None, retry_policy: RetryPolicy, data: bytes | None = None
) -> None:
    with task.partial.writing(at) as writer:
        since, before = time.monotonic(), at
        data = response.read() if data is None else data
        while data:
            if end is not None and writer.at + len(data) > end:
                raise BrokenOffError(f"{response.host} sends more than it announced")
            task.hasher.update(writer.at, data)
            writer.write(data)
            task.watch(writer.at, task.total)
            if (now := time.monotonic()) - since > retry_policy.stall_timeout:
                if writer.at - before < retry_policy.min_speed * retry_policy.stall_timeout:
                    raise SlowError(f"{response.host} sends next to nothing")
                since, before = now, writer.at
            data = response.read()
        if end is not None and writer.at < end:
            raise BrokenOffError(f"{response.host} ended before the file did")
        if end is None:  # without an announced length, the file ends with the connection
            origin = task.partial.origin
            assert origin is not None
            task.partial.resume(origin.model_copy(update={"total": writer.at}))
        writer.sync()


class RangeError(BrokenOffError):
    """The host answers range requests incorrectly. The next attempt requests the complete file."""


def _handle_range_error(task: Transfer, response: Response, here: int) -> None:
    match = _RANGE.match(response.headers.get("Content-Range", ""))
    total = int(match[3]) if match and match[3] else None
    if total == here and task.size in (None, here):
        origin = task.partial.origin
        assert origin is not None
        task.partial.resume(origin.model_copy(update={"total": here}))  # the file is complete
        return
    said = f"it has {total:,} bytes" if total is not None else "it is shorter"
    raise ChangedError(f"the file changed at {response.host}: {said}, and {here:,} are here")


def _check_announced_size(task: Transfer, response: Response, total: int | None) -> None:
    """Raise `DownError` if the announced length is wrong, which means an outage or an intercepting proxy."""
    if total is None:
        return
    if task.size is not None and total != task.size:
        raise DownError(
            f"{response.host} sends {total:,} bytes where a file of {task.size:,} should be",
            _retry_after(response),
            page=True,
        )
    about = task.file.about
    if task.size is None and about is not None and not about / 2 <= total <= about * 2:
        raise DownError(
            f"{response.host} sends {total:,} bytes where a file of about {about:,} should be",
            _retry_after(response),
            page=True,
        )


def _head(response: Response) -> bytes:
    head = b""
    while len(head) < _HEAD and (more := response.read()):
        head += more
    return head


def _reject_web_page(task: Transfer, response: Response, head: bytes) -> None:
    name = task.file.name.lower()
    if (key := parse_pointer(head)) is not None:
        task.key = key
        raise UnusableError(f"{response.host} sends a git-annex pointer ({key.name}) and not the content of the file")
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:15].lower()
    page = start.startswith((b"<!doctype html", b"<html"))
    said_page = response.headers.get("Content-Type", "").lower().startswith("text/html")
    if (page or said_page) and not name.endswith((".html", ".htm")):
        raise DownError(_page(response, head), _retry_after(response), page=True)
    if name.endswith(".zip") and head[:2] != b"PK":
        raise DownError(f"{response.host} sends something that is no zip", _retry_after(response), page=True)


def _page(response: Response, head: bytes) -> str:
    title = page_title(head)
    said = f"{response.host} sends a web page{f' (“{title}”)' if title else ''} where the file should be"
    asked = host_name(response.asked)
    if asked == response.host:
        return said
    return f"{asked} leads to another host, and {said}; a login page or a proxy may stand between"


def page_title(page: bytes) -> str:
    """Return the title of a web page as plain text, with at most 80 characters."""
    match = _TITLE.search(page)
    text = html.unescape(match[1].decode("utf-8", errors="replace")) if match else ""
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= 80 else f"{text[:79]}…"


def _status_error(response: Response, task: Transfer) -> Exception:
    status, host = response.status, response.host
    if status in _BUSY:
        asked = _retry_after(response)
        page = response.read(_PAGE) if status != 429 else b""
        title = page_title(page)
        what = "asks for fewer requests" if status == 429 else "is down or under maintenance"
        later = f"; it asks to be called again in {format_duration(asked)}" if asked is not None else ""
        return DownError(f"{host} {what} ({status}{f', “{title}”' if title else ''}){later}", asked)
    if status == 401:
        return UnusableError(
            f"{host} wants to know who asks (401): give it a token, which it makes for you once you have an account "
            "(striate catalog add … --token-file)"
        )
    if status == 403:
        return UnusableError(
            f"{host} knows who asks, and refuses (403): its terms may have to be accepted there first, or the token was revoked"
        )
    if status == 410:
        return UnusableError(describe_gone(response))
    if status == 404:
        return UnusableError(f"{host} has no {task.file.name} ({status})")
    if status == 407:
        return UnusableError(
            f"a proxy on the way to {host} requires authentication (407), and no variable (HTTPS_PROXY) names that proxy"
        )
    if status in (408, 425) or status >= 500:
        return BrokenOffError(f"{host} failed to answer ({status})")
    return UnusableError(f"{host} answers {status}")


def _retry_after(response: Response) -> float | None:
    return parse_retry_after(response.headers)


def _origin(response: Response, address: str, total: int | None) -> FileVersion:
    headers = response.headers
    return FileVersion(
        address=address, etag=headers.get("ETag") or None, modified=headers.get("Last-Modified") or None, total=total
    )


def copy(task: Transfer, folder: Path) -> None:
    """Copy the missing bytes of a file from a folder.

    Parameters
    ----------
    task
        The file.
    folder
        That the name of the file is added to; it may be a clone with git-annex.

    Raises
    ------
    UnusableError
        If the file is not there.
    ChangedError
        If it changed since the first bytes were copied.
    """
    source = folder / task.file.name
    if (key := read_pointer(source)) is not None:
        task.key = key
        content = find_content(source, key)
        if content is None:
            raise UnusableError(
                f"{source} is a git-annex pointer ({key.name}) whose content is not in this clone (git annex get)"
            )
        source = content
    try:
        file = source.open("rb")
    except OSError as error:
        raise UnusableError(f"{source} cannot be read ({error.strerror})") from error
    with file:
        status = os.fstat(file.fileno())
        if task.size is not None and status.st_size != task.size:
            raise UnusableError(f"{source} has {status.st_size:,} bytes instead of {task.size:,}")
        origin = FileVersion(address=str(source), modified=str(status.st_mtime_ns), total=status.st_size)
        known = task.partial.origin
        if known is not None and known.address == origin.address and (why := origin.differs(known)):
            raise ChangedError(f"{source} changed: {why}")
        if known is None or origin.differs(known) or not task.can_resume_from(origin.address):
            task.partial.begin(origin)
        else:
            task.partial.resume(origin)
        at = task.partial.size
        file.seek(at)
        with task.partial.writing(at) as writer:
            while data := file.read(_BLOCK):
                task.hasher.update(writer.at, data)
                writer.write(data)
                task.watch(writer.at, status.st_size)
            writer.sync()
