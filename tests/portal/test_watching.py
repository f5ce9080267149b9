"""What watches the portal is told: is it alive and ready, its numbers, its log lines; and no secret in any of them."""

import io
import json
import logging
import time
from datetime import timedelta
from typing import Any

import pytest

from tests.portal.world import PASSWORD, World


def numbers(text: str) -> dict[str, float]:
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


@pytest.mark.slow
def test_numbers_are_those_of_the_database(world: World) -> None:
    before = numbers(world.browser().get("/metrics").content.decode())
    ada = world.person("ada", team="Ada")
    world.scored(ada, world.file(0.5))
    world.send(ada, world.file(0.3))
    world.browser().get("/boards/")
    found = numbers(world.browser().get("/metrics").content.decode())
    assert found['striate_submissions{state="scored"}'] == 1
    assert found['striate_submissions{state="received"}'] == 1
    assert found['striate_jobs{kind="check"}'] == 1
    assert found["striate_receipts"] == found["striate_scores"] == found["striate_teams"] == 1
    assert found["striate_workers"] == 0
    assert found["striate_oldest_job_seconds"] >= 0
    counted = 'striate_answers_total{method="GET",page="boards",status="200"}'
    assert found[counted] == before.get(counted, 0) + 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"REMOTE_ADDR": "127.0.0.1"}, 200),
        ({"REMOTE_ADDR": "::1"}, 200),
        ({"REMOTE_ADDR": "10.0.0.7"}, 403),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "10.0.0.7"}, 403),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_REAL_IP": "10.0.0.7"}, 403),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_VIA": "1.1 proxy"}, 403),
        ({"REMOTE_ADDR": "10.0.0.7", "HTTP_AUTHORIZATION": "Bearer wrong"}, 403),
    ],
)
def test_numbers_are_for_organisers_and_this_machine(world: World, asked: dict[str, str], expected: int) -> None:
    assert world.browser().get("/metrics", **asked).status_code == expected


def test_an_organisers_token_lets_a_program_read_the_numbers(world: World) -> None:
    olga, ada = world.person("olga", staff=True), world.person("ada", team="Ada")
    for user, expected in ((olga, 200), (ada, 403)):
        asked = {"REMOTE_ADDR": "10.0.0.7", "HTTP_AUTHORIZATION": f"Bearer {world.token(user)}"}
        assert world.browser().get("/metrics", **asked).status_code == expected
        assert world.browser(user).get("/metrics", REMOTE_ADDR="10.0.0.7").status_code == expected


def test_it_is_ready_when_a_worker_was_seen_lately(world: World) -> None:
    from django.utils import timezone

    from striate.portal.models import Worker

    def ready() -> tuple[int, dict[str, bool]]:
        answer = world.browser().get("/ready")
        return answer.status_code, answer.json()

    assert ready() == (
        503,
        {"database": True, "tables": True, "storage": True, "disk": True, "worker": False, "clock": True},
    )
    worker = Worker.objects.create(name="one", scorer="x")
    assert ready()[0] == 200
    Worker.objects.update(seen_at=timezone.now() - timedelta(minutes=2))
    assert ready()[0] == 503
    worker.delete()
    assert not list(world.place.submissions.rglob("ready-*"))


def test_it_is_not_ready_where_files_cannot_be_written(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.core.files.storage import storages

    def full(*_: Any, **__: Any) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storages["submissions"], "save", full)
    assert world.browser().get("/ready").json()["storage"] is False


def test_it_is_not_ready_where_the_database_cannot_be_written(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import OperationalError, connection

    from striate.portal.organising import alive

    def reads_only(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if not sql.lstrip().upper().startswith(("SELECT", "BEGIN", "SAVEPOINT", "ROLLBACK", "RELEASE")):
            raise OperationalError("attempt to write a readonly database")
        return execute(sql, params, many, context)

    monkeypatch.setattr(alive, "_written", 0.0)
    with connection.execute_wrapper(reads_only):
        answer = world.browser().get("/ready")
    assert answer.status_code == 503
    assert (answer.json()["database"], answer.json()["tables"]) == (False, True)
    assert world.browser().get("/ready").json()["database"] is True


def test_few_threads_wait_for_a_database_that_is_locked(world: World) -> None:
    from striate.portal.organising import alive

    with alive._lock:  # as the first request holds it, for as long as the database makes it wait
        begun = time.monotonic()
        answer = world.browser().get("/ready")
    assert time.monotonic() - begun < 10
    assert answer.status_code == 503
    assert answer.json()["database"] is False


def test_it_is_not_ready_where_the_disk_is_full(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil
    from collections import namedtuple

    disk = namedtuple("disk", "total used free")(10**12, 10**12, 10**6)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: disk)
    answer = world.browser().get("/ready")
    assert answer.status_code == 503
    assert answer.json()["disk"] is False
    found = numbers(world.browser().get("/metrics").content.decode())
    assert (found["striate_disk_bytes"], found["striate_disk_free_bytes"]) == (10**12, 10**6)


def test_a_bad_host_is_refused_in_one_line(world: World, log: io.StringIO) -> None:
    for path in ("/", "/api/v1/competition"):
        answer = world.browser().get(path, HTTP_HOST="evil.example.org:99999")
        assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert [line for line in lines(log) if "HTTP_HOST" in line.get("why", "")]
    assert not [line for line in lines(log) if "traceback" in line]


@pytest.mark.slow
def test_a_web_process_measures_itself(tmp_path: Any) -> None:
    import os
    import subprocess
    import sys

    from striate.portal.organising import counting

    code = "from striate.portal.organising.counting import measure; measure(threads=40, busy=3, connections=9)"
    environment = {**os.environ, counting.FOLDER: str(tmp_path)}
    for _ in range(2):
        subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    read = (
        "from prometheus_client import CollectorRegistry, generate_latest, multiprocess as m; r = CollectorRegistry(); "
        "m.MultiProcessCollector(r); print(generate_latest(r).decode())"
    )
    done = subprocess.run([sys.executable, "-c", read], env=environment, check=True, capture_output=True, text=True)
    found = numbers(done.stdout)
    assert (found["striate_web_threads"], found["striate_web_threads_busy"]) == (80, 6)
    assert found["striate_web_connections"] == 18
    assert found["striate_web_memory_bytes"] > 2 * 10**6


@pytest.mark.slow
def test_a_worker_of_an_older_version_takes_no_job(world: World, log: io.StringIO) -> None:
    """Its tables were changed under it by an upgrade that did not stop it first."""
    from django.db import connection
    from django.db.migrations.recorder import MigrationRecorder

    from striate.portal.models import Job
    from striate.portal.running import worker

    world.send(world.person("ada", team="Ada"), world.file(0.5))
    recorder = MigrationRecorder(connection)
    recorder.record_applied("portal", "9999_later")
    ending = worker._Ending()
    ending.wait = lambda _seconds: ending.ask(0, None)  # type: ignore[method-assign]
    try:
        worker._work(world.live, ending)
    finally:
        recorder.record_unapplied("portal", "9999_later")
    sent = Job.objects.exclude(submission=None).filter(done_at=None)
    assert sent.exists()
    assert "9999_later" in log.getvalue()
    ending = worker._Ending()
    ending.wait = lambda _seconds: ending.ask(0, None)  # type: ignore[method-assign]
    worker._work(world.live, ending)
    assert not sent.exists()


def test_a_worker_says_that_it_is_there_and_when_it_ends(world: World) -> None:
    import time

    from striate.portal.models import Worker
    from striate.portal.running.heartbeat import heartbeat

    with heartbeat():
        until = time.monotonic() + 60
        while not Worker.there().exists():
            assert time.monotonic() < until
            time.sleep(0.02)
    assert not Worker.objects.exists()


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is written to standard error by the log, as the portal formats it."""
    from striate.portal.logs import JsonLines

    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(JsonLines())
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    return text


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_each_request_is_one_line(world: World, log: io.StringIO) -> None:
    ada = world.person("ada", team="Ada")
    answer = world.browser(ada).get("/team/", headers={"X-Request-Id": "from-the-proxy-1"})
    (line,) = [each for each in lines(log) if each["message"] == "answered"]
    assert line["request"] == answer.headers["X-Request-Id"] == "from-the-proxy-1"
    assert (line["method"], line["page"], line["status"], line["user"]) == ("GET", "team", 200, ada.pk)
    assert line["ms"] > 0
    strange = world.browser().get("/", headers={"X-Request-Id": 'x"\n{'})
    assert strange.headers["X-Request-Id"] != 'x"\n{'
    world.browser().get("/health")
    assert len([each for each in lines(log) if each["message"] == "answered"]) == 2


def test_no_secret_is_in_any_line(world: World, log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.portal.models import User

    ada = world.person("ada", team="Ada")
    token = world.token(ada)
    browser = world.browser()
    browser.post("/accounts/sign-in/", {"username": "ada", "password": "a wrong password"})
    browser.post("/accounts/sign-in/", {"username": "ada", "password": PASSWORD})
    session = browser.cookies["sessionid"].value
    browser.get(f"/team/join/{ada.team.invitation}/")
    browser.get("/accounts/reset/Mg/abc-secret-link/")
    browser.get("/accounts/verify/very-secret-link/?token=secret-in-the-query")
    world.browser().get("/api/v1/submissions", headers={"Authorization": f"Bearer {token}"})
    # The worst: an exception whose text and traceback hold everything.
    from striate.portal.accounts import teams

    def breaks(*_: Any, **__: Any) -> None:
        raise RuntimeError(
            f"Key (lower(email))=(ada@example.org) exists; token={token}; sessionid={session}; "
            f"password='{PASSWORD.replace(' ', '')}'; postgresql://striate:hunter2@host/name; "
            f"/team/join/{ada.team.invitation}/"
        )

    monkeypatch.setattr(teams, "get_object_or_404", breaks)
    invitation = User.objects.get(pk=ada.pk).team.invitation
    browser.raise_request_exception = False
    assert browser.get(f"/team/join/{invitation}/").status_code == 500
    text = log.getvalue()
    assert "RuntimeError" in text
    assert all(isinstance(line, dict) for line in lines(log))
    for secret in (
        token, token[8:], session, PASSWORD, PASSWORD.replace(" ", ""), "a wrong password", "ada@example.org",
        "hunter2", invitation, "abc-secret-link", "very-secret-link", "secret-in-the-query",
    ):  # fmt: skip
        assert secret not in text, secret


@pytest.mark.slow
def test_counts_are_those_of_all_processes(world: World, tmp_path: Any) -> None:
    import os
    import subprocess
    import sys

    from striate.portal.organising import counting

    count = "from striate.portal.organising.counting import count; count('GET', 'home', 200, 0.01)"
    environment = {**os.environ, counting.FOLDER: str(tmp_path)}
    for _ in range(2):
        subprocess.run([sys.executable, "-c", count], env=environment, check=True)
    read = (
        "from prometheus_client import CollectorRegistry, generate_latest, multiprocess as m; r = CollectorRegistry(); "
        "m.MultiProcessCollector(r); print(generate_latest(r).decode())"
    )
    done = subprocess.run([sys.executable, "-c", read], env=environment, check=True, capture_output=True, text=True)
    assert 'striate_answers_total{method="GET",page="home",status="200"} 2.0' in done.stdout
