"""A file gets its name when it is whole and verified; nothing else is touched."""

import io
import os
import zipfile
from pathlib import Path

import pytest

from striate.catalog.local_files import DatasetFolder
from striate.errors import InputError
from striate.fetch import Event, verify
from tests.fetch.things import bring, described, left_behind, only, sha256, zipped
from tests.fixtures.hosts import Host, serving

ZIP, OTHER = zipped(), zipped(1)


def brought(content: bytes, to: Path, *, events: list[Event] | None = None, options: dict | None = None, **changes):
    """Fetch a.zip from a host that has `content`, where the catalogue says what `changes` say."""
    with serving(Host({"/a.zip": content})) as host:
        of = described(host, {"a.zip": ZIP}, **changes)
        return bring(of, to, events=events, **(options or {})), host


def test_a_hash_that_nobody_confirmed_keeps_the_file_aside(tmp_path: Path) -> None:
    unconfirmed = {"confirmed": False, "size": None}
    outcome, _ = brought(OTHER, tmp_path, **unconfirmed)
    said = str(outcome.failures["a.zip"])
    aside = tmp_path / ".striate" / "a.zip.aside"
    for part in (sha256(OTHER), sha256(ZIP), "nobody has confirmed", str(aside), f"--accept-hash {sha256(OTHER)}"):
        assert part in said
    assert aside.read_bytes() == OTHER
    assert not (tmp_path / "a.zip").exists()

    again, host = brought(OTHER, tmp_path, **unconfirmed)  # says the same, and fetches nothing
    assert str(again.failures["a.zip"]) == said
    assert host.requests == []

    accepted, host = brought(OTHER, tmp_path, options={"trusted": frozenset({sha256(OTHER)})}, **unconfirmed)
    assert only(accepted).read_bytes() == OTHER
    assert host.requests == []
    assert left_behind(tmp_path) == []
    confirmed, _ = brought(OTHER, tmp_path / "confirmed", options={"trusted": frozenset({sha256(OTHER)})}, size=None)
    assert "came twice with the same content" in str(confirmed.failures["a.zip"])  # what was confirmed is not outvoted
    later, _ = brought(OTHER, tmp_path, **unconfirmed)  # and it stays accepted
    assert only(later).read_bytes() == OTHER


def test_a_damaged_file_is_not_kept_aside(tmp_path: Path) -> None:
    """What the zip's own checksums show to be damaged is fetched again, whoever confirmed the hash."""
    broken = bytearray(ZIP)
    broken[len(ZIP) // 2] ^= 1
    outcome, host = brought(bytes(broken), tmp_path, confirmed=False)
    assert "after 3 times from the start" in str(outcome.failures["a.zip"])
    assert len(host.requests) == 3
    assert not (tmp_path / ".striate" / "a.zip.aside").exists()


def test_the_owners_md5_outweighs_an_unconfirmed_hash(tmp_path: Path) -> None:
    import hashlib

    md5 = hashlib.md5(OTHER).hexdigest()
    outcome, _ = brought(OTHER, tmp_path, confirmed=False, size=None, md5=md5)
    assert only(outcome).read_bytes() == OTHER
    wrong, _ = brought(ZIP, tmp_path / "wrong", size=None, sha256=None, md5=md5)
    assert "its MD5 is" in str(wrong.failures["a.zip"])


def made(names: list[str]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), b"x" * 3000)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (made(["../../evil.npy"]), "leads out of it"),
        (made(["/etc/evil.npy"]), "leads out of it"),
        (made([]), "the zip is empty"),
        (made(["a.npy"])[:-30], "no sound zip"),
        (b"PK\x03\x04" + bytes(3000), "no sound zip"),
    ],
)
def test_a_zip_must_be_sound_even_where_nothing_is_known_of_it(content: bytes, says: str, tmp_path: Path) -> None:
    outcome, _ = brought(content, tmp_path, size=None, sha256=None)
    assert says in str(outcome.failures["a.zip"])
    assert not (tmp_path / "a.zip").exists()


def test_a_file_that_was_put_there_by_hand_is_taken(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(ZIP)
    events: list[Event] = []
    outcome, host = brought(OTHER, tmp_path, events=events)
    assert only(outcome).read_bytes() == ZIP
    assert host.requests == []
    assert events[-1].kind == "present"


@pytest.mark.parametrize("what", ["another file", "a folder", "a link to nowhere"])
def test_something_else_in_its_place_is_not_touched(what: str, tmp_path: Path) -> None:
    place = tmp_path / "a.zip"
    if what == "another file":
        place.write_bytes(OTHER)
    elif what == "a folder":
        place.mkdir()
    else:
        place.symlink_to(tmp_path / "nowhere")
    outcome, host = brought(ZIP, tmp_path)
    said = str(outcome.failures["a.zip"])
    assert "is there already, and is not the a.zip of ours" in said
    assert "overwrite=True" in said
    assert host.requests == []
    allowed, _ = brought(ZIP, tmp_path, options={"overwrite": True})
    if what == "a folder":
        assert place.is_dir()
    else:
        assert only(allowed).read_bytes() == ZIP
        assert not place.is_symlink()


def test_a_fetched_file_that_changed_is_not_taken_for_whole(tmp_path: Path) -> None:
    for changes in ({}, {"sha256": None, "size": None}):  # with a hash in the catalogue, and with the record's alone
        to = tmp_path / str(len(changes))
        outcome, _ = brought(ZIP, to, **changes)
        path = only(outcome)
        path.write_bytes(OTHER)
        later, _ = brought(ZIP, to, **changes)
        assert "was changed or damaged since" in str(later.failures["a.zip"])
        assert path.read_bytes() == OTHER
        os.utime(path, ns=(0, 0))
        path.write_bytes(ZIP)
        again, host = brought(ZIP, to, **changes)  # put right by hand
        assert only(again) == path
        assert host.requests == []


def test_verify(tmp_path: Path) -> None:
    files = {f"{n}.zip": zipped(n) for n in range(3)}
    with serving(Host({f"/{name}": content for name, content in files.items()})) as host:
        of = described(host, files)
        unhashed = described(host, files, sha256=None)
        bring(of, tmp_path).raise_failures()
    folder = DatasetFolder(tmp_path)
    assert [v.state for v in verify(of.files, folder)] == ["whole"] * 3
    assert [v.state for v in verify(unhashed.files, folder)] == ["unchanged"] * 3
    (tmp_path / "0.zip").unlink()
    content = bytearray(files["1.zip"])
    content[1000] ^= 1
    (tmp_path / "1.zip").write_bytes(content)
    for dataset in (of, unhashed):
        missing, damaged, sound = verify(dataset.files, folder)
        assert (missing.state, damaged.state) == ("missing", "damaged")
        assert "when it was fetched" in (damaged.reason or "")
        assert sound.sha256 == sha256(files["2.zip"])


def test_names_with_folders_and_special_characters(tmp_path: Path) -> None:
    name = "more of it/mäuse #1+2 100%.zip"
    from urllib.parse import quote

    with serving(Host({"/" + quote(name): ZIP})) as host:
        path = only(bring(described(host, {name: ZIP}), tmp_path))
    assert path == tmp_path / name
    assert path.read_bytes() == ZIP


def test_too_little_space_is_said_before_anything(tmp_path: Path) -> None:
    import striate

    of = described("http://127.0.0.1:9/", {"a.zip": ZIP}, size=10**15)
    with pytest.raises(InputError, match=r"needs 1,000,000 GB more"):
        striate.fetch(of, to=tmp_path / "to", accept_licence=True)
    assert not (tmp_path / "to").exists()


def test_the_record_of_a_file_can_be_passed_on(tmp_path: Path) -> None:
    """The folder of a dataset is shared as a whole: its records hold no password, and no path of this machine."""
    (tmp_path / "ada-lovelace").mkdir()
    (tmp_path / "ada-lovelace" / "a.zip").write_bytes(ZIP)
    only(bring(described(str(tmp_path / "ada-lovelace"), {"a.zip": ZIP}), tmp_path / "copied"))
    with serving(Host({"/a.zip": ZIP})) as host:
        address = host.address.replace("://", "://lab:s3cret@")
        only(bring(described(address, {"a.zip": ZIP}), tmp_path / "fetched"))
    for name in ("copied", "fetched"):
        for record in (tmp_path / name / ".striate").rglob("*"):
            written = record.read_text() if record.is_file() else ""
            assert "ada-lovelace" not in written
            assert "s3cret" not in written
