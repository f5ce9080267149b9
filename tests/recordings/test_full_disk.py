"""A disk that is too small for a packed recording is reported in one sentence, without a crash or left files."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fixtures.recordings import small_recording

import striate

OPEN = """
import resource, sys
limit = int(sys.argv[2])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
from striate.cli import main
sys.argv = ["striate", "check", sys.argv[1]]
import striate
from striate.errors import InputError
try:
    striate.open(sys.argv[2])
except InputError as error:
    print(error)
    sys.exit(1)
"""


def opened(archive: Path, cache: Path, limit: int = 0) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "STRIATE_CACHE": str(cache)}
    command = [sys.executable, "-c", OPEN, str(archive), str(limit)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def left(cache: Path) -> list[str]:
    return [str(path) for path in (cache / "recordings").glob("*")] + [str(p) for p in cache.rglob("*.partial")]


@pytest.mark.slow
def test_file_size_limit(tmp_path: Path) -> None:
    striate.write(small_recording(training=200), tmp_path / "a.zip")
    done = opened(tmp_path / "a.zip", tmp_path / "cache", limit=100_000)
    assert (done.returncode, done.stderr) == (1, "")
    assert "could not be written (File too large); nothing was left there." in done.stdout
    assert left(tmp_path / "cache") == []
    assert opened(tmp_path / "a.zip", tmp_path / "cache").returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 128 kB; skipped where none can be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root can mount a file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.slow
def test_full_disk(tmp_path: Path, small_disk: Path) -> None:
    striate.write(small_recording(training=200), tmp_path / "a.zip")
    done = opened(tmp_path / "a.zip", small_disk)
    assert (done.returncode, done.stderr) == (1, "")
    assert "could not be written (No space left on device); nothing was left there." in done.stdout
    assert left(small_disk) == []
