"""Addresses that people give, and paths of published files: one rule for each, wherever they enter."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.fixtures.messages import assert_short

from striate._internal.file_names import validate_relative_path
from striate._internal.urls import split_url, validate_web_address
from striate.catalog.dataset import Citation, DataFile, Licence
from striate.competition.manifest import ListedFile
from striate.errors import InputError

BAD = [
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "java\tscript:alert(1)",
    "data:text/html,x",
    "ftp://example.org/",
    "//example.org/",
    "https://",
    "https://me:secret@example.org/",
    "https://example.org/\u202etxt",
    'https://example.org/"onclick="x',
    "https://[::1",
]


@pytest.mark.parametrize("address", BAD)
def test_an_address_that_a_page_cannot_link_to_is_refused_everywhere(address):
    with pytest.raises(ValueError, match="begins with http"):
        validate_web_address(address)
    with pytest.raises(ValidationError):
        Licence(name="x", terms="y", address=address)
    with pytest.raises(ValidationError):
        Citation(text="x", address=address)


@pytest.mark.slow
@given(
    st.sampled_from(["http", "https"]),
    st.from_regex(r"[a-z]{1,20}\.org(/[a-z0-9%?&=#._~-]{0,30}){0,3}", fullmatch=True),
)
def test_an_ordinary_address_is_taken(scheme, rest):
    assert validate_web_address(f"{scheme}://{rest}") == f"{scheme}://{rest}"


@pytest.mark.parametrize(
    "name",
    [
        "a\u202eb.npy",
        "a\u2066b",
        "CON",
        "x/nul.txt",
        "dir./x",
        "x/y ",
        "a\x07",
        "../x",
        "/x",
        "x//y",
        ".hidden/x",
        "a\\b",
        "",
        "a:b",
    ],
)
def test_a_path_that_some_system_cannot_have_is_refused_everywhere(name):
    with pytest.raises(ValueError, match="cannot be used"):
        validate_relative_path(name)
    with pytest.raises(ValidationError):
        DataFile(name=name)
    with pytest.raises(ValidationError):
        ListedFile(path=name, size=1, sha256="0" * 64)


def test_ordinary_paths_are_taken():
    for name in ("static1-1-1.zip", "meta/neurons/area.npy", "Ä/ü.txt", "console.txt"):
        assert validate_relative_path(name) == name


@pytest.mark.parametrize(
    "text", ["http://[", "https://host:x/", "https://host:99999/", "http://[::1", "https://a]b/", "http://\u2100.x/"]
)
def test_an_address_that_cannot_be_split_is_one_sentence_everywhere(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from striate.fetch.auth_tokens import save_token
    from striate.fetch.describe_dataset import DatasetDetails, normalise_address
    from striate.fetch.describe_manifest import describe_address
    from striate.portal.bucket import Bucket
    from striate.portal.client import Portal

    monkeypatch.setenv("STRIATE_SETTINGS", str(tmp_path))
    assert split_url(text) is None
    for read in (
        lambda: normalise_address(text),
        lambda: describe_address(text, DatasetDetails(), ()),
        lambda: save_token(text, "abc"),
        lambda: Portal(text, token="abc"),
        lambda: Bucket.of(f"s3://bucket?endpoint={text}"),
    ):
        with pytest.raises(InputError) as caught:
            read()
        assert_short(caught.value)


@pytest.mark.parametrize("target", ["http://[", "https://host:x/", "file:///etc/passwd", "http://a/" + "\x1b" * 500])
def test_a_redirect_to_what_is_no_address_is_one_sentence(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.fetch.errors import UnusableError
    from striate.fetch.http_client import Client
    from striate.fetch.retry_policy import RetryPolicy

    class Moved:
        status, headers = 302, {"Location": target}

        def close(self) -> None: ...
        def release_conn(self) -> None: ...

    monkeypatch.setattr(Client, "_ask", lambda *_: Moved())
    with pytest.raises(UnusableError) as caught:
        Client(RetryPolicy()).get("https://host.example/a.zip")
    assert len(caught.value.reason) <= 300
