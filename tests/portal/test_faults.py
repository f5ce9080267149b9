"""What falls in the middle – connections, the database, processes – costs nobody anything."""

import hashlib
import os
import signal
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from benchmarks.ports import free_port

from striate.errors import InputError, StriateError
from tests.fixtures.command import assert_one_sentence
from tests.portal.test_limits import at_once
from tests.portal.test_serving import children, served
from tests.portal.test_upgrades import called
from tests.portal.world import World, on_a_port


def uploaded(world: World, user: Any, file: Path) -> str:
    """A whole upload."""
    api, data = world.api(user), file.read_bytes()
    about = {"filename": file.name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    number = api("POST", "uploads", about).json()["id"]
    assert api("PUT", f"uploads/{number}?offset=0", data).status_code == 200
    return str(number)


def test_who_asks_again_because_the_answer_was_lost_finds_the_submission(world: World) -> None:
    from striate.portal.models import Link, Submission

    ada = world.person("ada", team="Ada")
    api, number = world.api(ada), uploaded(world, ada, world.file(0.5))
    first, again = (api("POST", "submissions", {"upload": number}) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    state = api("GET", f"uploads/{number}").json()
    assert state["received"] == state["size"]
    assert Submission.objects.count() == Link.objects.count() == 1
    assert not list(world.place.uploads.iterdir()), "its bytes are kept once"


def test_also_where_the_web_process_is_killed_before_it_answers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.portal import api as calls
    from striate.portal.models import Submission

    class Killed(BaseException):
        pass

    def kill(*_: Any, **__: Any) -> None:
        raise Killed

    ada = world.person("ada", team="Ada")
    number = uploaded(world, ada, world.file(0.5))
    for name, there in (("take", 0), ("check_soon", 1)):
        with monkeypatch.context() as broken:
            broken.setattr(calls, name, kill)
            with pytest.raises(Killed):
                world.api(ada)("POST", "submissions", {"upload": number})
        assert Submission.objects.count() == there
    assert world.api(ada)("POST", "submissions", {"upload": number}).status_code == 200
    world.work()
    assert Submission.objects.get().state == "scored"


def test_the_same_asked_twice_at_once_is_one_submission(world: World) -> None:
    from striate.portal.models import Submission

    ada = world.person("ada", team="Ada")
    api, number = world.api(ada), uploaded(world, ada, world.file(0.5))
    answers = at_once([lambda: api("POST", "submissions", {"upload": number})] * 4)
    assert {answer.status_code for answer in answers} <= {200, 201}, answers
    assert len({answer.json()["id"] for answer in answers}) == Submission.objects.count() == 1


def test_what_a_connection_that_was_given_up_still_brings_harms_nothing(world: World) -> None:
    from striate.portal.receiving import uploads

    data = bytes(range(100))
    upload = uploads.begin(
        world.person("ada"), filename="x", size=100, sha256=hashlib.sha256(data).hexdigest(), most=100
    )

    def late() -> Iterator[bytes]:
        yield data[:40]
        uploads.append(upload, 0, iter([data[:70]]))  # the sender begins again by another connection
        yield data[40:60]

    with pytest.raises(InputError, match="70 bytes have arrived"):
        uploads.append(upload, 0, late())
    assert uploads.append(upload, 70, iter([data[70:]])) == 100
    with uploads.whole(upload) as file:
        assert file.read_bytes() == data


def test_a_team_that_sends_much_at_once_is_asked_to_wait(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.portal.receiving import taking

    monkeypatch.setattr(taking, "_MOST_AT_ONCE", 0)
    answer = world.api(world.person("ada", team="Ada")).submit(world.file(0.5))
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0


def test_who_finds_no_place_to_send_comes_back_and_pages_are_answered_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading
    from contextlib import ExitStack

    from striate.portal import client
    from striate.portal.receiving import crowd

    monkeypatch.setattr(crowd, "_places", threading.BoundedSemaphore(2))
    monkeypatch.setattr(crowd, "_queue", threading.Semaphore(0))
    monkeypatch.setattr(client, "_PART", 2**16)
    ada, file, waits = world.person("ada", team="Ada"), world.file(0.5), []
    data = file.read_bytes()
    about = {"filename": "x", "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    api = world.api(ada)
    number = api("POST", "uploads", about).json()["id"]
    with on_a_port() as address, ExitStack() as others:
        for _ in range(2):
            others.enter_context(crowd.place_to_send())
        for asked in (
            ("POST", "uploads", about),
            ("GET", f"uploads/{number}"),
            ("PUT", f"uploads/{number}?offset=0", data),
        ):
            answer = api(*asked)
            assert answer.status_code == 503
            assert 1 <= int(answer.headers["Retry-After"]) <= client._MOMENT
            assert answer.json()["detail"].startswith("Many people send files")
        assert world.browser().get("/boards/").status_code == 200

        def sleep(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) > client._TRIES:  # it is asked to wait more often than it would try what fails
                others.close()

        client.Portal(address, token=world.token(ada), sleep=sleep).send(file, wait=False)
    assert len(waits) == client._TRIES + 1
    assert max(waits) <= client._MOMENT


def test_who_waits_for_a_place_has_the_first_that_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    from striate.portal.receiving import crowd

    waits = threading.Event()

    class Queue(threading.Semaphore):
        def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
            waits.set()
            return super().acquire(blocking, timeout)

    monkeypatch.setattr(crowd, "_places", threading.BoundedSemaphore(1))
    monkeypatch.setattr(crowd, "_queue", Queue(1))
    monkeypatch.setattr(crowd, "_PATIENCE", 300.0)
    order: list[str] = []

    def send() -> None:
        with crowd.place_to_send():
            order.append("has a place")

    sender = threading.Thread(target=send, daemon=True)
    with crowd.place_to_send():
        sender.start()
        assert waits.wait(60)
        order.append("another one has it")
    sender.join(60)
    assert order == ["another one has it", "has a place"]
    crowd.require_place()


@pytest.mark.parametrize("error", ["OperationalError", "InterfaceError", "ValueError"])
def test_a_database_that_is_away_is_no_fault_but_a_reason_to_ask_again(
    world: World, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django import db
    from django.test import Client

    from striate.portal.models import MaintenanceWindow, Standing, Token

    def away(*_: Any, **__: Any) -> None:
        raise getattr(db, error, ValueError)("database is locked: /secret/place")

    monkeypatch.setattr(MaintenanceWindow, "current", away)
    monkeypatch.setattr(Standing.objects, "filter", away)
    monkeypatch.setattr(Token, "owner", away)
    browser = Client(raise_request_exception=False)
    answers = [
        browser.get("/boards/"),
        browser.get("/api/v1/submissions", headers={"Authorization": "Bearer x"}),
        browser.post("/team/"),
    ]
    for answer in answers:
        assert answer.status_code == (500 if error == "ValueError" else 503)
        assert ("Retry-After" in answer.headers) == (error != "ValueError")
        assert b"secret" not in answer.content


def test_a_lease_is_renewed_after_the_database_was_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import InterfaceError

    from striate.portal.models import Job
    from striate.portal.scoring import leases

    monkeypatch.setattr(leases, "_RENEWED_EVERY", 0.02)
    world.send(world.person("ada", team="Ada"), world.file(0.5))
    lease = leases.Lease.claim()
    assert lease is not None
    real, asked = leases.Lease._row.fget, []  # type: ignore[attr-defined]

    def away_at_first(self: Any) -> Any:
        asked.append(1)
        if len(asked) == 1:
            raise InterfaceError("the connection is closed")
        return real(self)

    monkeypatch.setattr(leases.Lease, "_row", property(away_at_first))
    before, until = Job.objects.get().leased_until, time.monotonic() + 60
    with lease.kept():
        while Job.objects.get().leased_until == before and time.monotonic() < until:
            time.sleep(0.02)
    assert Job.objects.get().leased_until > before


def test_what_killed_processes_left_is_swept(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    from django.utils import timezone

    from striate.portal.scoring.housekeeping import _sweep as sweep

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    decoded = tmp_path / "striate-decode-x"
    (decoded / "out").mkdir(parents=True)
    sweep(timezone.now() - timedelta(hours=1))
    assert decoded.exists(), "it may be in use"
    sweep(timezone.now() + timedelta(seconds=1))
    assert not decoded.exists()


def test_a_process_that_falls_is_started_again_after_growing_pauses(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from striate.portal.running import processes

    now = [0.0]
    monkeypatch.setattr(processes.time, "monotonic", lambda: now[0])
    falling = processes.Process("worker", "striate.there.is.no.such.module", dict(os.environ))
    falling.start()
    pauses = []
    with pytest.raises(StriateError, match="again and again"):
        while True:
            assert falling.running is not None
            first = falling.running
            first.wait(30)
            falling.watch()
            assert falling.due is not None
            falling.watch()
            assert falling.running is first, "not before its time"
            pauses.append(falling.due - now[0])
            now[0] = falling.due
            falling.watch()
            assert falling.running is not first
    assert pauses == sorted(pauses)
    assert pauses[0] <= 1 < 10 < pauses[-1]
    assert "the worker has ended and is started again" in caplog.text


def test_a_process_that_ran_long_is_not_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.portal.running import processes

    now = [0.0]
    monkeypatch.setattr(processes.time, "monotonic", lambda: now[0])
    killed = processes.Process("worker", "striate.there.is.no.such.module", dict(os.environ))
    killed.start()
    for _ in range(2 * processes._FALLS):
        assert killed.running is not None
        killed.running.wait(30)
        now[0] += 60
        killed.watch()
        assert killed.due is not None
        now[0] = killed.due
        killed.watch()
    assert killed.running is not None
    killed.running.wait(30)


def test_the_start_waits_for_the_database(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import OperationalError, connections

    from striate.portal.running import prepare

    database = type(connections["default"])

    asked = []

    def away(times: int) -> Any:
        def ensure(_: Any) -> None:
            asked.append(1)
            if len(asked) <= times:
                raise OperationalError("connection refused\nIs the server running?")

        return ensure

    with monkeypatch.context() as broken:
        broken.setattr(prepare.time, "sleep", lambda _: None)
        broken.setattr(database, "ensure_connection", away(3))
        prepare._wait_for_database()
        assert len(asked) == 4
        broken.setattr(prepare, "_PATIENCE", 0.0)
        broken.setattr(database, "ensure_connection", away(10**9))
        with pytest.raises(InputError, match=r"does not answer \(connection refused\)"):
            prepare._wait_for_database()


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["no database", "a folder"])
def test_a_database_file_that_cannot_be_used_is_said_at_once(folders: Path, tmp_path: Path, damage: str) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    file = tmp_path / "data" / "portal.sqlite3"
    file.mkdir() if damage == "a folder" else file.write_bytes(b"something else" * 1000)
    begun = time.monotonic()
    done = called("web", folders / "public", "--data", tmp_path / "data", "--port", free_port())
    assert_one_sentence(done, str(file), "cannot be opened")
    assert time.monotonic() - begun < 55
    assert "password" not in done.out


@pytest.mark.slow
def test_a_web_process_whose_master_is_killed_frees_its_port_though_somebody_still_sends(
    folders: Path, tmp_path: Path
) -> None:
    with served(folders, tmp_path / "data") as (address, running, _):
        (master,) = children(running.pid, "running.web")
        with socket.create_connection(("127.0.0.1", urlsplit(address).port or 0)) as slow:
            slow.sendall(
                b"POST /accounts/sign-in/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99\r\n"
                b"Content-Type: application/x-www-form-urlencoded\r\nCookie: csrftoken="
                + b"a" * 32
                + b"\r\n\r\nhalf of it"
            )
            time.sleep(0.5)
            os.kill(master, signal.SIGKILL)
            until = time.monotonic() + 60
            while time.monotonic() < until:
                started = [pid for pid in children(running.pid, "running.web") if pid != master]
                try:
                    if started and children(started[0], "running.web"):
                        urlopen(f"{address}health", timeout=1).close()
                        break
                except OSError:
                    pass
                time.sleep(0.2)
            else:
                pytest.fail("no page was answered within 10 seconds")


def test_the_log_tells_in_a_line_that_the_database_is_away(caplog: pytest.LogCaptureFixture) -> None:
    import json
    import logging

    from django.db import OperationalError

    from striate.portal.logs import JsonLines

    for error, key in ((OperationalError("connection refused\nmore"), "why"), (ValueError("x"), "traceback")):
        try:
            raise error
        except Exception:
            logging.getLogger("striate.portal").exception("a page")
        line = json.loads(JsonLines().format(caplog.records[-1]))
        assert key in line
        assert {"why", "traceback"} & line.keys() == {key}


def test_who_sends_slowly_and_much_at_once_leaves_places_to_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading
    from concurrent.futures import ThreadPoolExecutor

    from django.db import connections

    from striate.portal.receiving import crowd, uploads

    monkeypatch.setattr(crowd, "_places", threading.BoundedSemaphore(crowd.PLACES))
    monkeypatch.setattr(crowd, "_PATIENCE", 0.0)
    ada, ben = world.person("ada", team="Ada"), world.person("ben", team="Ben")
    upload = uploads.begin(ada, filename="x", size=10, sha256="0" * 64, most=10)
    real, over, begun = uploads.append, threading.Event(), threading.Semaphore(0)

    def append(to: Any, *given: Any) -> int:
        if to.by == ada:
            begun.release()
            assert over.wait(60)
            return 0
        return real(to, *given)

    monkeypatch.setattr(uploads, "append", append)
    api, other = world.api(ada), world.api(ben)

    def send() -> Any:
        try:
            return api("PUT", f"uploads/{upload.pk}?offset=0", b"x")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(crowd.PLACES) as senders:
        try:
            sent = [senders.submit(send) for _ in range(crowd.OF_ONE_PERSON)]
            for _ in sent:
                assert begun.acquire(timeout=60)
            refused = api("PUT", f"uploads/{upload.pk}?offset=0", b"x")
            assert refused.status_code == 503
            assert refused.json()["detail"].startswith("You send several files")
            assert int(refused.headers["Retry-After"]) >= 1
            assert other.submit(world.file(0.5)).status_code == 201
        finally:
            over.set()
    assert {each.result().status_code for each in sent} == {200}
    assert not crowd._sending
    assert api("PUT", f"uploads/{upload.pk}?offset=0", b"x").status_code == 200
