"""Encrypted connections: a certificate that is not the host's is refused, and nothing leads to an unencrypted address."""

from pathlib import Path

import pytest

from tests.fetch.things import bring, described, only, zipped
from tests.fixtures import hosts
from tests.fixtures.hosts import PAGE, Host, serving

ZIP = zipped()


def secure(host: Host) -> Host:
    host.address = host.address.replace("http://", "https://")
    return host


def test_a_certificate_that_is_not_the_hosts_is_refused(encrypted: Path, tmp_path: Path) -> None:
    with serving(Host({"/a.zip": ZIP})) as host:
        outcome = bring(described(secure(host), {"a.zip": ZIP}), tmp_path / "to")
        assert host.requests == []
    said = str(outcome.failures["a.zip"])
    for part in ("shows a certificate that is not its own", "a proxy on the way", "SSL_CERT_FILE"):
        assert part in said


def test_a_certificate_that_is_trusted(encrypted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(encrypted))
    with serving(Host({"/a.zip": ZIP}, fault=lambda _path, number: "truncate" if number == 0 else None)) as host:
        assert only(bring(described(secure(host), {"a.zip": ZIP}), tmp_path / "to")).read_bytes() == ZIP


def test_no_way_leads_to_an_unencrypted_address(
    encrypted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(encrypted))
    leading_to(monkeypatch, "http://127.0.0.1:9/a.zip")
    with serving(Host({"/a.zip": ZIP}, fault=lambda _path, _number: "redirect")) as host:
        outcome = bring(described(secure(host), {"a.zip": ZIP}), tmp_path / "to")
    assert "from an encrypted address to one that is not" in str(outcome.failures["a.zip"])


def test_a_login_page_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Host({"/login": PAGE})) as portal, serving(Host({"/a.zip": ZIP})) as host:
        leading_to(monkeypatch, f"{portal.address}login")
        host.fault = lambda _path, _number: "redirect"
        outcome = bring(described(host, {"a.zip": ZIP}, size=None), tmp_path)
    said = str(outcome.failures["a.zip"])
    assert "leads to another host, and 127.0.0.1" in said
    assert "a login page or a proxy may stand between" in said


@pytest.mark.parametrize(
    ("target", "says"), [("ftp://example.org/a.zip", "no address of a file"), ("/a.zip", "without end")]
)
def test_ways_that_lead_nowhere(target: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leading_to(monkeypatch, target)
    with serving(Host({"/a.zip": ZIP}, fault=lambda _path, _number: "redirect")) as host:
        outcome = bring(described(host, {"a.zip": ZIP}), tmp_path)
        assert len(host.requests) <= 6
    assert says in str(outcome.failures["a.zip"])


def leading_to(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    """Let redirects of hosts lead to one address."""
    short = hosts._Handler._short

    def led(handler: hosts._Handler, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        short(handler, status, {"Location": target} if status == 302 else headers, body)

    monkeypatch.setattr(hosts._Handler, "_short", led)
