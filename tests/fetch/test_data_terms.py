"""Terms are accepted before anything is fetched, and that is written down."""

import json
import stat
from pathlib import Path

import pytest

import striate
from striate.catalog import Dataset
from striate.errors import InputError
from striate.fetch import accept_terms, find_acceptance
from striate.fetch.auth_tokens import load_token, save_token
from tests.fetch.things import described, sha256, zipped
from tests.fixtures.hosts import Host, serving

ZIP = zipped()


def test_nothing_is_fetched_before_the_terms_are_accepted(tmp_path: Path) -> None:
    with serving(Host({"/a.zip": ZIP})) as host:
        of = described(host, {"a.zip": ZIP})
        with pytest.raises(InputError, match=r"The terms of ours \(CC BY 4\.0\) have not been accepted"):
            striate.fetch(of, to=tmp_path / "to")
        assert host.requests == []
        assert not (tmp_path / "to").exists()
        (path,) = striate.fetch(of, to=tmp_path / "to", accept_licence=True)
        assert path.read_bytes() == ZIP
        striate.fetch(of, to=tmp_path / "another")  # once is enough


def test_an_acceptance_says_what_was_accepted_and_when(tmp_path: Path) -> None:
    of = described("http://127.0.0.1:9/", {"a.zip": ZIP})
    assert find_acceptance(of) is None
    made = accept_terms(of)
    assert find_acceptance(of) == made
    assert made.sha256 == of.licence.digest == sha256("\n".join(("CC BY 4.0", "", "Name us.")).encode())
    assert made.accepted.startswith("20")
    (file,) = (tmp_path / "settings" / "accepted").iterdir()
    assert json.loads(file.read_text())["terms"] == "Name us."


def test_terms_that_changed_are_accepted_anew() -> None:
    of = described("http://127.0.0.1:9/", {"a.zip": ZIP})
    accept_terms(of)
    changed = of.model_dump() | {"licence": {"name": "CC BY 4.0", "terms": "Name us, and ask us."}}
    assert find_acceptance(Dataset.model_validate(changed)) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_a_broken_acceptance_is_none(content: bytes, tmp_path: Path) -> None:
    of = described("http://127.0.0.1:9/", {"a.zip": ZIP})
    accept_terms(of)
    (file,) = (tmp_path / "settings" / "accepted").iterdir()
    file.write_bytes(content)
    assert find_acceptance(of) is None


def test_a_token_goes_to_its_host_alone(tmp_path: Path) -> None:
    with serving(Host({"/a.zip": ZIP}, token="s3cret")) as host, serving(Host({"/a.zip": ZIP})) as other:
        of = described(host, {"a.zip": ZIP})
        with pytest.raises(InputError, match="wants to know who asks"):
            striate.fetch(of, to=tmp_path / "to", accept_licence=True)
        save_token(host.address, "wrong")
        with pytest.raises(InputError, match="terms may have to be accepted there"):
            striate.fetch(of, to=tmp_path / "to")
        save_token(host.address, "s3cret")
        striate.fetch(of, to=tmp_path / "to")
        striate.fetch(described(other, {"a.zip": ZIP}), to=tmp_path / "other")
        assert [r.token for r in other.requests] == [None]
    assert load_token(other.address) is None
    (file,) = (tmp_path / "settings" / "tokens").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_redirect_to_another_host_does_not_take_the_token_along(tmp_path: Path) -> None:
    with serving(Host({"/a.zip": ZIP})) as other, serving(Host({"/a.zip": ZIP}, token="s3cret")) as host:
        save_token(host.address, "s3cret")
        from tests.fixtures import hosts

        def to_the_other(
            handler: object, status: int, headers: dict[str, str] | None = None, body: bytes = b""
        ) -> None:
            moved = {"Location": f"{other.address}a.zip"} if status == 302 else headers
            original(handler, status, moved, body)

        original = hosts._Handler._short
        host.fault = lambda _path, _number: "redirect"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(hosts._Handler, "_short", to_the_other)
            striate.fetch(described(host, {"a.zip": ZIP}), to=tmp_path / "to", accept_licence=True)
        assert [r.token for r in host.requests] == ["Bearer s3cret"]
        assert [r.token for r in other.requests] == [None]


@pytest.mark.parametrize(
    ("address", "token", "says"),
    [
        ("http://example.org/", "s3cret", "would travel unencrypted"),
        ("https://example.org/", "two words", "cannot have"),
        ("https://example.org/", "", "cannot have"),
        ("https://example.org/", "a\nb", "cannot have"),
        ("https://example.org/", "schlüssel", "cannot have"),
    ],
)
def test_tokens_that_are_not_kept(address: str, token: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        save_token(address, token)
    assert load_token(address) is None
