"""The built-in server against people who send slowly, or not at all: pages are answered meanwhile, and nobody waits for ever."""

import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.portal.test_serving import children, served

slow = pytest.mark.slow
CROWD = 120  # more than the threads of both web processes


@pytest.fixture(scope="module")
def address(folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A portal in processes of its own."""
    with served(folders, tmp_path_factory.mktemp("slow") / "data") as (address, *_):
        yield address


def connect(address: str, receive: int = 0) -> socket.socket:
    parts = urlsplit(address)
    made = socket.socket()
    if receive:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    made.settimeout(240)  # other tests may keep the cores busy
    made.connect((parts.hostname, parts.port))
    return made


def head(address: str, path: str, method: str = "POST", **fields: object) -> bytes:
    named = {"Host": urlsplit(address).netloc, **{name.replace("_", "-"): value for name, value in fields.items()}}
    return "".join([f"{method} {path} HTTP/1.1\r\n", *(f"{k}: {v}\r\n" for k, v in named.items()), "\r\n"]).encode()


def answered(address: str, path: str = "health") -> bool:
    return bool(urlopen(f"{address}{path}", timeout=10).status == 200)


HALVES = {
    "nothing": lambda _: b"",
    "half a header": lambda a: head(a, "/", "GET")[:-2],
    "half a form": lambda a: head(a, "/language/", Content_Type="text/plain", Content_Length=9000) + b"x",
    "half of what is refused": lambda a: head(a, "/language/", Content_Length=3 * 10**9) + b"x",
    "half of an upload of nobody": lambda a: head(a, "/submit/", Content_Length=10**9) + b"x",
    "half of a part of nobody": lambda a: head(a, "/api/v1/uploads/1?offset=0", "PUT", Content_Length=10**9) + b"x",
    "chunks": lambda a: head(a, "/language/", Transfer_Encoding="chunked") + b"5\r\nab",
    "an answer that is not taken": lambda a: head(a, "/", "GET", Connection="close"),
    "a page of which nobody reads the end": lambda a: head(a, "/static/portal/htmx-2.0.11.min.js", "GET") * 300,
}


@slow
@pytest.mark.parametrize("what", HALVES)
def test_a_crowd_of_slow_connections_leaves_the_site_to_others(address: str, what: str) -> None:
    with ExitStack() as stack:
        for _ in range(CROWD):
            made = stack.enter_context(connect(address, 4096 if "nobody reads" in what else 0))
            made.sendall(HALVES[what](address))
        time.sleep(3 if "nobody reads" in what else 0)  # until the threads would be busy with it
        for path in ("health", "boards/", "accounts/sign-in/", "api/v1/competition"):
            assert answered(address, path), what
        made = stack.enter_context(connect(address))
        form = b"username=a&password=b"
        made.sendall(head(address, "/accounts/sign-in/", Content_Length=len(form)) + form)
        assert made.recv(100).startswith(b"HTTP/1.1 403 "), "forms are read, too: this one is without a CSRF token"


@slow
def test_who_does_not_go_on_is_told_and_sent_away(address: str) -> None:
    from striate.portal.running.connections import HEADER_SECONDS

    begun = time.monotonic()
    with connect(address) as silent, connect(address) as half, connect(address) as half_of_api:
        half.sendall(HALVES["half a header"](address))
        half_of_api.sendall(head(address, "/api/v1/uploads", Content_Length=50) + b"{")
        assert silent.recv(100) == b""
        assert half.recv(1000).startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - begun >= HEADER_SECONDS - 1
        answer = half_of_api.recv(1000)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == 408


@slow
def test_a_refusal_is_heard_by_who_sends_on(address: str) -> None:
    """To close with bytes unread would reset the connection, and the answer with it."""
    for path in ("/language/", "/submit/", "/api/v1/uploads/1?offset=0"):
        with connect(address) as made:
            made.sendall(head(address, path, "PUT" if "api" in path else "POST", Content_Length=2**23))
            made.sendall(bytes(2**23))
            answer = b"".join(iter(lambda made=made: made.recv(2**16), b""))  # type: ignore[misc]
            assert answer.startswith((b"HTTP/1.1 413 ", b"HTTP/1.1 302 ", b"HTTP/1.1 401 ")), answer[:100]
            assert b"\r\nConnection: close\r\n" in answer, "or a proxy would send the next request of somebody on it"


REFUSED = {
    414: lambda a, path: head(a, f"{path}?{'x' * 5000}", "GET"),
    400: lambda a, path: head(a, path, "GET").replace(b"HTTP/1.1", b"HTTP/one"),
    431: lambda a, path: head(a, path, "GET", **{f"X_{n}": n for n in range(150)}),
    501: lambda a, path: head(a, path, "POST", Transfer_Encoding="odd"),
    417: lambda a, path: head(a, path, "POST", Content_Length=1, Expect="a-miracle") + b"x",
}


@slow
@pytest.mark.parametrize("status", REFUSED)
def test_what_the_server_itself_refuses_is_a_problem_document_for_programs(address: str, status: int) -> None:
    def asked(path: str, **fields: str) -> bytes:
        request = REFUSED[status](address, path)
        for name, value in fields.items():
            request = request.replace(b"\r\n", f"\r\n{name}: {value}\r\n".encode(), 1)
        with connect(address) as made:
            made.sendall(request)
            return b"".join(iter(lambda: made.recv(2**16), b""))

    for answer in (asked("/api/v1/submissions"), asked("/boards/", Accept="application/json")):
        top, _, body = answer.partition(b"\r\n\r\n")
        assert top.startswith(f"HTTP/1.1 {status} ".encode()), top
        assert b"Content-Type: application/problem+json" in top
        told = json.loads(body)
        assert told["status"] == status
        assert told["detail"].endswith(".")
        assert len(told["detail"]) > 30
    assert b"Content-Type: text/plain" in asked("/boards/")


@slow
def test_every_line_of_the_log_is_json(folders: Path, tmp_path: Path) -> None:
    """What the server logs of requests that it refuses, of a worker that is killed, and warnings."""
    with (tmp_path / "log").open("w+") as log:
        with served(folders, tmp_path / "data", stderr=log, PYTHONWARNINGS="always") as (address, running, _):
            for status in REFUSED:
                with connect(address) as made:
                    made.sendall(REFUSED[status](address, "/api/v1/submissions"))
                    made.recv(1000)
            (master,) = children(running.pid, "running.web")
            os.kill(children(master, "running.web")[0], signal.SIGKILL)
            assert answered(address, "boards/")
        log.seek(0)
        lines = [json.loads(line) for line in log]
    assert {"gunicorn.error", "striate.portal.requests"} <= {line["logger"] for line in lines}
    assert sum("Invalid request" in line["message"] for line in lines) >= len(REFUSED)
    assert any("SIGKILL" in line["message"] for line in lines)


@slow
def test_an_endless_header_of_a_program_is_refused_with_a_problem_document(address: str) -> None:
    with connect(address) as made:
        made.sendall(head(address, "/api/v1/competition", "GET")[:-2])
        made.sendall(b"X: " + b"x" * 2**17)
        answer = b"".join(iter(lambda: made.recv(2**16), b""))
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == 431


@slow
def test_requests_in_pieces_and_several_in_one_are_answered_in_order(address: str) -> None:
    two = head(address, "/health", "GET") + head(address, "/nothing", "GET", Connection="close")
    with connect(address) as made:
        for byte in two[:60]:
            made.sendall(bytes([byte]))
        made.sendall(two[60:])
        answer = b"".join(iter(lambda: made.recv(2**16), b""))
    assert re.findall(rb"HTTP/1\.1 (\d+)", answer) == [b"200", b"404"]
    with connect(address) as waiting:
        waiting.sendall(head(address, "/language/", Content_Length=3, Expect="100-continue"))
        assert waiting.recv(100).startswith(b"HTTP/1.1 100 ")
        waiting.sendall(b"a=b")
        answer = waiting.recv(1000)
        assert b"HTTP/1.1 403 " in answer + waiting.recv(1000)


@slow
def test_the_numbers_of_all_web_processes_are_added_up(address: str) -> None:
    from tests.portal.test_watching import numbers

    with ExitStack() as stack:
        for _ in range(CROWD):
            stack.enter_context(connect(address)).sendall(HALVES["half a header"](address))
        time.sleep(2.5)  # each process measures every second
        found = numbers(urlopen(f"{address}metrics", timeout=10).read().decode())
    assert found["striate_web_threads"] == 80
    assert found["striate_web_connections"] >= CROWD
    assert found["striate_web_threads_busy"] < 10
    assert 50e6 < found["striate_web_memory_bytes"] < 5e9


def joined(places: int, monkeypatch: pytest.MonkeyPatch, *, grace: float) -> tuple[Any, socket.socket, Any]:
    """Both ends of a connection, and the places of those who wait."""
    from striate.portal.running import connections

    monkeypatch.setattr(connections, "GRACE", grace)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(listening.getsockname())
        accepted, _ = listening.accept()
    waiting = threading.BoundedSemaphore(places)
    outgoing = connections._Outgoing(accepted, waiting)
    outgoing.setblocking(False)
    return outgoing, reader, waiting


LONG = bytes(range(256)) * 2**14  # 4 MiB


def test_an_answer_that_is_read_slowly_arrives_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    outgoing, reader, _ = joined(1, monkeypatch, grace=60)
    (tmp_path / "file").write_bytes(LONG)

    def send() -> None:
        outgoing.sendall(LONG)
        with (tmp_path / "file").open("rb") as file:
            assert outgoing.sendfile(file, 3, len(LONG) - 10) == len(LONG) - 10
            assert outgoing.sendfile(file, len(LONG) - 5, 100) == 5, "a file that is shorter than expected"
        outgoing.close()

    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(send)
        assert b"".join(iter(lambda: reader.recv(2**16), b"")) == LONG + LONG[3:-7] + LONG[-5:]
        sent.result()
    reader.close()


def test_no_thread_waits_for_ever_for_a_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    outgoing, reader, waiting = joined(1, monkeypatch, grace=-len(LONG))
    with outgoing, reader, pytest.raises(TimeoutError, match="too slowly"):
        outgoing.sendall(LONG)
    assert waiting.acquire(blocking=False), "the place is free again"


def test_threads_that_wait_for_readers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.portal.hosting.downloading import SMALL

    outgoing, reader, waiting = joined(1, monkeypatch, grace=60)
    with outgoing, reader, waiting:
        outgoing.sendall(LONG[:SMALL])  # this needs nobody to read it
        with pytest.raises(BrokenPipeError, match="Too many"):
            outgoing.sendall(LONG)


@pytest.mark.slow
@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z][A-Za-z-]{0,10}", fullmatch=True), st.text("abc 123;=", max_size=20), max_size=5
    ),
    st.binary(max_size=200),
    st.lists(st.integers(1, 40), max_size=10),
)
def test_a_request_is_whole_with_its_last_byte_however_it_comes(
    fields: dict[str, str], body: bytes, cuts: list[int]
) -> None:
    from striate.portal.running.connections import _Arrival

    named = {
        name: value for name, value in fields.items() if name.lower() not in ("content-length", "transfer-encoding")
    }
    request = head("http://x/", "/language/", **named, Content_Length=len(body)) + body
    arrival, sent = _Arrival(0.0), 0
    for size in (*cuts, len(request)):
        piece = request[sent : sent + size]
        sent += len(piece)
        arrival.add(piece)
        assert arrival.whole == (sent == len(request))
    assert bytes(arrival.received) == request


@given(st.binary(max_size=300))
def test_no_header_breaks_the_main_loop(header: bytes) -> None:
    from striate.portal.running.connections import _Arrival

    arrival = _Arrival(0.0)
    arrival.add(header)
    arrival.add(b"\r\n\r\n")
    assert arrival.needed is not None
