"""A dataset of one's own: from a folder, from an address, from a manifest."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import tomli_w

import striate
from striate.catalog import get_dataset
from striate.recordings import layout
from tests.fetch.things import sha256, zipped
from tests.fixtures.command import Outcome, assert_one_sentence, run_in_process
from tests.fixtures.hosts import PAGE, Host, serving
from tests.fixtures.recordings import small_recording

ZIP = zipped()
SESSION = "7-1-1"
NAME = f"{layout.archive_stem(SESSION)}.zip"


def add(*arguments: object) -> Outcome:
    return run_in_process("catalog", "add", *arguments)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as a lab has it: a recording, something beside it, junk."""
    place = tmp_path / "Our Data"
    (place / "more").mkdir(parents=True)
    striate.write(small_recording(SESSION), place / NAME)
    (place / "more" / "readme.txt").write_text("read me")
    (place / ".DS_Store").write_bytes(b"junk")
    return place


def test_a_folder_is_described_fetched_and_opened_by_name(folder: Path, tmp_path: Path) -> None:
    outcome = add(folder, "--title", "Ours", "--licence", "CC BY 4.0", "--citation", "We (2026)")
    assert outcome.status == 0, outcome.err
    assert "added our-data: 2 files, 1 of them recordings" in outcome.out
    found = get_dataset("our-data")
    recording, readme = found.file(SESSION), found.file("more/readme.txt")
    assert recording.sha256 == sha256((folder / NAME).read_bytes())
    assert (recording.neurons, recording.trials) == (12, len(small_recording(SESSION).trials))
    assert readme.size == 7
    assert found.addresses == (str(folder),)
    assert (found.licence.name, found.citation and found.citation.text) == ("CC BY 4.0", "We (2026)")
    fetched = run_in_process("fetch", "our-data", "--accept-licence", "--quiet")
    assert fetched.status == 0, fetched.err
    assert fetched.err == ""
    assert [Path(line).name for line in fetched.out.splitlines()] == ["readme.txt", NAME] or len(
        fetched.out.splitlines()
    ) == 2
    assert striate.open(f"our-data/{SESSION}").session == SESSION


def test_addresses_of_a_folder_for_others(folder: Path) -> None:
    outcome = add(
        folder, "--name", "ours", "--address", "https://example.org/data", "--address", "https://two.example/"
    )
    assert outcome.status == 0, outcome.err
    assert get_dataset("ours").addresses == ("https://example.org/data/", "https://two.example/")


def test_pointers_of_git_annex_tell_size_and_hash(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    clone.mkdir()
    key = f"MD5E-s{len(ZIP)}--{hashlib.md5(ZIP).hexdigest()}.zip"
    (clone / NAME).write_text(f"/annex/objects/{key}\n")
    (clone / "gone.zip").symlink_to(f".git/annex/objects/Xx/Yy/SHA256E-s5--{'0' * 64}.zip/SHA256E-s5--{'0' * 64}.zip")
    refused = add(clone, "--name", "ours")
    assert_one_sentence(refused, "is a git-annex pointer", "--address")
    with serving(Host({f"/{NAME}": ZIP})) as host:
        outcome = add(clone, "--name", "ours", "--address", host.address)
        assert outcome.status == 0, outcome.err
        found = get_dataset("ours")
        file = found.file(SESSION)
        assert (file.size, file.md5, file.sha256) == (len(ZIP), hashlib.md5(ZIP).hexdigest(), None)
        assert (found.file("gone.zip").size, found.file("gone.zip").sha256) == (5, "0" * 64)
        outcome = run_in_process("fetch", "ours", SESSION, "--accept-licence")
        assert outcome.status == 0, outcome.err


def test_files_at_an_address(tmp_path: Path) -> None:
    with serving(Host({f"/data/{NAME}": ZIP, "/data/b.zip": ZIP})) as host:
        base = f"{host.address}data"
        outcome = add(base, "--name", "ours", "--file", NAME, "--file", "b.zip")
        assert outcome.status == 0, outcome.err
        assert {r.method for r in host.requests} == {"HEAD"}
        found = get_dataset("ours")
        assert [(f.size, f.session, f.sha256) for f in found.files] == [
            (len(ZIP), SESSION, None),
            (len(ZIP), None, None),
        ]
        assert found.licence.name == "not stated"
        assert "ask their owners" in found.licence.terms
        assert run_in_process("fetch", "ours", "--accept-licence").status == 0


def manifest(**changes: Any) -> dict[str, Any]:
    return {
        "name": "theirs",
        "title": "Theirs",
        "addresses": ["files/"],
        "licence": {"name": "CC BY 4.0", "terms": "Name us."},
        "files": [{"name": "a.zip", "size": len(ZIP), "sha256": sha256(ZIP)}],
    } | changes


@pytest.mark.slow
@pytest.mark.parametrize("form", ["json", "toml"])
def test_the_manifest_of_a_portal(form: str, tmp_path: Path) -> None:
    text = json.dumps(manifest()) if form == "json" else tomli_w.dumps(manifest())
    files = {f"/d/manifest.{form}": text.encode(), "/d/files/a.zip": ZIP}
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    with serving(Host(files, token="s3cret")) as host:
        source = f"{host.address}d/manifest.{form}"
        assert_one_sentence(add(source), "answers 401", "--token-file")
        wrong = tmp_path / "wrong"
        wrong.write_text("another")
        assert_one_sentence(add(source, "--token-file", wrong), "answers 403", "accept the terms")
        outcome = add(source, "--token-file", token)
        assert outcome.status == 0, outcome.err
        assert get_dataset("theirs").addresses == (f"{host.address}d/files/",)
        outcome = run_in_process("fetch", "theirs", "--accept-licence", "--to", tmp_path / "to")
        assert outcome.status == 0, outcome.err
        assert (tmp_path / "to" / "a.zip").read_bytes() == ZIP


def test_a_token_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIATE_TOKEN", "s3cret")
    with serving(Host({"/manifest.json": json.dumps(manifest()).encode()}, token="s3cret")) as host:
        assert add(f"{host.address}manifest.json").status == 0


def test_a_manifest_on_this_disk(tmp_path: Path) -> None:
    path = tmp_path / "manifest.toml"
    path.write_text(tomli_w.dumps(manifest(addresses=["https://example.org/"])))
    assert add(path, "--name", "renamed").status == 0
    assert get_dataset("renamed").title == "Theirs"
    assert_one_sentence(add(path, "--name", "renamed"), "exists already", "--overwrite")
    assert add(path, "--name", "renamed", "--overwrite", "--title", "New").status == 0
    assert get_dataset("renamed").title == "New"


BROKEN_MANIFESTS: dict[str, tuple[bytes, str]] = {
    "page": (PAGE, "a web page (“Scheduled service maintenance”)"),
    "no json": (b"{", "it is not valid TOML or JSON"),
    "no toml": (b"name = ", "it is not valid TOML or JSON"),
    "bytes": (b"\xff\xfe\x00", "it is not valid TOML or JSON"),
    "a list": (b"[1, 2]", "it is not valid TOML or JSON"),
    "empty": (b"", "name"),
    "deep": (b'{"a":' * 100_000, "it is not valid TOML or JSON"),
    "unknown key": (json.dumps(manifest(licens=1)).encode(), "did you mean 'licence'"),
    "no files": (json.dumps(manifest(files=[])).encode(), "files"),
    "leaves the folder": (json.dumps(manifest(files=[{"name": "../a"}])).encode(), "path below"),
    "a folder here": (json.dumps(manifest(addresses=["/etc/"])).encode(), "https://example.org/etc/"),
    "another scheme": (json.dumps(manifest(addresses=["file:///etc/"])).encode(), "should begin with"),
    "number": (json.dumps(manifest(name=3)).encode(), "name = 3"),
    "hash": (json.dumps(manifest(files=[{"name": "a", "sha256": "12"}])).encode(), "sha256"),
}


@pytest.mark.parametrize("case", BROKEN_MANIFESTS)
def test_broken_manifests(case: str, tmp_path: Path) -> None:
    content, says = BROKEN_MANIFESTS[case]
    with serving(Host({"/manifest.json": content})) as host:
        outcome = add(f"{host.address}manifest.json")
        if case == "a folder here":  # it is an address of the host, as a browser would read it
            assert get_dataset("theirs").addresses == (f"{host.address}etc/",)
            return
    assert_one_sentence(outcome, says)
    assert not (tmp_path / "settings" / "catalog").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere"], "does not exist"),
        (["ftp://example.org/"], "kind that cannot be fetched from"),
        (["http://127.0.0.1:9/m.json"], "cannot be reached"),
        (["http://127.0.0.1:9/data/"], "does not list its files"),
        (["{host}b.zip"], "answers 404"),
        (["{zip}"], "give its folder"),
        (["{full}", "--file", "a.txt"], "all files of a folder are added"),
        (["{unpacked}"], "is an unpacked recording"),
        (["{unpacked}/.."], "is an unpacked recording"),
        (["{host}missing.json"], "answers 404"),
        (["{host}page/", "--file", "a.zip"], "answers 404"),
        (["{host}", "--file", "../a.zip"], "no path below"),
        (["{host}", "--file", "/a.zip"], "no path below"),
        (["{empty}"], "has no files"),
        (["{empty}", "--address", "nowhere"], "neither a folder nor"),
        (["{empty}", "--address", "ftp://example.org/"], "kind that cannot be fetched from"),
        (["{host}m.json", "--token-file", "nowhere"], "no token that can be read"),
        (["{full}", "--name", "Our Data"], "lower-case"),
    ],
)
def test_what_cannot_be_added(arguments: list[str], says: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.txt").write_text("a")
    (tmp_path / "a.zip").write_bytes(ZIP)
    unpacked = tmp_path / "recordings" / "unpacked"
    striate.write(small_recording(SESSION, training=2, validation=1, test_images=1), unpacked)
    with serving(Host({"/a.zip": ZIP})) as host:
        names = {
            "host": host.address,
            "empty": str(tmp_path / "empty"),
            "full": str(tmp_path / "full"),
            "zip": str(tmp_path / "a.zip"),
        }
        names["unpacked"] = str(unpacked)
        outcome = add(*(argument.format(**names) for argument in arguments))
    assert outcome.status in (1, 75)
    assert_one_sentence(outcome, says)
    assert not (tmp_path / "settings" / "catalog").exists()


def test_the_address_of_a_file_names_it(tmp_path: Path) -> None:
    with serving(Host({f"/data/{NAME}": ZIP})) as host:
        assert add(f"{host.address}data/{NAME}", "--name", "ours").status == 0
        assert get_dataset("ours").addresses == (f"{host.address}data/",)
        assert get_dataset("ours").file(SESSION).name == NAME


def test_an_entry_can_be_removed(folder: Path) -> None:
    add(folder, "--name", "ours")
    outcome = run_in_process("catalog", "remove", "ours")
    assert outcome.status == 0, outcome.err
    assert "ours" not in run_in_process("catalog", "list").out
    assert_one_sentence(run_in_process("catalog", "remove", "ours"), "no dataset 'ours'")
    assert_one_sentence(run_in_process("catalog", "remove", "sensorium2022"), "comes with striate")


def test_a_folder_without_recordings_is_said(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("a")
    assert "not opened by name" in " ".join(add(tmp_path / "notes").out.split())
