"""Addresses are tried in the order of their health; a folder is an address, too."""

import hashlib
from pathlib import Path

import pytest

from striate.fetch import Event
from tests.fetch.things import bring, described, only, zipped
from tests.fixtures.hosts import Host, serving

ZIP = zipped()
FILES = {f"/{n}.zip": zipped(n) for n in range(8)}


def test_a_mirror_takes_over(tmp_path: Path) -> None:
    ill, well = Host(FILES, fault=lambda _path, _number: "page 503", retry_after=3600), Host(FILES)
    with serving(ill), serving(well):
        outcome = bring(described(ill, FILES), tmp_path, mirrors=(ill.address, well.address))
    outcome.raise_failures()
    assert {name: path.read_bytes() for name, path in outcome.paths.items()} == {k[1:]: v for k, v in FILES.items()}
    assert len(ill.requests) <= 4  # one for each file that began before it was known to be ill
    assert len(well.requests) == len(FILES)


def test_a_mirror_without_the_file_is_not_asked_again(tmp_path: Path) -> None:
    empty, full = Host({}), Host({"/a.zip": ZIP})
    events: list[Event] = []
    with serving(empty), serving(full):
        only(bring(described(full, {"a.zip": ZIP}), tmp_path, mirrors=(empty.address,), events=events))
    assert len(empty.requests) == 1
    assert any("has no a.zip (404)" in (e.reason or "") for e in events)


def test_a_mirror_with_another_file_of_that_name_is_left(tmp_path: Path) -> None:
    wrong, right = Host({"/a.zip": zipped(5)}), Host({"/a.zip": ZIP})
    with serving(wrong), serving(right):
        path = only(bring(described(right, {"a.zip": ZIP}, size=None), tmp_path, mirrors=(wrong.address,)))
    assert path.read_bytes() == ZIP


def test_a_folder_is_copied_from(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "more").mkdir(parents=True)
    (source / "more" / "a.zip").write_bytes(ZIP)
    of = described("http://127.0.0.1:9/", {"more/a.zip": ZIP})
    path = only(bring(of, tmp_path / "to", mirrors=(str(source),), offline=True))
    assert path == tmp_path / "to" / "more" / "a.zip"
    assert path.read_bytes() == ZIP


def test_offline_touches_no_network(tmp_path: Path) -> None:
    with serving(Host({"/a.zip": ZIP})) as host:
        outcome = bring(described(host, {"a.zip": ZIP}), tmp_path, offline=True)
        assert host.requests == []
    assert "without the network" in str(outcome.failures["a.zip"])


def test_no_address_has_the_file(tmp_path: Path) -> None:
    with serving(Host({})) as first, serving(Host({}, refuses=403)) as second, serving(Host({}, refuses=401)) as third:
        of = described(first, {"a.zip": ZIP})
        outcome = bring(of, tmp_path, mirrors=(second.address, third.address, str(tmp_path)))
    said = str(outcome.failures["a.zip"])
    for part in ("has no a.zip (404)", "(403)", "terms may have to be accepted", "(401)", "token", "cannot be read"):
        assert part in said


def annexed(folder: Path, content: bytes) -> str:
    """A clone as git-annex leaves it without content: a file that holds a pointer. Returns the key."""
    key = f"MD5E-s{len(content)}--{hashlib.md5(content).hexdigest()}.zip"
    (folder / ".git" / "annex" / "objects").mkdir(parents=True)
    (folder / "a.zip").write_text(f"/annex/objects/{key}\n")
    return key


def test_a_pointer_is_named_and_its_key_vouches_for_another_address(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    annexed(clone, ZIP)
    wrong, right = Host({"/a.zip": zipped(5)}), Host({"/a.zip": ZIP})
    events: list[Event] = []
    with serving(wrong), serving(right):
        of = described(right, {"a.zip": ZIP}, size=None, sha256=None)
        mirrors = (str(clone), wrong.address)
        path = only(bring(of, tmp_path / "to", mirrors=mirrors, events=events))
    assert path.read_bytes() == ZIP
    assert any("is a git-annex pointer (MD5E-s" in (e.reason or "") for e in events)


def test_a_host_that_sends_a_pointer_is_found_out(tmp_path: Path) -> None:
    pointer = b"/annex/objects/MD5E-s423--d41d8cd98f00b204e9800998ecf8427e.zip\n"
    with serving(Host({"/a.zip": pointer})) as host:
        outcome = bring(described(host, {"a.zip": ZIP}, size=None), tmp_path)
    said = str(outcome.failures["a.zip"])
    assert "sends a git-annex pointer (MD5E-s423--d41d8cd98f00b204e9800998ecf8427e.zip)" in said


@pytest.mark.parametrize("link", [True, False])
def test_content_in_the_annex_of_a_clone_is_found(link: bool, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    key = annexed(clone, ZIP)
    place = clone / ".git" / "annex" / "objects" / "x1" / "9z" / key
    place.mkdir(parents=True)
    (place / key).write_bytes(ZIP)
    if link:
        (clone / "a.zip").unlink()
        (clone / "a.zip").symlink_to(f".git/annex/objects/x1/9z/{key}/{key}")
    of = described(str(clone), {"a.zip": ZIP}, sha256=None, size=None)
    assert only(bring(of, tmp_path / "to")).read_bytes() == ZIP


def test_a_proxy_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's proxy gets the request; one that answers for itself is an outage, and one that is gone is said."""
    with serving(Host({"/a.zip": ZIP})) as host:
        of = described("http://data.invalid/", {"a.zip": ZIP})
        monkeypatch.setenv("http_proxy", host.address)
        outcome = bring(of, tmp_path)
        assert host.requests[0].path == "http://data.invalid/a.zip"
        assert "has no a.zip (404)" in str(outcome.failures["a.zip"])
        monkeypatch.setenv("no_proxy", "data.invalid")
        assert "data.invalid cannot be reached" in str(bring(of, tmp_path).failures["a.zip"])
    monkeypatch.setenv("no_proxy", "")
    assert "proxy" in str(bring(of, tmp_path).failures["a.zip"])
