"""The proxies of `deploy/` before a real portal, as its services start it, on PostgreSQL."""

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import urllib3
from benchmarks.ports import free_port

from striate.competition import Built, read_rules
from striate.fetch import OutageError
from striate.portal.client import Portal
from tests.competition.examples import predictions
from tests.fixtures import servers
from tests.fixtures.command import striate
from tests.portal.test_serving import gone

pytestmark = pytest.mark.slow

DEPLOY = Path(__file__).parents[2] / "deploy"
BIG = 100 * 10**6  # bytes
SEEN_ONCE = ("Strict-Transport-Security", "Content-Security-Policy", "X-Frame-Options", "X-Content-Type-Options")


@dataclass
class Site:
    """A portal behind a proxy."""

    folders: Path
    data: Path
    address: str
    plain: str
    web_port: int
    authority: Path
    environment: dict[str, str]
    running: dict[str, subprocess.Popen[str]] = field(default_factory=dict)

    def start(self, part: str, *options: object) -> None:
        """Start one of the two processes, as its unit does."""
        command = ["serve", part, self.folders / "public", "--data", self.data, *options]
        self.running[part] = subprocess.Popen(
            [sys.executable, "-m", "striate", *map(str, command)],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def start_web(self) -> None:
        """Start the web process, and wait until it answers."""
        self.start("web", "--port", self.web_port)
        wait_for(lambda: urlopen(f"http://127.0.0.1:{self.web_port}/health", timeout=5).status == 200)

    def stop(self, part: str) -> None:
        """End a process, as systemd does."""
        process = self.running.pop(part)
        process.send_signal(signal.SIGTERM)
        process.wait(40)

    def client(self, source: str = "127.0.0.1") -> urllib3.PoolManager:
        """Somebody who asks from an address of the network."""
        return urllib3.PoolManager(ca_certs=str(self.authority), source_address=(source, 0), retries=False, timeout=60)

    def command(self, *arguments: object) -> Any:
        """Run ``striate`` as somebody who trusts the proxy's certificate."""
        return striate(*arguments, **{**self.environment, "SSL_CERT_FILE": str(self.authority)})

    def inside(self, code: str) -> str:
        """Do something in a process of its own, beside the portal."""
        begin = "import sys\nfrom striate.portal import Place\nfrom striate.portal.running.prepare import set_up\nset_up(Place.of(*sys.argv[1:]))\n"
        command = [sys.executable, "-c", begin + code, self.folders / "public", self.data]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=self.environment, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def wait_for(true: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something is so; what raises an OSError is not so yet."""
    until = time.monotonic() + seconds
    while True:
        try:
            if true():
                return
        except (OSError, urllib3.exceptions.HTTPError):
            pass
        assert time.monotonic() < until
        time.sleep(0.1)


def by_caddy(folder: Path, port: int, plain: int, web: int) -> tuple[list[str], Path]:
    """The Caddyfile, with the ports of this test and a certificate that Caddy makes itself."""
    text = (DEPLOY / "Caddyfile").read_text()
    text = re.sub(r"^portal\.example\.org \{", f"localhost:{port} {{\n\ttls internal", text, flags=re.MULTILINE)
    text = text.replace("127.0.0.1:8000", f"127.0.0.1:{web}")
    here = f"\thttp_port {plain}\n\thttps_port {port}\n\tadmin off\n\tskip_install_trust\n\tstorage file_system {folder}/kept\n"
    (folder / "Caddyfile").write_text(re.sub(r"^\{\n", f"{{\n{here}", text, count=1, flags=re.MULTILINE))
    checked = subprocess.run(
        ["caddy", "validate", "--adapter", "caddyfile", "--config", folder / "Caddyfile"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HOME": str(folder)},
    )
    assert checked.returncode == 0, checked.stderr
    assert '"level":"warn"' not in re.sub(r".*(HTTP/3|OCSP).*", "", checked.stderr), checked.stderr
    run = ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
    return run, folder / "kept" / "pki" / "authorities" / "local" / "root.crt"


def by_nginx(folder: Path, port: int, plain: int, web: int) -> tuple[list[str], Path]:
    """The configuration of nginx, with the ports of this test and a certificate that signs itself."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    make += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(make, check=True, capture_output=True)
    text = (DEPLOY / "nginx.conf").read_text()
    text = re.sub(r"ssl_certificate \S+;", f"ssl_certificate {certificate};", text)
    text = re.sub(r"ssl_certificate_key \S+;", f"ssl_certificate_key {key};", text)
    text = re.sub(r" *listen \[::\]\S* ?(ssl)?;\n", "", text)
    text = text.replace("listen 80;", f"listen 127.0.0.1:{plain};").replace("listen 443 ", f"listen 127.0.0.1:{port} ")
    text = text.replace("portal.example.org", "localhost").replace("127.0.0.1:8000", f"127.0.0.1:{web}")
    # On the ports that it is for, the address has none.
    text = text.replace("https://$server_name", f"https://$server_name:{port}").replace("Host $host", "Host $http_host")
    whole = f"user root; pid {folder}/pid; error_log {folder}/log; daemon off; events {{}}\nhttp {{ access_log off;\n"
    whole += f"client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n{text} }}\n"
    (folder / "nginx.conf").write_text(whole if os.geteuid() == 0 else whole.removeprefix("user root; "))
    return ["nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder)], certificate


PROXIES = {"caddy": by_caddy, "nginx": by_nginx}


@contextmanager
def proxied(proxy: str, folders: Path, folder: Path, database: str) -> Iterator[Site]:
    port, plain, web = free_port(), free_port(), free_port()
    command, authority = PROXIES[proxy](folder, port, plain, web)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("STRIATE_PORTAL", "DJANGO"))}
    told = {
        "DATABASE_URL": database,
        "STRIATE_PORTAL_ADDRESS": f"https://localhost:{port}",
        "STRIATE_SETTINGS": str(folder / "settings"),
    }
    site = Site(
        folders,
        folder / "data",
        f"https://localhost:{port}/",
        f"http://localhost:{plain}/",
        web,
        authority,
        clean | told,
    )
    before = subprocess.Popen(command, stderr=(folder / "proxy.log").open("w"), env={**os.environ, "HOME": str(folder)})
    try:
        site.start_web()
        site.start("worker", "--live-truth", folders / "public-live-truth.npz")
        wait_for(lambda: authority.is_file() and site.client().request("GET", f"{site.address}health").status == 200)
        wait_for(lambda: urlopen(f"http://127.0.0.1:{web}/ready", timeout=5).status == 200)
        yield site
    finally:
        for process in site.running.values():
            process.terminate()
        before.terminate()
        for process in (*site.running.values(), before):
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
        assert gone([before.pid])


@pytest.fixture(scope="module", params=PROXIES)
def site(request: pytest.FixtureRequest, folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The portal behind each of the proxies that is installed."""
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    with ExitStack() as stack:
        database = stack.enter_context(servers.postgresql())
        folder = tmp_path_factory.mktemp(request.param)
        site = stack.enter_context(proxied(request.param, folders, folder, database))
        made = site.command(
            *("serve", "account", folders / "public", "ada", "--email", "ada@example.org", "--team", "Ada"),
            *("--token-file", folder / "token", "--data", site.data),
        )
        assert made.status == 0, made.err
        yield site


def test_people_come_encrypted_and_each_header_is_there_once(site: Site) -> None:
    moved = site.client().request("GET", f"{site.plain}boards/", redirect=False)
    assert moved.status in (301, 308)
    assert re.sub(r":\d+/", "/", moved.headers["Location"]) == "https://localhost/boards/"
    page = site.client().request("GET", f"{site.address}accounts/sign-in/")
    assert page.status == 200
    for name in (*SEEN_ONCE, "Server", "Date", "X-Request-Id"):
        assert len(page.headers.getlist(name)) == 1, name
    assert "gunicorn" not in page.headers["Server"]
    cookies = page.headers.getlist("Set-Cookie")
    assert cookies
    assert all("Secure" in cookie and "HttpOnly" in cookie for cookie in cookies)


def sign_in(site: Site, client: urllib3.PoolManager, name: str, pretended: str) -> int:
    page = client.request("GET", f"{site.address}accounts/sign-in/")
    cookie = page.headers["Set-Cookie"].partition(";")[0]
    (secret,) = set(re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page.data.decode()))
    about = {
        "Cookie": cookie,
        "Referer": f"{site.address}accounts/sign-in/",
        "X-Forwarded-For": pretended,
        "X-Real-Ip": pretended,
        "Forwarded": f"for={pretended}",
    }
    return client.request(
        "POST",
        f"{site.address}accounts/sign-in/",
        fields={"csrfmiddlewaretoken": secret, "username": name, "password": "wrong"},
        encode_multipart=False,
        headers=about,
        redirect=False,
    ).status


def test_limits_count_people_by_what_the_proxy_saw(site: Site) -> None:
    one, other = site.client("127.0.0.2"), site.client("127.0.0.3")
    answers = [sign_in(site, one, "nobody", f"10.0.0.{n}") for n in range(12)]
    assert answers[:10] == [200] * 10
    assert answers[10:] == [429] * 2, "who says to be somebody else is the same"
    assert sign_in(site, other, "nobody", "127.0.0.2") == 200, "another address is counted by itself"


def test_numbers_are_for_this_machine_and_not_for_who_comes_through_the_proxy(site: Site) -> None:
    pretended = {"X-Forwarded-For": "127.0.0.1"}
    assert site.client().request("GET", f"{site.address}metrics", headers=pretended).status == 403
    assert urlopen(f"http://127.0.0.1:{site.web_port}/metrics", timeout=60).status == 200


def test_a_large_file_goes_up_in_parts_and_down_in_ranges(site: Site, tmp_path: Path) -> None:
    token = site.inside(
        "from striate.portal.models import Token, User\nprint(Token.make(User.objects.get(username='admin'), 'x')[1])"
    )
    folder = tmp_path / "version"
    shutil.copytree(site.folders / "public", folder)
    content = os.urandom(2**20) * (BIG // 2**20)
    (folder / "extra.bin").write_bytes(content)
    (tmp_path / "token").write_text(token)
    done = site.command(
        *("data", "push", folder, "--to", site.address, "--note", "x", "--token-file", tmp_path / "token"),
        *("--allow", "extra.bin"),
    )
    assert done.status == 0, done.err
    asks = {"Authorization": f"Bearer {token}"}
    client = site.client()
    number = site.inside(
        "from striate.portal.models import Acceptance, Snapshot, User\nfrom striate.portal.hosting.dataset import terms_digest\n"
        "Acceptance.objects.create(user=User.objects.get(username='admin'), sha256=terms_digest(Snapshot.objects.first()))\nprint(Snapshot.objects.first().number)"
    )
    address = f"{site.address}data/{number}/files/extra.bin"
    part = client.request("GET", address, headers=asks | {"Range": "bytes=50000000-50001234"})
    assert part.status == 206, part.data[:300]
    assert part.headers["Content-Range"] == f"bytes 50000000-50001234/{len(content)}"
    assert part.data == content[50_000_000:50_001_235]
    same = {"Range": "bytes=-5", "If-Range": part.headers["ETag"]}
    assert client.request("GET", address, headers=asks | same).data == content[-5:]
    whole = client.request("GET", address, headers=asks, preload_content=False)
    digest = hashlib.sha256()
    for piece in whole.stream(2**20):
        digest.update(piece)
    assert digest.hexdigest() == hashlib.sha256(content).hexdigest()


def test_what_is_larger_than_any_file_is_refused(site: Site) -> None:
    host = urllib3.util.parse_url(site.address)
    context = ssl.create_default_context(cafile=str(site.authority))
    with context.wrap_socket(socket.create_connection(("127.0.0.1", host.port)), server_hostname="localhost") as sent:
        sent.settimeout(20)
        head = f"POST /accounts/sign-in/ HTTP/1.1\r\nHost: localhost:{host.port}\r\nContent-Length: 3000000000\r\n"
        sent.sendall(f"{head}Content-Type: multipart/form-data; boundary=x\r\n\r\n".encode())
        try:
            for _ in range(64):
                sent.sendall(b"x" * 2**20)
        except OSError:  # it has answered, and takes no more
            pass
        assert sent.recv(200).startswith(b"HTTP/1.1 413 ")


def test_slow_senders_leave_the_site_to_others(site: Site) -> None:
    """As many as the portal has threads, and more: half a header each, and half a body each."""
    host = urllib3.util.parse_url(site.address)
    context = ssl.create_default_context(cafile=str(site.authority))
    half_header = f"GET / HTTP/1.1\r\nHost: localhost:{host.port}\r\nX-Slow: "
    half_body = f"POST /language/ HTTP/1.1\r\nHost: localhost:{host.port}\r\nContent-Type: text/plain\r\nContent-Length: 9000\r\n\r\nx"
    with ExitStack() as stack:
        for each in (half_header, half_body) * 60:
            plain = stack.enter_context(socket.create_connection(("127.0.0.1", host.port)))
            sent = stack.enter_context(context.wrap_socket(plain, server_hostname="localhost"))
            sent.sendall(each.encode())
        time.sleep(1)
        for path in ("health", "boards/", "accounts/sign-in/"):
            assert site.client().request("GET", f"{site.address}{path}", timeout=10).status == 200
        assert sign_in(site, site.client("127.0.0.9"), "nobody", "") == 200


def test_maintenance_is_told_through_the_proxy(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(site.authority))
    token = (site.data.parent / "token").read_text().strip()
    asks = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    site.inside(
        "from datetime import timedelta\nfrom django.utils import timezone\nfrom striate.portal.models import MaintenanceWindow\n"
        "now = timezone.now()\nMaintenanceWindow.objects.create(starts=now, ends=now + timedelta(hours=1))"
    )
    try:
        client = site.client()
        refused = client.request("POST", f"{site.address}api/v1/uploads", body=b"{}", headers=asks)
        assert refused.status == 503
        assert 3000 < int(refused.headers["Retry-After"]) <= 3600
        waits: list[float] = []
        sender = Portal(site.address, token=token, sleep=waits.append)
        for _ in range(5):  # it answers before the whole part has arrived
            with pytest.raises(OutageError, match="under maintenance until"):
                sender._ask("PUT", "api/v1/uploads/1?offset=0", body=bytes(8 * 2**20), tries=1)
        assert not waits
        assert client.request("GET", f"{site.address}boards/").status == 200
    finally:
        site.inside("from striate.portal.models import MaintenanceWindow\nMaintenanceWindow.objects.all().delete()")


def test_a_sender_waits_for_a_web_process_that_is_started_again(site: Site, tmp_path: Path) -> None:
    secret = Path((site.folders / "built").read_text())
    rules, _ = read_rules(site.folders / "public")
    made = Built(rules, site.folders / "public", secret / "live-truth.npz", secret / "vault", {}, {})
    predictions(made, "sensorium", 0.5).write(tmp_path / "submission.parquet")
    site.stop("web")
    sender = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "striate",
            "submit",
            tmp_path / "submission.parquet",
            "--to",
            site.address,
            "--token-file",
            site.data.parent / "token",
            "--json",
        ],
        env={**site.environment, "SSL_CERT_FILE": str(site.authority)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(5)
    assert sender.poll() is None, "it waits"
    site.start_web()
    out, error = sender.communicate(timeout=60)
    assert sender.returncode == 0, error
    sent = json.loads(out)
    assert sent["state"] == "scored"
    assert sent["page"].startswith(site.address)
    board = site.client().request("GET", f"{site.address}boards/sensorium-image.json")
    assert [row["team"] for row in json.loads(board.data)["rows"]] == ["Ada"]
