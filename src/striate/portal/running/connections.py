"""A gunicorn worker in which slow connections cost no threads.

gunicorn's own threaded worker gives a connection a thread as soon as the first byte has arrived, and waits for the rest without a time limit: as many
half-sent requests as there are threads stop the site. Here the main loop collects a request, and a thread gets it when it is whole:

- the header, within `HEADER_SECONDS`;
- the body, if its address is no upload address and it is no longer than `striate.portal.bodies.LARGEST_BODY`. It must arrive at `SLOWEST` bytes a
  second, after `GRACE` seconds.

Bodies of uploads, which are large, are read by threads, at the same least rate; the portal admits their senders first, and limits how many threads they
have. What is refused before its body was read is answered at once; the rest of the body is thrown away by the main loop, so that the sender reads the
answer instead of a reset connection.

Answers are sent by threads. Most of them fit into the buffer of their connection; whoever reads a longer one slowly makes a thread wait, so that
three quarters of the threads may do so at a time, and an answer must be read at `SLOWEST` bytes a second, after `GRACE` seconds.
"""

import errno
import os
import resource
import select
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any
from weakref import WeakSet

from django.utils import translation
from gunicorn.http.body import LengthReader
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import ThreadWorker

from striate.portal.bodies import LARGEST_BODY, is_upload
from striate.portal.hosting.downloading import SMALL
from striate.portal.organising import counting
from striate.portal.problems import CONTENT_TYPE, is_program, problem

HEADER_SECONDS = 10.0
GRACE, SLOWEST = 20.0, 16 * 2**10  # seconds, and bytes a second
_MOST_UNSENT = SMALL  # bytes of answers that wait in the buffer of a connection whose reader is slow
_SHARE_THAT_WAITS = (
    0.75  # of the threads: places for slow readers of answers; downloads have half of the threads at most
)
_LINGER_SECONDS = 10.0  # in which what is left of a refused body is thrown away
_STOPPING_SECONDS = 2.0  # for requests in progress when the worker is asked to stop
_LARGEST_HEADER = 2**16  # bytes
_PIECE = 2**16  # bytes
MOST_CONNECTIONS = 800  # of a worker; then the oldest that waits is closed
_MOST_COLLECTED = 64 * 2**20  # bytes of requests that are not whole; then the largest is given up
_FILES = 4096  # that a worker may have open: connections, files and pipes
_END_OF_HEADER = b"\r\n\r\n"


@dataclass
class _Arrival:
    """A request that is not whole yet, or, once it is answered, what is still being sent."""

    deadline: float
    received: bytearray = field(default_factory=bytearray)
    needed: int | None = None  # bytes of header and body; None until the header is whole
    lingers: bool = False

    def add(self, piece: bytes) -> None:
        """Take more bytes; with the last of the header it is known how many are needed."""
        searched = max(0, len(self.received) - len(_END_OF_HEADER) + 1)
        self.received += piece
        if self.needed is None and (end := self.received.find(_END_OF_HEADER, searched)) >= 0:
            self._read_header(end)

    @property
    def whole(self) -> bool:
        """Whether a thread can have it."""
        return self.needed is not None and len(self.received) >= self.needed

    def _read_header(self, end: int) -> None:
        first, *fields = bytes(self.received[:end]).split(b"\r\n")
        path = [*first.split(b" "), b""][1].partition(b"?")[0].decode("latin-1")
        named = [(name.strip().lower(), value.strip()) for name, _, value in (each.partition(b":") for each in fields)]
        lengths = [value for name, value in named if name == b"content-length"]
        chunked = any(name == b"transfer-encoding" for name, _ in named)
        length = int(lengths[0]) if len(lengths) == 1 and lengths[0].isdigit() and len(lengths[0]) < 20 else 0
        # What the portal or gunicorn refuses by its header, and what is an upload, is not collected.
        collected = not chunked and length <= LARGEST_BODY and not is_upload(path)
        self.needed = end + len(_END_OF_HEADER) + (length if collected else 0)
        self.deadline = time.monotonic() + GRACE + self.needed / SLOWEST

    @property
    def program(self) -> bool:
        """Whether a program asks; seen as soon as the path is there."""
        first, *fields = bytes(self.received[:_LARGEST_HEADER]).partition(_END_OF_HEADER)[0].split(b"\r\n")
        accepted = (each[len(b"accept:") :] for each in fields if each[: len(b"accept:")].lower() == b"accept:")
        path = [*first.split(b" "), b""][1].partition(b"?")[0]
        return is_program(path.decode("latin-1"), b",".join(accepted).decode("latin-1"))

    def expects_answer_first(self) -> bool:
        """Whether the sender waits for ``100 Continue`` before it sends the body."""
        return not self.whole and b"100-continue" in bytes(self.received).lower().partition(_END_OF_HEADER)[0]


class _Timed(SocketUnreader):  # type: ignore[misc]
    """What threads read bodies from: a body must arrive at a least rate."""

    def begin(self) -> None:
        """Begin to measure."""
        self._begun, self._taken = time.monotonic(), 0

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Read what has arrived.

        Raises
        ------
        TimeoutError
            If the body arrives too slowly.
        """
        left = self._begun + GRACE + self._taken / SLOWEST - time.monotonic()
        if left <= 0:
            raise TimeoutError("The body of a request arrived too slowly.")
        before = self.sock.gettimeout()
        self.sock.settimeout(left)
        try:
            piece: bytes = super().chunk(size_hint)
        finally:
            self.sock.settimeout(before)
        self._taken += len(piece)
        return piece


class _Outgoing(socket.socket):
    """A connection whose reader may be slow: a bounded number of threads waits for readers, and none for ever.

    Parameters
    ----------
    accepted
        The connection; it is taken over, and not usable any more.
    places
        Held by a thread while it waits for the reader. A connection that finds none is given up.
    """

    def __init__(self, accepted: socket.socket, places: threading.Semaphore) -> None:
        super().__init__(fileno=accepted.detach())
        self._places = places
        self.begin()
        with suppress(OSError):  # a Unix socket has no such option
            self.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _MOST_UNSENT)

    def begin(self) -> None:
        """Begin to measure how fast an answer is read."""
        self._begun, self._sent = time.monotonic(), 0

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all of a piece of an answer.

        Raises
        ------
        TimeoutError
            If the answer is read too slowly.
        BrokenPipeError
            If too many threads wait for slow readers already.
        """
        left = memoryview(data).cast("B")
        while left:
            left = left[self._send(lambda piece=left: os.write(self.fileno(), piece)) :]  # type: ignore[misc]

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Send a part of a file; the errors are those of `sendall`."""
        end = offset + (os.fstat(file.fileno()).st_size - offset if count is None else count)
        at = offset
        while at < end:
            sent = self._send(lambda at=at: os.sendfile(self.fileno(), file.fileno(), at, end - at))  # type: ignore[misc]
            if not sent:  # the file is shorter than it was
                break
            at += sent
        return at - offset

    def _send(self, some: Callable[[], int]) -> int:
        while True:
            try:
                sent = some()
            except BlockingIOError:
                self._wait()
            else:
                self._sent += sent
                return sent

    def _wait(self) -> None:
        left = self._begun + GRACE + self._sent / SLOWEST - time.monotonic()
        if not self._places.acquire(blocking=False):
            raise BrokenPipeError(errno.EPIPE, "Too many answers are read slowly.")
        try:
            if left <= 0 or not _writable(self, left):
                raise TimeoutError("An answer is read too slowly.")
        finally:
            self._places.release()


class Threads(ThreadWorker):  # type: ignore[misc]
    """A worker whose threads are given whole requests."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._arriving: dict[Any, _Arrival] = {}  # by connection, the oldest first
        self._programs: WeakSet[socket.socket] = WeakSet()  # whose last request is a program's
        self._collected = 0  # bytes
        self._stops: float | None = None
        self._lock, self._busy = threading.Lock(), 0
        self._slow_readers = threading.BoundedSemaphore(max(1, int(_SHARE_THAT_WAITS * self.cfg.threads)))
        self._measured = 0.0

    def init_process(self) -> None:
        """Let the process have as many connections as it takes."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < _FILES and soft != resource.RLIM_INFINITY:
            wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        super().init_process()

    def set_accept_enabled(self, enabled: bool) -> None:
        """Start or stop accepting; free the port at once when the master was killed, so that the next one can bind it."""
        super().set_accept_enabled(enabled)
        if not enabled and not self.is_parent_alive():
            for each in self.sockets:
                each.close()

    def enqueue_req(self, conn: Any) -> None:
        """Collect a request of a connection that is new, or was kept alive."""
        if not conn.initialized:
            conn.sock = _Outgoing(conn.sock, self._slow_readers)
            conn.init()
            conn.parser.unreader = _Timed(conn.sock)
        conn.sock.setblocking(False)
        arrival = _Arrival(time.monotonic() + HEADER_SECONDS)
        self._wait_for(conn, arrival)
        if early := conn.parser.unreader.take_buffered():
            self._add(conn, arrival, early)
        self._make_room()

    def on_client_socket_readable(self, conn: Any, client: Any) -> None:
        """Go on with a connection that was kept alive, unless an event of the same moment has closed it."""
        if conn in self.keepalived_conns:
            super().on_client_socket_readable(conn, client)

    def _wait_for(self, conn: Any, arrival: _Arrival) -> None:
        self._arriving[conn] = arrival
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._readable, conn))

    def _readable(self, conn: Any, _sock: object) -> None:
        arrival = self._arriving.get(conn)
        if arrival is None:  # given up by an event of the same moment
            return
        try:
            piece = conn.sock.recv(_PIECE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            piece = b""
        if not piece:
            self._drop(conn)
        elif not arrival.lingers:
            self._add(conn, arrival, piece)

    def _add(self, conn: Any, arrival: _Arrival, piece: bytes) -> None:
        before = arrival.needed
        arrival.add(piece)
        self._collected += len(piece)
        if arrival.whole and not _writable(conn.sock):
            self._drop(conn)  # it asks on and on, and reads no answer: the next one would hold a thread
        elif arrival.whole:
            self._forget(conn)
            (self._programs.add if arrival.program else self._programs.discard)(conn.sock)
            conn.parser.unreader.unread(bytes(arrival.received))
            super().enqueue_req(conn)
        elif arrival.needed is None and len(arrival.received) > _LARGEST_HEADER:
            self._give_up(conn, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif before is None and arrival.needed is not None and arrival.expects_answer_first():
            with suppress(OSError):
                conn.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _make_room(self) -> None:
        while self.nr_conns > MOST_CONNECTIONS and (oldest := next(self._waiting(), None)) is not None:
            self._drop(oldest)
        while self._collected > _MOST_COLLECTED:
            self._give_up(
                max(self._arriving, key=lambda c: len(self._arriving[c].received)), HTTPStatus.SERVICE_UNAVAILABLE
            )

    def _waiting(self) -> Iterator[Any]:
        """Connections that can be closed: those that idle, and those whose request is not whole."""
        yield from list(self.keepalived_conns)[:1]
        yield from self._arriving

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer a request, in a thread."""
        conn.parser.unreader.begin()
        conn.sock.setblocking(False)
        conn.sock.begin()
        stated = req.should_close
        req.should_close = lambda: (
            stated() or _unread(conn)
        )  # else the answer would promise that the connection stays open
        self._count(1)
        try:
            return super().handle_request(req, conn)
        except TimeoutError:  # the reader of the answer is too slow
            return False
        finally:
            self._count(-1)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Answer a request that gunicorn refuses as the portal answers others."""
        super().handle_error(req, _Refused(client, program=client in self._programs), addr, exc)

    def _count(self, change: int) -> None:
        with self._lock:
            self._busy += change

    def _keepalive_after(self, conn: Any, keepalive: Any) -> bool:
        """Whether the connection can have another request: not while some of this one is on the wire."""
        return bool(keepalive) and not _unread(conn) and bool(super()._keepalive_after(conn, keepalive))

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Keep a connection that was answered, or close it when what is still being sent has been thrown away."""
        if not fs.cancelled() and fs.exception() is None and fs.result():
            super().finish_request(conn, fs)
            return
        self._linger(conn)

    def _linger(self, conn: Any) -> None:
        """Throw away what is still being sent: to close with bytes unread would reset the connection, and the answer with it."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
            self._wait_for(conn, _Arrival(time.monotonic() + _LINGER_SECONDS, lingers=True))
        except (OSError, ValueError, KeyError):  # it is closed
            self.nr_conns -= 1
            conn.close()

    def murder_pending(self) -> None:
        """Close what did not arrive in time, and measure the process; called every second by the main loop, and more often."""
        now = time.monotonic()
        if now - self._measured >= 1:
            self._measured = now
            counting.measure(threads=self.cfg.threads, busy=self._busy, connections=self.nr_conns)
        if not self.alive and self._stops is None:
            self._stops = now + _STOPPING_SECONDS
        for conn, arrival in list(self._arriving.items()):
            if now < min(arrival.deadline, self._stops or arrival.deadline):
                continue
            if arrival.received:
                self._give_up(conn, HTTPStatus.REQUEST_TIMEOUT)
            else:
                self._drop(conn)

    def _give_up(self, conn: Any, status: HTTPStatus) -> None:
        """Close a connection whose request will not be answered by the portal, and say why."""
        with suppress(OSError):
            conn.sock.send(_answer(status, program=self._arriving[conn].program))
        self._forget(conn)
        self._linger(conn)

    def _drop(self, conn: Any) -> None:
        if conn in self._arriving:
            self._forget(conn)
        else:
            self.keepalived_conns.remove(conn)
            self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()

    def _forget(self, conn: Any) -> None:
        self._collected -= len(self._arriving.pop(conn).received)
        with suppress(OSError, KeyError, ValueError):
            self.poller.unregister(conn.sock)


class _Refused:
    """A connection on which the portal's own answer is sent instead of gunicorn's page of an error."""

    def __init__(self, sock: socket.socket, *, program: bool) -> None:
        self._sock, self._program = sock, program

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def sendall(self, page: bytes) -> None:
        """Send an answer with the status of the page."""
        self._sock.sendall(_answer(HTTPStatus(int(page.split(b" ", 2)[1])), program=self._program))


def _writable(sock: socket.socket, seconds: float = 0) -> bool:
    """Whether the buffer of a connection has room for an answer, now or within some seconds."""
    asked = select.poll()
    asked.register(sock, select.POLLOUT)
    return bool(asked.poll(1000 * seconds))


def _unread(conn: Any) -> bool:
    """Whether some of a request's body has not been received, so that to read on would make a thread wait."""
    body = getattr(conn.parser.mesg, "body", None)
    reader = getattr(body, "reader", None)
    if not isinstance(reader, LengthReader):
        return True
    return bool(reader.length > len(conn.parser.unreader.buf.getvalue()))


def _answer(status: HTTPStatus, *, program: bool) -> bytes:
    if program:
        with translation.override(None):  # the language of the thread is that of an earlier request
            kind, content = CONTENT_TYPE, problem(status).content
    else:
        kind, content = "text/plain; charset=utf-8", f"{status.phrase}\n".encode()
    head = f"HTTP/1.1 {status:d} {status.phrase}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n"
    return f"{head}Cache-Control: no-store\r\nConnection: close\r\n\r\n".encode() + content
