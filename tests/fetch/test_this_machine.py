"""What is in the way on this machine is said in a sentence, and loses nothing."""

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import filelock
import pytest

from striate.fetch import Event
from striate.fetch.partial_file import PartialFileWriter
from tests.fetch.things import bring, described, left_behind, only, zipped
from tests.fixtures.hosts import Host, serving

ZIP = zipped(size=300_000)


@pytest.mark.parametrize(
    ("number", "says"),
    [(errno.ENOSPC, "is full"), (errno.EDQUOT, "is full"), (errno.EROFS, "cannot be written"), (errno.EIO, "cannot")],
)
def test_a_disk_that_takes_no_more(number: int, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = PartialFileWriter.write

    def write(self: PartialFileWriter, data: bytes) -> None:
        room = max(0, 100_000 - self.at)
        written(self, data[:room])
        if room < len(data):
            self._file.close()
            self._file = _Full(number)  # type: ignore[assignment]
            written(self, data[room:])

    monkeypatch.setattr(PartialFileWriter, "write", write)
    with serving(Host({"/a.zip": ZIP})) as host:
        of = described(host, {"a.zip": ZIP})
        outcome = bring(of, tmp_path)
        assert says in str(outcome.failures["a.zip"])
        assert "to=" in str(outcome.failures["a.zip"])
        monkeypatch.undo()
        monkeypatch.setenv("STRIATE_SETTINGS", str(tmp_path / "settings"))
        assert only(bring(of, tmp_path)).read_bytes() == ZIP
        assert host.requests[-1].range is not None  # what was written before was kept


class _Full:
    """A file on a disk that has no room."""

    def __init__(self, number: int) -> None:
        self._number = number

    def write(self, data: Any) -> int:
        raise OSError(self._number, os.strerror(self._number))

    def close(self) -> None:
        """Nothing is open."""


def test_a_really_full_disk(tmp_path: Path) -> None:
    """A file system of half a megabyte, where this user may make one."""
    place = tmp_path / "small"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "none", str(place)], capture_output=True)
    if made.returncode:
        pytest.skip("this user may not mount a small file system")
    try:
        big = zipped(size=700_000)
        with serving(Host({"/a.zip": big})) as host:
            outcome = bring(described(host, {"a.zip": big}), place)
        said = str(outcome.failures["a.zip"])
        assert "full" in said or "No space left" in said
        assert not (place / "a.zip").exists()
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_read_only_folder(tmp_path: Path) -> None:
    place = tmp_path / "fixed"
    place.mkdir()
    with serving(Host({"/a.zip": ZIP})) as host:
        of = described(host, {"a.zip": ZIP})
        only(bring(of, place))
        made = subprocess.run(["mount", "--bind", str(place), str(place)], capture_output=True)
        if made.returncode:
            pytest.skip("this user may not mount")
        subprocess.run(["mount", "-o", "remount,ro,bind", str(place)], check=True)
        try:
            assert only(bring(of, place)).read_bytes() == ZIP  # what is there can be had
            more = described(host, {"b.zip": ZIP})
            assert "cannot be written (Read-only file system)" in str(bring(more, place).failures["b.zip"])
        finally:
            subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("at", ["to", "to/.striate"])
def test_a_file_where_a_folder_should_be(at: str, tmp_path: Path) -> None:
    place = tmp_path / at
    place.parent.mkdir(exist_ok=True)
    place.write_text("mine")
    with serving(Host({"/a.zip": ZIP})) as host:
        outcome = bring(described(host, {"a.zip": ZIP}), tmp_path / "to")
    assert "cannot be written" in str(outcome.failures["a.zip"])
    assert place.read_text() == "mine"


def no_flock(*_arguments: Any) -> None:
    raise OSError(errno.ENOLCK, "No locks available")


@pytest.mark.parametrize("locks", [True, False])
def test_two_fetches_at_once_fetch_each_file_once(locks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also on a file system that has no locks."""
    if not locks:
        monkeypatch.setattr("fcntl.flock", no_flock)
    files = {f"/{n}.zip": zipped(n, size=200_000) for n in range(4)}
    events: list[Event] = []
    with serving(Host(files, rate=2_000_000.0)) as host:
        of = described(host, files)
        outcomes: list[Any] = []
        threads = [
            threading.Thread(target=lambda: outcomes.append(bring(of, tmp_path, events=events))) for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for outcome in outcomes:
            outcome.raise_failures()
            assert {n: p.read_bytes() for n, p in outcome.paths.items()} == {k[1:]: v for k, v in files.items()}
        assert sum(r.sent for r in host.requests) == sum(len(content) for content in files.values())
    assert any("another process" in (e.reason or "") for e in events if e.kind == "waiting")
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("locks", [True, False])
def test_a_lock_of_a_process_that_is_gone_holds_nobody_up(
    locks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop = tmp_path / ".striate"
    workshop.mkdir()
    kind = "FileLock" if locks else "SoftFileLock"
    name = workshop / ("a.zip.lock" if locks else "a.zip.lock-file")
    code = f"import filelock, os; lock = filelock.{kind}({str(name)!r}); lock.acquire(); os._exit(1)"
    subprocess.run([sys.executable, "-c", code], check=False)
    assert name.exists()
    if not locks:
        monkeypatch.setattr("fcntl.flock", no_flock)
    assert filelock is not None
    with serving(Host({"/a.zip": ZIP})) as host:
        assert only(bring(described(host, {"a.zip": ZIP}), tmp_path)).read_bytes() == ZIP
