"""The files of `deploy/`: the programs that they are for take them, and they say what the guide says."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.portal.world import World

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted(path.name for path in DEPLOY.glob("striate-*"))


def test_the_guide_shows_every_file_as_it_is() -> None:
    guide = (ROOT / "docs" / "how-to" / "deploy-a-portal.md").read_text()
    shown = set(re.findall(r"```\{literalinclude\} \.\./\.\./deploy/(\S+)", guide))
    assert shown == {path.name for path in DEPLOY.iterdir()}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
@pytest.mark.parametrize("unit", UNITS)
def test_systemd_takes_the_units(unit: str, tmp_path: Path) -> None:
    for name in UNITS:  # the program is not installed here, and its users are not there
        text = (DEPLOY / name).read_text().replace("/opt/striate/bin/striate", "/bin/true")
        (tmp_path / name).write_text(text.replace("postgresql.service", "").replace("network-online.target", ""))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / unit],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    wrong = [line for line in done.stderr.splitlines() if unit in line]
    assert not wrong, done.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
@pytest.mark.parametrize("unit", [name for name in UNITS if name.endswith(".service")])
def test_the_units_take_from_the_services_what_they_do_not_need(unit: str) -> None:
    command = [
        "systemd-analyze",
        "security",
        "--offline=true",
        "--threshold=20",
        "--no-pager",
        DEPLOY / unit,
    ]  # 2.0 of 10
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze judges only what is running")
    assert done.returncode == 0, done.stdout + done.stderr
    text = (DEPLOY / unit).read_text()
    folder, access = "/srv/striate/truth", "ReadOnlyPaths=" if "worker" in unit else "InaccessiblePaths=-"
    assert f"\n{access}{folder}\n" in text, "the live truth is the worker's alone"
    filtered = re.search(r"^SystemCallFilter=(.*)$", text, re.MULTILINE)
    assert filtered
    assert filtered[1].count("landlock_") == 3, "what reads participants' files confines itself"


def test_proxies_let_through_the_largest_file_that_a_browser_may_send(portal: World) -> None:
    from striate.competition.tables import Limits
    from striate.portal.receiving.taking import LARGER_AS_TEXT

    largest = Limits.model_fields["megabytes"].default * LARGER_AS_TEXT + 5
    for name, setting in (("nginx.conf", r"client_max_body_size (\d+)m;"), ("Caddyfile", r"max_size (\d+)MiB")):
        found = [int(each) for each in re.findall(setting, (DEPLOY / name).read_text())]  # of uploads, and of the rest
        assert len(found) == 2
        assert max(found) >= largest, name


@pytest.mark.skipif(shutil.which("nginx") is None, reason="there is no nginx")
def test_nginx_takes_its_file(tmp_path: Path) -> None:
    text = (DEPLOY / "nginx.conf").read_text()
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=portal.example.org"]
    subprocess.run([*make, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    text = re.sub(r"ssl_certificate \S+;", f"ssl_certificate {certificate};", text)
    text = re.sub(r"ssl_certificate_key \S+;", f"ssl_certificate_key {key};", text)
    text = re.sub(r"listen (\[::\]:)?(80|443)\b", lambda m: f"listen {m[1] or '127.0.0.1:'}48{m[2].zfill(3)}", text)
    whole = tmp_path / "nginx.conf"
    whole.write_text(f"pid {tmp_path}/pid; error_log stderr; events {{}}\nhttp {{ access_log off; {text} }}\n")
    done = subprocess.run(["nginx", "-t", "-c", whole, "-p", tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_setting_is_one_that_the_portal_reads() -> None:
    names = re.findall(r"^([A-Z_]+)=", (DEPLOY / "portal.env").read_text(), re.MULTILINE)
    code = "".join(path.read_text() for path in (ROOT / "src" / "striate").rglob("*.py"))
    assert names
    assert all(f'"{name}"' in code for name in names)
    commands = re.findall(r"striate serve (\w+)", "".join(path.read_text() for path in DEPLOY.glob("*.service")))
    assert set(commands) == {"web", "worker", "backup"}


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


def as_user(number: int, group: int, do: Any) -> int:
    """Do something as another user, in a process of its own; its exit status."""
    child = os.fork()
    if child == 0:
        try:
            os.umask(0o007)
            os.setgroups([])
            os.setgid(group)
            os.setuid(number)
            do()
        except BaseException as error:
            os.write(2, f"{error!r}\n".encode())
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")
@pytest.mark.parametrize("shared", [True, False])
def test_two_users_of_a_group_share_files_where_that_is_set(
    world: World, open_folder: Path, shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.core.files.storage import FileSystemStorage

    from striate.portal import storage as files

    folder, file = (0o770, 0o660) if shared else (0o700, 0o600)
    monkeypatch.setattr(files, "FOLDER_MODE", folder)
    monkeypatch.setattr(files, "FILE_MODE", file)
    os.chown(open_folder, 52001, 52000)
    open_folder.chmod(0o770 if shared else 0o700)
    store = FileSystemStorage(location=str(open_folder))

    def take() -> None:
        sent = open_folder / "sent"
        sent.write_bytes(b"predictions")
        files.put(store, sent, "incoming/1/submission.parquet")

    def keep() -> None:
        with files.on_disk(store, "incoming/1/submission.parquet") as (read,):
            assert read.read_bytes() == b"predictions"
            files.put(store, read, "abc.parquet", copy=True)
        store.delete("incoming/1/submission.parquet")
        store.delete("incoming/1")

    def read() -> None:
        assert (open_folder / "abc.parquet").read_bytes() == b"predictions"

    assert as_user(52001, 52000, take) == 0
    assert (as_user(52002, 52000, keep) == 0) is shared
    assert as_user(52003, 52009, read) == 1, "nobody else"
    if shared:
        assert as_user(52001, 52000, read) == 0
