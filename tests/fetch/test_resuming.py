"""What was received is kept, and only what certainly continues it is added."""

import json
from pathlib import Path

import pytest

from striate._internal.progress_bars import format_size
from striate.fetch import Event, OutageError, partial_file
from striate.fetch.partial_file import FileVersion, PartialFile
from tests.fetch.things import QUICK, bring, described, only, sha256, zipped
from tests.fixtures.hosts import Host, serving

ZIP = zipped(size=200_000)


def begun(host: Host, to: Path, **changes: object) -> int:
    """Fetch until the host goes down; returns how many bytes are here."""
    host.fault = lambda _path, number: "truncate" if number == 0 else "500"
    outcome = bring(described(host, {"a.zip": ZIP}, **changes), to)
    (error,) = outcome.failures.values()
    assert isinstance(error, OutageError)
    size = (to / ".striate" / "a.zip.part").stat().st_size
    assert 0 < size < len(ZIP)
    assert f"The {format_size(size)} that were received are kept" in str(error)
    host.requests.clear()
    host.fault = lambda _path, _number: None
    return size


def test_a_later_run_goes_on(tmp_path: Path) -> None:
    with serving(Host({"/a.zip": ZIP})) as host:
        size = begun(host, tmp_path)
        path = only(bring(described(host, {"a.zip": ZIP}), tmp_path))
        assert [r.range for r in host.requests] == [f"bytes={size}-"]
        assert host.sent("/a.zip") == len(ZIP) - size
    assert path.read_bytes() == ZIP


def test_a_file_that_changed_meanwhile_starts_over(tmp_path: Path) -> None:
    new = zipped(9, size=200_000)
    events: list[Event] = []
    with serving(Host({"/a.zip": ZIP})) as host:
        begun(host, tmp_path)
        host.files["/a.zip"] = new
        path = only(bring(described(host, {"a.zip": new}), tmp_path, events=events))
    assert path.read_bytes() == new
    assert "restarted" in [e.kind for e in events]


@pytest.mark.parametrize("etags", [True, False])
def test_a_file_that_changes_again_and_again_is_given_up(etags: bool, tmp_path: Path) -> None:
    def fault(_path: str, number: int) -> str:
        host.files["/a.zip"] = ZIP + bytes(number + 1)  # other bytes, another size
        return "truncate"

    host = Host({"/a.zip": ZIP}, fault=fault, etags=etags)
    with serving(host):
        outcome = bring(described(host, {"a.zip": ZIP}, size=None, sha256=None), tmp_path)
    (error,) = outcome.failures.values()
    assert "changed" in str(error) or "broke off" in str(error)
    assert not (tmp_path / "a.zip").exists()


def test_all_bytes_are_here_already(tmp_path: Path) -> None:
    """A kill after the last byte: nothing is asked for, or the host says that there is nothing more."""
    with serving(Host({"/a.zip": ZIP})) as host:
        for size in (len(ZIP), None):
            part = PartialFile(tmp_path / ".striate" / "a.zip.part")
            (tmp_path / ".striate").mkdir(exist_ok=True)
            part.begin(FileVersion(address=f"{host.address}a.zip", total=size))
            with part.writing(0) as writer:
                writer.write(ZIP)
            host.requests.clear()
            path = only(bring(described(host, {"a.zip": ZIP}, size=None), tmp_path))
            assert path.read_bytes() == ZIP
            assert host.sent("/a.zip") == 0
            path.unlink()


def test_more_bytes_are_here_than_there(tmp_path: Path) -> None:
    (tmp_path / ".striate").mkdir()
    with serving(Host({"/a.zip": ZIP})) as host:
        part = PartialFile(tmp_path / ".striate" / "a.zip.part")
        part.begin(FileVersion(address=f"{host.address}a.zip"))
        with part.writing(0) as writer:
            writer.write(ZIP + b"and more")
        path = only(bring(described(host, {"a.zip": ZIP}, size=None), tmp_path))
    assert path.read_bytes() == ZIP


def test_bytes_of_another_host_are_continued_only_where_a_hash_vouches(tmp_path: Path) -> None:
    for changes, continued in (({}, True), ({"sha256": None}, False)):
        to = tmp_path / str(continued)
        with serving(Host({"/a.zip": ZIP})) as first, serving(Host({"/a.zip": ZIP})) as second:
            size = begun(first, to, **changes)
            path = only(bring(described(second, {"a.zip": ZIP}, **changes), to))
            assert second.sent("/a.zip") == len(ZIP) - size * continued
        assert path.read_bytes() == ZIP


def test_damage_in_what_was_received_is_found(tmp_path: Path) -> None:
    with serving(Host({"/a.zip": ZIP})) as host:
        begun(host, tmp_path)
        part = tmp_path / ".striate" / "a.zip.part"
        content = bytearray(part.read_bytes())
        content[0] ^= 1
        part.write_bytes(content)
        assert only(bring(described(host, {"a.zip": ZIP}), tmp_path)).read_bytes() == ZIP


def test_after_the_machine_went_down_only_what_the_disk_had_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.part"
    part = PartialFile(path)
    part.begin(FileVersion(address="http://example.org/a"))
    with part.writing(0) as writer:
        writer.write(b"x" * 1000)
        writer.sync()
        writer.write(b"\0" * 500)  # the system had not brought these to the disk
    assert PartialFile(path).size == 1500
    monkeypatch.setattr(partial_file, "_boot", lambda: "another")
    assert PartialFile(path).size == 1000
    assert path.stat().st_size == 1000


@pytest.mark.parametrize("notes", [None, b"", b"{", b'{"origin": 3}', b"\xff"])
def test_bytes_without_notes_count_as_none(notes: bytes | None, tmp_path: Path) -> None:
    workshop = tmp_path / ".striate"
    workshop.mkdir()
    (workshop / "a.zip.part").write_bytes(b"PK" + bytes(1000))
    if notes is not None:
        (workshop / "a.zip.part.json").write_bytes(notes)
    with serving(Host({"/a.zip": ZIP})) as host:
        assert only(bring(described(host, {"a.zip": ZIP}), tmp_path)).read_bytes() == ZIP
        assert host.requests[0].range is None


def test_the_record_says_what_was_found(tmp_path: Path) -> None:
    with serving(Host({"/a.zip": ZIP})) as host:
        of = described(host, {"a.zip": ZIP})
        only(bring(of, tmp_path))
        record = json.loads((tmp_path / ".striate" / "a.zip.json").read_text())
        assert (record["sha256"], record["size"]) == (sha256(ZIP), len(ZIP))
        assert record["address"] == f"{host.address}a.zip"
        host.requests.clear()
        events: list[Event] = []
        only(bring(of, tmp_path, events=events))
        assert [e.kind for e in events] == ["present"]
        assert host.requests == []


def test_attempts_that_bring_something_do_not_count_as_failures(tmp_path: Path) -> None:
    """Far more breaks than a run has attempts, but each brings bytes."""
    content = zipped(size=2_000_000)
    host = Host({"/a.zip": content}, fault=lambda _path, number: "truncate" if number < 12 else None, seed=5)
    with serving(host):
        assert QUICK.max_attempts < 12
        assert only(bring(described(host, {"a.zip": content}), tmp_path)).read_bytes() == content
