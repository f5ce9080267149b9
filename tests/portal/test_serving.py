"""The portal as its organiser starts it: what is made, what is refused, how it ends, and workers that are killed."""

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from benchmarks.ports import free_port

from striate.errors import InputError
from striate.portal import Place
from striate.portal.secret_key import secret_key, told_key
from striate.portal.vaults import refuse_readable_vault
from tests.fixtures.command import assert_one_sentence, run_in_process, striate
from tests.portal.world import World


def test_the_secret_key_is_made_once_for_this_user_alone(tmp_path: Path) -> None:
    key = secret_key(tmp_path / "key")
    assert len(key) > 50
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert secret_key(tmp_path / "key") == key
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(InputError, match="read by others"):
        secret_key(tmp_path / "key")


def test_machines_are_told_the_secret_key_that_they_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STRIATE_PORTAL_SECRET_KEY", raising=False)
    assert told_key() is None
    file = tmp_path / "key"
    monkeypatch.setenv("STRIATE_PORTAL_SECRET_KEY_FILE", str(file))
    with pytest.raises(InputError, match="is no file"):
        told_key()
    key = secret_key(file)
    assert told_key() == key
    file.chmod(0o640)
    with pytest.raises(InputError, match="read by others"):
        told_key()
    monkeypatch.setenv("STRIATE_PORTAL_SECRET_KEY", key[::-1])
    assert told_key() == key[::-1], "the key itself before a file"
    monkeypatch.setenv("STRIATE_PORTAL_SECRET_KEY", "short")
    with pytest.raises(InputError, match="at least 50") as refused:
        told_key()
    assert "short" not in str(refused.value).replace("too short", "")


def test_a_vault_is_found_whatever_its_name(folders: Path, tmp_path: Path) -> None:
    refuse_readable_vault([tmp_path])
    hidden = tmp_path / "some" / "holiday.jpg"
    hidden.parent.mkdir()
    shutil.copy(Path((folders / "built").read_text()) / "vault", hidden)
    for folder in (tmp_path, hidden.parent):
        with pytest.raises(InputError, match="can be read on this machine"):
            refuse_readable_vault([folder])


def test_data_do_not_lie_in_what_is_published(folders: Path) -> None:
    with pytest.raises(InputError):
        Place.of(folders / "public", folders / "public" / "data")
    with pytest.raises(InputError, match=r"no competition\.toml"):
        Place.of(folders)


def refused(folders: Path, *options: object, **environment: str) -> Any:
    return striate("serve", folders / "public", "--no-browser", "--data", folders / "refused", *options, **environment)


@pytest.mark.slow
def test_what_cannot_be_served_is_refused_with_a_sentence(folders: Path, tmp_path: Path) -> None:
    secret = Path((folders / "built").read_text())
    assert_one_sentence(refused(folders, "--live-truth", secret / "live-truth.npz"), "The vault", "can be read")
    assert_one_sentence(refused(folders, "--live-truth", tmp_path / "none.npz"), "no live truth")
    assert_one_sentence(refused(folders, "--host", "0.0.0.0"), "STRIATE_PORTAL_ADDRESS")
    live = tmp_path / "live.npz"
    shutil.copy(folders / "public-live-truth.npz", live)
    live.chmod(0o644)
    assert_one_sentence(refused(folders, "--live-truth", live), "other users")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert_one_sentence(refused(folders, "--port", taken.getsockname()[1]), "--port")
    uncommitted = tmp_path / "public"
    shutil.copytree(folders / "public", uncommitted)
    (uncommitted / "commitment.json").unlink()
    shutil.copy(folders / "public-live-truth.npz", tmp_path / "public-live-truth.npz")
    assert_one_sentence(striate("serve", uncommitted), "competition commit")


@pytest.mark.slow
@pytest.mark.parametrize("wrong", ["port", "host", "live truth"])
def test_what_keeps_the_portal_from_starting_is_said_before_anything_is_made(
    folders: Path, tmp_path: Path, wrong: str
) -> None:
    data = tmp_path / "data"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        options = {
            "port": ("--port", taken.getsockname()[1]),
            "host": ("--host", "nowhere.invalid"),
            "live truth": ("--live-truth", folders / "public" / "competition.toml"),
        }[wrong]
        ports = () if wrong == "port" else ("--port", free_port())
        told = {"STRIATE_PORTAL_ADDRESS": "https://portal.example.org"} if wrong == "host" else {}
        command = ("serve", folders / "public", "--no-browser", "--data", data, *ports, *options)
        done = striate(*command, **told)
    assert_one_sentence(done)
    assert "password" not in done.out
    assert not (data / "portal.sqlite3").exists() or not accounts(data), "nobody could know the password"


def accounts(data: Path) -> int:
    with closing(sqlite3.connect(data / "portal.sqlite3")) as database:
        there = database.execute("SELECT count(*) FROM sqlite_master WHERE name = 'portal_user'").fetchone()[0]
        return int(database.execute("SELECT count(*) FROM portal_user").fetchone()[0]) if there else 0


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_that_nobody_could_reach_is_refused(folders: Path, tmp_path: Path, port: int) -> None:
    for command in ((), ("web",)):
        done = run_in_process("serve", *command, folders / "public", "--data", tmp_path / "data", "--port", port)
        assert done.status == 2
        assert "--port" in done.err
    assert not (tmp_path / "data").exists()


def test_no_account_is_made_whose_token_cannot_be_written(world: World, folders: Path, tmp_path: Path) -> None:
    from striate.portal.models import User

    there = tmp_path / "token"
    there.write_text("of somebody else")
    command = ("serve", "account", folders / "public", "ada", "--email", "ada@example.org", "--team", "Ada")
    data = ("--data", world.place.data)
    for file in (there, there / "below"):
        done = run_in_process(*command, "--token-file", file, *data)
        assert_one_sentence(done)
        assert not User.objects.filter(username="ada").exists()
    done = run_in_process(*command, "--token-file", tmp_path / "new", *data)
    assert done.status == 0, done.err
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600


def test_without_the_extra_it_says_what_to_install(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "django" else real(name, *a))
    assert_one_sentence(run_in_process("serve", folders / "public"), "striate[portal]")


@contextmanager
def served(
    folders: Path, data: Path, stderr: Any = None, **extra: str
) -> Iterator[tuple[str, subprocess.Popen[str], str]]:
    """The portal in processes of its own: its address, the first process, the administrator's password."""
    port = free_port()
    command = ["serve", str(folders / "public"), "--no-browser", "--port", str(port), "--data", str(data)]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("STRIATE_PORTAL", "DJANGO"))
    }
    running = subprocess.Popen(
        [sys.executable, "-m", "striate", *command],
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        start_new_session=True,
        env=environment | extra,
    )
    assert running.stdout is not None
    first = running.stdout.readline()
    password = first.strip().rpartition(" ")[2] if "password" in first else ""
    address = f"http://127.0.0.1:{port}/"
    try:
        until = time.monotonic() + 60
        while True:
            try:
                urlopen(f"{address}health", timeout=5).close()
                break
            except (URLError, OSError):
                assert running.poll() is None
                assert time.monotonic() < until
                time.sleep(0.1)
        yield address, running, password
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()


def children(parent: int, module: str) -> list[int]:
    """Processes that a process has started."""
    listed = subprocess.run(["ps", "-eww", "-o", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()[1:]]
    return [int(pid) for pid, ppid, args in rows if int(ppid) == parent and module in args]


def gone(pids: list[int], seconds: float = 60) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        alive = subprocess.run(
            ["ps", "-o", "pid=,stat=", "-p", ",".join(map(str, pids))], capture_output=True, text=True, check=False
        )
        if all("Z" in line for line in alive.stdout.splitlines()):
            return True
        time.sleep(0.1)
    return False


def token(data: Path, folders: Path) -> str:
    """A token for a new participant, made in a process of its own."""
    code = """
import sys
from striate.portal import Place
from striate.portal.running.prepare import set_up
set_up(Place.of(sys.argv[1], sys.argv[2]))
from django.utils import timezone
from striate.portal.models import Membership, Team, Token, User
ada = User.objects.create_user("ada", "ada@example.org", "x", approved_at=timezone.now())
Membership.objects.create(user=ada, team=Team.objects.create(name="Ada"))
print(Token.make(ada, "x")[1])
"""
    done = subprocess.run(
        [sys.executable, "-c", code, folders / "public", data], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.slow
def test_one_command_serves_scores_and_ends_cleanly(folders: Path, tmp_path: Path) -> None:
    from striate.competition import Built, read_rules
    from tests.competition.examples import predictions

    secret = Path((folders / "built").read_text())
    rules, _ = read_rules(folders / "public")
    made = Built(rules, folders / "public", secret / "live-truth.npz", secret / "vault", {}, {})
    file = tmp_path / "submission.parquet"
    predictions(made, "sensorium", 0.5).write(file)
    data = tmp_path / "data"
    with served(folders, data) as (address, running, password):
        assert len(password) >= 20
        assert data.stat().st_mode & 0o777 == 0o700
        (web,), (worker,) = children(running.pid, "running.web"), children(running.pid, "running.worker")
        environment = Path(f"/proc/{web}/environ")
        if environment.exists():  # Linux tells what a process was told
            assert b"live-truth" not in environment.read_bytes()
        (tmp_path / "token").write_text(token(data, folders))
        send = ("submit", file, "--to", address, "--token-file", tmp_path / "token", "--json")
        os.kill(worker, signal.SIGKILL)
        done = striate(*send, STRIATE_SETTINGS=str(tmp_path / "settings"))
        assert done.status == 0, done.err
        assert json.loads(done.out)["state"] == "scored"
        started = children(running.pid, "running.worker")
        assert started
        assert started != [worker]
        with urlopen(f"{address}boards/sensorium-image.json", timeout=60) as answer:
            assert [row["team"] for row in json.load(answer)["rows"]] == ["Ada"]
        everything = [running.pid, web, *started, *children(web, "running.web")]
        running.send_signal(signal.SIGTERM)
        running.wait(40)
        assert gone(everything)
    with served(folders, data) as (address, running, password):
        assert not password, "it is shown once"
        everything = [*children(running.pid, "running.web"), *children(running.pid, "running.worker")]
        running.kill()
        assert gone(everything), "nothing serves on without the process that started it"


def test_an_organiser_makes_accounts_and_passwords(world: World) -> None:
    from striate.portal.running.prepare import new_account, new_password

    password, token = new_account("ada", "ada@example.org", "Team Ada")
    assert world.browser().login(username="ada", password=password)
    ask = {"headers": {"Authorization": f"Bearer {token}"}}
    assert world.browser().get("/api/v1/submissions", **ask).status_code == 200
    colleague, _ = new_account("bea", "bea@example.org", "team ada")
    assert colleague != password
    for name, email, team in (
        ("ADA", "other@example.org", "Other"),
        ("other", "ADA@example.org", "Other"),
        ("other", "other@example.org", "LN baseline"),
    ):
        with pytest.raises(InputError):
            new_account(name, email, team)
    assert world.browser().login(username="ada", password=new_password("ada"))
    assert world.browser().login(username="ada", password=new_password("ADA"))
    with pytest.raises(InputError, match="no account"):
        new_password("nobody")
