"""Environment variables of the portal: misspelt and malformed ones are refused in one sentence that quotes no password."""

import pytest

from striate.errors import InputError
from striate.portal.environment import check_environment, number


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("STRIATE_PORTAL_ADRESS", "https://x.org", "did you mean STRIATE_PORTAL_ADDRESS"),
        ("STRIATE_PORTAL_LIMIT_SIGNIN", "5/1m", "did you mean STRIATE_PORTAL_LIMIT_SIGN_IN"),
        ("STRIATE_PORTAL_ADDRESS", "portal.example.org", "https://portal.example.org"),
        ("STRIATE_PORTAL_ADDRESS", "https://example.org/portal", "without a path"),
        ("STRIATE_PORTAL_ADDRESS", "https://example.org:99999", "scheme and a host"),
        ("STRIATE_PORTAL_ADDRESS", "ftp://example.org", "scheme and a host"),
        ("STRIATE_PORTAL_MAIL", "user:hunter2@mail.example.org:587", "smtp://"),
        ("STRIATE_PORTAL_MAIL", "smtp://user:hunter2@host:99999", "smtp://"),
        ("STRIATE_PORTAL_MAIL", "smtp://user:hunter2/x@host", "percent-encoded"),
        ("STRIATE_PORTAL_PROXIES", "127.0.0.1,10.0.0.0/8", "not an IP address"),
        ("STRIATE_PORTAL_PROXIES", "caddy", "not an IP address"),
    ],
)
def test_wrong_variables_are_refused(name: str, value: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        check_environment({name: value})
    sentence = caught.value.args[0]
    assert said in sentence
    assert name in sentence
    assert len(sentence) <= 300
    assert "hunter2" not in sentence


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STRIATE_PORTAL_ADDRESS", "https://portal.example.org/"),
        ("STRIATE_PORTAL_ADDRESS", "http://[::1]:8000"),
        ("STRIATE_PORTAL_MAIL", "smtps://user:p%2Fw@host:465"),
        ("STRIATE_PORTAL_PROXIES", "127.0.0.1, ::1"),
        ("STRIATE_PORTAL_SERVICE_HOST", "10.0.0.1"),
        ("STRIATE_PORTAL_PORT_8000_TCP_ADDR", "10.0.0.1"),
        ("STRIATE_PORTAL_LIMIT_UPLOAD", "5/1m"),
    ],
)
def test_right_variables_are_accepted(name: str, value: str) -> None:
    check_environment({name: value})


@pytest.mark.parametrize("value", ["two", "nan", "inf", "-1", "1e9"])
def test_numbers_outside_of_their_range_are_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIATE_PORTAL_LEASE", value)
    with pytest.raises(InputError, match="STRIATE_PORTAL_LEASE"):
        number("STRIATE_PORTAL_LEASE", 45, 1, 86_400)
