"""Proxies of the environment, asked for real: credentials, refusals, bypasses, and who is blamed."""

import base64
import sys
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.errors import InputError
from striate.fetch.errors import UnusableError
from striate.fetch.proxies import Proxy, find_proxy
from striate.portal.client import Portal
from tests.fetch.things import bring, described, only, zipped
from tests.fixtures.hosts import Host, serving
from tests.fixtures.proxies import LocalProxy, proxying

ZIP = zipped()
PLAIN, ENCRYPTED = "http://data.invalid/", "https://data.invalid/"


def standing_for(host: Host, **options: object) -> LocalProxy:
    """A proxy that leads to a host of this machine, under the name data.invalid."""
    return LocalProxy(targets={"data.invalid": urlsplit(host.address).port or 0}, **options)  # type: ignore[arg-type]


def failure(address: str, to: Path) -> str:
    said = str(bring(described(address, {"a.zip": ZIP}), to).failures["a.zip"])
    assert len(said) <= 300
    return said


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_credentials_arrive_decoded(variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        serving(Host({"/a.zip": ZIP})) as host,
        proxying(standing_for(host, user="lab@bern", password="p@ss:wörd/#%")) as proxy,
    ):
        monkeypatch.setenv(variable, f"http://lab%40bern:{quote('p@ss:wörd/#%', safe='')}@127.0.0.1:{proxy.port}")
        assert only(bring(described(PLAIN, {"a.zip": ZIP}), tmp_path)).read_bytes() == ZIP
        assert proxy.asked == ["data.invalid"]


@pytest.mark.parametrize(("said", "arrives"), [("lab@", "lab:"), ("lab:@", "lab:"), (":word@", ":word"), ("", None)])
def test_half_of_the_credentials(
    said: str, arrives: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(Host({"/a.zip": ZIP})) as host, proxying(standing_for(host)) as proxy:
        monkeypatch.setenv("http_proxy", f"{said}127.0.0.1:{proxy.port}")
        only(bring(described(PLAIN, {"a.zip": ZIP}), tmp_path))
        assert proxy.given == [arrives]


def test_a_tunnel_for_encrypted_connections(encrypted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(encrypted))
    with serving(Host({"/a.zip": ZIP})) as host, proxying(standing_for(host, user="lab", password="é")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://lab:%C3%A9@127.0.0.1:{proxy.port}/")
        assert only(bring(described(ENCRYPTED, {"a.zip": ZIP}), tmp_path)).read_bytes() == ZIP
        assert proxy.asked == ["data.invalid:443"]
        assert proxy.given == ["lab:é"]


@pytest.mark.parametrize("address", [PLAIN, ENCRYPTED])
@pytest.mark.parametrize(
    ("said", "explains"), [("", "requires a user name"), ("lab:Tr0ub4dor@", "rejects its user name")]
)
def test_a_proxy_that_demands_authentication_is_asked_once(
    address: str, said: str, explains: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(Host({"/a.zip": ZIP})) as host, proxying(standing_for(host, user="lab", password="right")) as proxy:
        variable = f"{urlsplit(address).scheme}_proxy"
        monkeypatch.setenv(variable, f"http://{said}127.0.0.1:{proxy.port}")
        message = failure(address, tmp_path)
        assert len(proxy.asked) == 1
    for part in ("proxy authentication failed", variable, explains, "407"):
        assert part in message
    assert "Tr0ub4dor" not in message
    assert "outage" not in message


def test_a_proxy_that_forbids_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Host({})) as host, proxying(standing_for(host, status=403)) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        assert "the proxy that https_proxy names refuses to connect to data.invalid (403)" in failure(
            ENCRYPTED, tmp_path
        )
        assert len(proxy.asked) == 1
        proxy.status = 502
        assert "(502)" in failure(ENCRYPTED, tmp_path)
        assert len(proxy.asked) > 2, "that may be different the next time"


@pytest.mark.parametrize(
    "value",
    [
        "htp://lab:Tr0ub4dor@proxy.lab:3128",
        "http://lab:Tr0ub4dor@proxy.lab:31z8",
        "http://lab:Tr0ub4dor@proxy.lab:99999",
        "http://lab:Tr0/b4dor@proxy.lab:3128",
        "http://lab:Tr0#b4dor@proxy.lab:3128",
        "http://lab:Tr0ub4dor@[::1:3128",
        "http://",
        "http:///proxy.lab",
        "proxy lab:3128",
        "//Tr0ub4dor",
    ],
)
def test_a_variable_that_is_no_proxy_is_named_without_its_value(
    value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    message = failure(ENCRYPTED, tmp_path)
    assert "HTTPS_PROXY is not the address of a proxy" in message
    for secret in ("Tr0", "b4dor", "data.invalid"):
        assert secret not in message
    with pytest.raises(InputError, match="HTTPS_PROXY is not the address of a proxy"):
        Portal(ENCRYPTED, token="x", sleep=lambda _: None)._ask("GET", "api/keys")


@pytest.mark.parametrize(
    ("value", "explains"),
    [
        ("http://127.0.0.1:9", "the proxy that https_proxy names cannot be reached"),
        ("http://proxy.invalid:3128", "the host of the proxy that https_proxy names is not known"),
        ("socks5h://127.0.0.1:9", "the proxy that https_proxy names cannot be reached"),
    ],
)
def test_a_proxy_that_is_gone(value: str, explains: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", value)
    assert explains in failure(ENCRYPTED, tmp_path)


def test_a_proxy_that_speaks_no_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Host({})) as host, proxying(standing_for(host)) as proxy:
        monkeypatch.setenv("https_proxy", f"https://127.0.0.1:{proxy.port}")
        assert "let https_proxy begin with http://" in failure(ENCRYPTED, tmp_path)


def test_a_certificate_behind_a_proxy_is_that_of_the_host(
    encrypted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(Host({"/a.zip": ZIP})) as host, proxying(standing_for(host)) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        assert "data.invalid shows a certificate that is not its own" in failure(ENCRYPTED, tmp_path)


@pytest.mark.parametrize(("said", "user"), [("", None), ("lab:p%40ss@", "lab")])
def test_socks(said: str, user: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Host({"/a.zip": ZIP})) as host, proxying(standing_for(host, user=user, password="p@ss")) as proxy:
        monkeypatch.setenv("ALL_PROXY", f"socks5h://{said}127.0.0.1:{proxy.port}")
        assert only(bring(described(PLAIN, {"a.zip": ZIP}), tmp_path)).read_bytes() == ZIP
        assert proxy.asked == ["data.invalid:80"]
        assert "ALL_PROXY names does not reach elsewhere.invalid" in failure(
            "http://elsewhere.invalid/", tmp_path / "b"
        )
        proxy.user = "another"
        assert "proxy authentication failed" in failure(PLAIN, tmp_path / "c")


def test_socks_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "urllib3.contrib.socks", None)
    monkeypatch.setenv("https_proxy", "socks5h://127.0.0.1:1080")
    assert "pip install pysocks" in failure(ENCRYPTED, tmp_path)


@pytest.mark.parametrize(
    ("without", "address", "direct"),
    [
        ("invalid", "https://data.invalid/", True),
        (".invalid,lab", "https://data.invalid/", True),
        ("data.invalid:8443", "https://data.invalid:8443/", True),
        ("data.invalid:8443", "https://data.invalid/", False),
        ("*", "https://data.invalid/", True),
        ("10.0.0.0/8, 2001:db8::/32", "https://10.2.3.4/", True),
        ("10.0.0.0/8, 2001:db8::/32", "https://[2001:db8::7]:8443/", True),
        ("10.0.0.0/8", "https://11.2.3.4/", False),
        ("other.invalid", "https://data.invalid/", False),
        ("", "https://localhost:8000/", True),
        ("", "https://127.0.0.1/", True),
        ("", "https://[::1]:8000/", True),
    ],
)
@pytest.mark.parametrize("upper", [False, True])
def test_who_is_asked_directly(
    without: str, address: str, direct: bool, upper: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "proxy.lab:3128")
    monkeypatch.setenv("NO_PROXY" if upper else "no_proxy", without)
    assert (find_proxy(address) is None) is direct


@pytest.mark.slow
@settings(max_examples=50)
@given(user=st.text(min_size=1), password=st.text())
def test_any_credentials_survive_percent_encoding(user: str, password: str) -> None:
    written = f"http://{quote(user, safe='')}:{quote(password, safe='')}@proxy.lab:3128"
    proxy = Proxy.parse(written, "http_proxy")
    header = proxy.headers["Proxy-Authorization"].removeprefix("Basic ")
    assert base64.b64decode(header).decode() == f"{user}:{password}"
    assert proxy.address == "http://proxy.lab:3128"
    assert repr(proxy) == repr(Proxy.parse("http://proxy.lab:3128", "http_proxy")), "no password in a traceback"


@settings(max_examples=50)
@given(st.text())
def test_any_value_is_a_proxy_or_one_sentence(value: str) -> None:
    try:
        Proxy.parse(value, "HTTPS_PROXY")
    except UnusableError as error:
        assert "HTTPS_PROXY" in error.reason
        assert len(error.reason) < 250


def test_a_portal_is_asked_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        serving(Host({"/api/keys": b'{"a": 1}'})) as host,
        proxying(standing_for(host, user="lab", password="x")) as proxy,
    ):
        monkeypatch.setenv("http_proxy", f"http://lab:x@127.0.0.1:{proxy.port}")
        assert Portal(PLAIN, token="x")._ask("GET", "api/keys") == (200, {"a": 1})
        monkeypatch.setenv("http_proxy", f"http://lab@127.0.0.1:{proxy.port}")
        with pytest.raises(InputError, match="proxy authentication failed"):
            Portal(PLAIN, token="x")._ask("GET", "api/keys")
        assert proxy.asked == ["data.invalid"] * 2
