"""Files and folders are whole or absent, whatever happens while they are written."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from striate._internal.atomic_write import atomic_write, atomic_write_folder, reserve_disk_space
from striate.errors import InputError


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.txt"
    with atomic_write(target) as aside:
        aside.write_text("half")
        assert not target.exists()
    assert target.read_text() == "half"
    assert os.listdir(target.parent) == ["a.txt"]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError, match="on purpose"), atomic_write(target, overwrite=True) as aside:
        aside.write_text("new")
        raise RuntimeError("on purpose")
    assert target.read_text() == "old"
    with pytest.raises(RuntimeError, match="on purpose"), atomic_write_folder(tmp_path / "folder") as folder:
        (folder / "x").write_text("x")
        raise RuntimeError("on purpose")
    assert os.listdir(tmp_path) == ["a.txt"]


def test_what_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    with pytest.raises(InputError, match="exists already"), atomic_write(target) as aside:
        aside.write_text("mine")
        target.write_text("theirs")
    assert target.read_text() == "theirs"
    folder = tmp_path / "folder"
    with atomic_write_folder(folder, keep_existing=True) as aside:
        (aside / "x").write_text("mine")
        folder.mkdir()
        (folder / "x").write_text("theirs")
    assert (folder / "x").read_text() == "theirs"
    with atomic_write_folder(folder, overwrite=True) as aside:
        (aside / "y").write_text("mine")
    assert os.listdir(folder) == ["y"]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="not a folder"), atomic_write(tmp_path / "file" / "a.txt"):
        pass


WRITER = """
import sys, time
from pathlib import Path
from striate._internal.atomic_write import atomic_write_folder
with atomic_write_folder(Path(sys.argv[1])) as folder:
    (folder / "half").write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


def test_what_a_killed_writer_left_is_removed_and_a_living_ones_is_not(tmp_path: Path) -> None:
    target = tmp_path / "result"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, target], stdout=subprocess.PIPE) for _ in range(2)]
    try:
        for writer in writers:
            assert writer.stdout is not None
            writer.stdout.readline()
        assert len(list(tmp_path.iterdir())) == 2
        (tmp_path / ".download.partial").write_text("somebody else's")
        writers[0].send_signal(signal.SIGKILL)
        writers[0].wait()
        time.sleep(0.05)
        with atomic_write_folder(tmp_path / "another") as folder:
            (folder / "whole").write_text("whole")
        (tmp_path / "another" / "whole").unlink()
        (tmp_path / "another").rmdir()
        assert len(list(tmp_path.glob(".result.*"))) == 1, "the dead writer's folder goes, whatever is written next"
        assert (tmp_path / ".download.partial").read_text() == "somebody else's"
        (tmp_path / ".download.partial").unlink()
        with atomic_write_folder(target) as folder:
            (folder / "whole").write_text("whole")
        left = sorted(p.name for p in tmp_path.iterdir())
        assert left[-1] == "result"
        assert len(left) == 2, "the living writer's folder stays"
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()


def test_what_exists_is_said_to_be_replaceable_only_where_somebody_can_allow_it(tmp_path: Path) -> None:
    target = tmp_path / "there"
    target.touch()
    with pytest.raises(InputError, match="overwrite=True"), atomic_write(target, overwrite=False):
        pass
    with pytest.raises(InputError) as refused, atomic_write(target):
        pass
    assert str(refused.value) == f"{target} exists already: choose another name."


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path, code: int) -> None:
    target = tmp_path / "a.txt"
    for failure in (
        OSError(code, os.strerror(code)),
        RuntimeError(f"Error while serializing: I/O error: … (os error {code})"),  # as safetensors says it
    ):
        with pytest.raises(InputError, match=os.strerror(code)) as caught, atomic_write(target) as aside:
            aside.write_text("half")
            raise failure
        assert str(target) in str(caught.value)
        assert os.listdir(tmp_path) == []


def test_numpy_does_not_say_why_it_wrote_less(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No space left"), atomic_write(tmp_path / "a.npy"):
        raise OSError("1000 requested and 7 written")
    with pytest.raises(OSError, match="another"), atomic_write(tmp_path / "a.npy"):
        raise OSError("another reason")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("allocate", [True, False])
def test_room_is_reserved_and_the_content_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allocate: bool
) -> None:
    if not allocate:
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    file = tmp_path / "a"
    file.write_bytes(b"begin")
    reserve_disk_space(file, 10_000)
    assert file.read_bytes() == b"begin" + bytes(9_995)
    assert file.stat().st_blocks * 512 >= 10_000


def test_room_that_is_not_there(tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk; the process that maps the file survives."""
    code = f"""
import resource
from pathlib import Path
from striate._internal.atomic_write import reserve_disk_space
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
file = Path({str(tmp_path / "a")!r})
file.touch()
try:
    reserve_disk_space(file, 200_000)
except OSError as error:
    print(error.errno, error.filename)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(errno.EFBIG), str(tmp_path / "a")]
