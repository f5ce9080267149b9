"""Archives are packed once, also after damage, concurrent opening and kills."""

import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from tests.fixtures.recordings import small_recording

import striate
from striate.errors import InputError
from striate.recordings import Recording, write


def stores(cache: Path) -> list[Path]:
    return sorted((cache / "recordings").iterdir())


def test_archive_is_packed_again_after_a_change(own_cache: Path, tmp_path: Path, recording: Recording) -> None:
    path = write(recording, tmp_path / "a.zip")
    striate.open(path)
    (store,) = stores(own_cache)
    before = (store / "recording.json").stat().st_mtime_ns
    striate.open(path)
    assert (store / "recording.json").stat().st_mtime_ns == before
    other = small_recording(seed=5)
    write(other, path, overwrite=True)
    assert striate.open(path).fingerprint == other.fingerprint


def test_packed_store_can_be_opened(own_cache: Path, tmp_path: Path, recording: Recording) -> None:
    striate.open(write(recording, tmp_path / "a.zip"))
    (store,) = stores(own_cache)
    assert striate.open(store).fingerprint == recording.fingerprint


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["cut", "delete", "empty", "garbage"])
def test_damaged_store_is_packed_again(own_cache: Path, tmp_path: Path, recording: Recording, damage: str) -> None:
    path = write(recording, tmp_path / "a.zip")
    striate.open(path)
    (store,) = stores(own_cache)
    victim = store / "responses.npy"
    if damage == "cut":
        os.truncate(victim, 500)
    elif damage == "delete":
        victim.unlink()
    elif damage == "empty":
        (store / "neurons.parquet").write_bytes(b"")
    else:
        (store / "recording.json").write_text("{")
    opened = striate.open(path)
    assert np.array_equal(opened.responses, recording.responses)


def test_arrays_are_read_only(own_cache: Path, tmp_path: Path, recording: Recording) -> None:
    opened = striate.open(write(recording, tmp_path / "a.zip"))
    with pytest.raises(ValueError, match="read-only"):
        opened.responses[0, 0] = 1


def _fingerprint(path: Path) -> str:
    return striate.open(path).fingerprint


@pytest.mark.slow
def test_concurrent_packing(own_cache: Path, tmp_path: Path) -> None:
    recording = small_recording(training=300)
    path = write(recording, tmp_path / "a.zip")
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        assert set(pool.map(_fingerprint, [path] * 4)) == {recording.fingerprint}
    assert len(stores(own_cache)) == 1


@pytest.mark.slow
def test_killed_while_packing(own_cache: Path, tmp_path: Path) -> None:
    recording = small_recording(training=1500, shape=(72, 128))
    path = write(recording, tmp_path / "a.zip")
    command = [sys.executable, "-c", f"import striate; striate.open({str(path)!r})"]
    rng = random.Random(3)
    began = time.monotonic()
    subprocess.run(command, check=True)
    whole = time.monotonic() - began
    killed = 0
    for _ in range(12):
        for store in stores(own_cache):
            subprocess.run(["rm", "-rf", store], check=True)
        process = subprocess.Popen(command)
        time.sleep(rng.uniform(0.1, 1.1) * whole)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        assert striate.open(path).fingerprint == recording.fingerprint
        assert len(stores(own_cache)) == 1, "what the killed one left behind is cleaned up"
    assert killed >= 3


def test_read_only_cache_is_refused(tmp_path: Path, recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(recording, tmp_path / "a.zip")
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match="STRIATE_CACHE"):
        striate.open(path)
