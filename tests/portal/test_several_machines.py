"""A portal on several machines: two web processes and a worker, each with a folder of its own, share a database and a bucket."""

import hashlib
import http.client
import http.cookiejar
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener, urlopen

import pytest
from benchmarks.ports import free_port

from tests.fixtures import servers
from tests.fixtures.command import assert_one_sentence, striate

KEY = "a key that all machines share, as long as it has to be, and longer"


@dataclass
class Machine:
    """A process of the portal on a machine of its own."""

    address: str
    running: subprocess.Popen[bytes]

    def answers(self) -> bool:
        try:
            urlopen(f"{self.address}health", timeout=5).close()
        except (URLError, OSError):
            assert self.running.poll() is None
            return False
        return True

    def kill(self) -> None:
        if self.running.poll() is None:
            os.killpg(self.running.pid, signal.SIGKILL)
        self.running.wait()

    def ask(self, method: str, path: str, token: str, body: Any = None) -> dict[str, Any]:
        """Call the API."""
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        kind = "application/json" if isinstance(body, dict) else "application/octet-stream"
        headers = {"Authorization": f"Bearer {token}", "Content-Type": kind}
        with urlopen(Request(f"{self.address}api/v1/{path}", data, headers, method=method), timeout=60) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def board(self) -> list[dict[str, Any]]:
        with urlopen(f"{self.address}boards/sensorium-image.json", timeout=60) as answer:
            rows: list[dict[str, Any]] = json.load(answer)["rows"]
        return rows


@pytest.fixture
def shared(folders: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mapping[str, str]]:
    """What the machines share, as their environment tells it."""
    with servers.postgresql() as database, servers.s3() as address:
        told = {
            "DATABASE_URL": database,
            "STRIATE_PORTAL_STORAGE": servers.storage_setting(address),
            "STRIATE_PORTAL_SECRET_KEY": KEY,
            "STRIATE_PORTAL_WEB_WORKERS": "1",
        }
        for name, value in told.items():
            monkeypatch.setenv(name, value)
        yield told


@contextmanager
def machine(folders: Path, data: Path, what: str, *options: str) -> Iterator[Machine]:
    port = free_port()
    command = ["serve", what, str(folders / "public"), "--data", str(data), *options]
    if what == "web":
        command += ["--port", str(port)]
    kept = {k: v for k, v in os.environ.items() if k not in ("STRIATE_PORTAL_COMPETITION", "STRIATE_PORTAL_DATA")}
    running = subprocess.Popen(
        [sys.executable, "-m", "striate", *command], stdout=subprocess.DEVNULL, start_new_session=True, env=kept
    )
    made = Machine(f"http://127.0.0.1:{port}/", running)
    try:
        yield made
    finally:
        made.kill()


def wait_for(condition: Any, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.1)


def begin_to_send(web: Machine, path: str, token: str, body: bytes, sent: int) -> http.client.HTTPConnection:
    """Send the head of a request and some of its body, and leave it at that."""
    connection = http.client.HTTPConnection(web.address.split("/")[2], timeout=30)
    connection.putrequest("PUT", f"/api/v1/{path}")
    for name, value in (("Authorization", f"Bearer {token}"), ("Content-Length", str(len(body)))):
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(body[:sent])
    return connection


@pytest.mark.slow
def test_two_web_machines_and_a_worker_are_one_portal(folders: Path, shared: Mapping[str, str], tmp_path: Path) -> None:
    from striate.competition import Built, read_rules
    from tests.competition.examples import predictions

    secret = Path((folders / "built").read_text())
    rules, _ = read_rules(folders / "public")
    made = Built(rules, folders / "public", secret / "live-truth.npz", secret / "vault", {}, {})
    file = tmp_path / "submission.parquet"
    predictions(made, "sensorium", 0.5).write(file)
    data = file.read_bytes()
    live = ("--live-truth", str(folders / "public-live-truth.npz"))
    with ExitStack() as stack:
        # All three prepare the empty database at once.
        first, second, _worker = (
            stack.enter_context(machine(folders, tmp_path / name, *what))
            for name, what in (("first", ("web",)), ("second", ("web",)), ("third", ("worker", *live)))
        )
        wait_for(first.answers)
        wait_for(second.answers)
        token_file = tmp_path / "token"
        told = ("--email", "ada@example.org", "--team", "Ada", "--token-file", token_file, "--data", tmp_path / "first")
        account = striate("serve", "account", folders / "public", "ada", *told)
        assert account.status == 0, account.err
        token = token_file.read_text().strip()

        browser = build_opener(HTTPCookieProcessor(http.cookiejar.CookieJar()))
        page = browser.open(f"{first.address}accounts/sign-in/", timeout=60).read().decode()
        (csrf,) = set(re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page))
        password = account.out.partition("shown this once: ")[2].split()[0]
        form = {"csrfmiddlewaretoken": csrf, "username": "ada", "password": password}
        headers = {"Referer": first.address}
        browser.open(Request(f"{first.address}accounts/sign-in/", urlencode(form).encode(), headers), timeout=60)
        assert "ada@example.org" in browser.open(f"{second.address}accounts/", timeout=60).read().decode()

        about = {"filename": "x.parquet", "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        number = first.ask("POST", "uploads", token, about)["id"]
        part, at = len(data) // 8, 0
        for web in (second, first, second, first):
            at = web.ask("PUT", f"uploads/{number}?offset={at}", token, data[at : at + part])["received"]
            assert at % part == 0
        # One that breaks off is kept as far as it came, where the sender goes away …
        begin_to_send(first, f"uploads/{number}?offset={at}", token, data[at:], part).close()
        wait_for(lambda: second.ask("GET", f"uploads/{number}", token)["received"] == at + part, 20)
        at += part
        # … and costs nothing but its own bytes where the machine dies.
        half = begin_to_send(first, f"uploads/{number}?offset={at}", token, data[at:], part)
        first.kill()
        half.close()
        assert second.ask("GET", f"uploads/{number}", token)["received"] == at
        with pytest.raises(HTTPError, match="422"):
            second.ask("PUT", f"uploads/{number}?offset={at - 1}", token, data[at - 1 :])
        assert second.ask("PUT", f"uploads/{number}?offset={at}", token, data[at:])["received"] == len(data)
        sent = second.ask("POST", "submissions", token, {"upload": number})
        wait_for(lambda: second.ask("GET", f"submissions/{sent['id']}", token)["over"], 40)
        assert second.ask("GET", f"submissions/{sent['id']}", token)["state"] == "scored"
        wait_for(second.board, 20)
        assert [row["team"] for row in second.board()] == ["Ada"]

        new = stack.enter_context(machine(folders, tmp_path / "fourth", "web"))
        wait_for(new.answers)
        assert new.board() == second.board(), "a machine with an empty folder serves the same"
        assert "ada@example.org" in browser.open(f"{new.address}accounts/", timeout=60).read().decode()
        kept = browser.open(f"{new.address}submissions/{sent['id']}/file/", timeout=60).read()
        assert kept == data
        for folder in (tmp_path / "first", tmp_path / "second", tmp_path / "third"):
            assert not [path for path in (folder / "submissions").rglob("*") if path.is_file()]
            assert not (folder / "secret-key").exists()
            assert not (folder / "portal.sqlite3").exists()


@pytest.mark.slow
def test_a_storage_that_cannot_be_used_is_a_sentence_at_the_start(folders: Path, tmp_path: Path) -> None:
    with servers.s3() as address:
        for setting, said in (
            ("ftp://bucket", "begins with ftp:"),
            (servers.storage_setting(address).replace(servers.BUCKET, "other"), "NoSuchBucket"),
            (servers.storage_setting("http://127.0.0.1:1"), "does not answer"),
        ):
            serve = ("serve", "web", folders / "public", "--data", tmp_path / "data")
            refused = striate(*serve, STRIATE_PORTAL_STORAGE=setting)
            assert_one_sentence(refused, "STRIATE_PORTAL_STORAGE", said)
            assert "of-the-tests" not in refused.err, "the key is not told"
