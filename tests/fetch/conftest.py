"""No test of fetching touches the user's own caches and settings, or asks a proxy."""

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from tests.fixtures import hosts
from tests.fixtures.hosts import Host

_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("STRIATE_SETTINGS", str(tmp_path / "settings"))
    for name in ("STRIATE_CATALOG", "STRIATE_TOKEN", *_PROXIES, *map(str.upper, _PROXIES)):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def encrypted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let hosts speak TLS, with a certificate that nobody has signed; returns the certificate."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=here"]
    command += [
        "-addext",
        "subjectAltName=IP:127.0.0.1,DNS:data.invalid",
        "-keyout",
        str(key),
        "-out",
        str(certificate),
    ]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    plain = hosts._Server.__init__

    def with_tls(server: hosts._Server, host: Host) -> None:
        plain(server, host)
        server.socket = context.wrap_socket(server.socket, server_side=True)

    monkeypatch.setattr(hosts._Server, "__init__", with_tls)
    return certificate
