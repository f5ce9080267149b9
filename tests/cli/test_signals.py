"""SIGTERM and SIGHUP end any command as Ctrl-C does: one line, a status, nothing half written."""

import os
import signal
from pathlib import Path

import pytest
from tests.fixtures.command import run_in_process

SMALL = ("--neurons", 10, "--train", 20, "--validation", 5, "--test-images", 4, "--image-shape", "18x32", "--seed", 3)
STATUSES = {signal.SIGTERM: 143, signal.SIGHUP: 129}


@pytest.fixture(autouse=True)
def stops_where_a_file_is_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send the signal in ``STOP_BY`` at the worst moment: when a file is written and has not got its name yet."""

    def stop(_: object) -> None:
        os.kill(os.getpid(), int(os.environ["STOP_BY"]))

    monkeypatch.setattr("striate._internal.atomic_write._sync", stop)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), STATUSES.items())
def test_nothing_half_written_is_left(
    number: signal.Signals, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOP_BY", str(int(number)))
    before = signal.signal(number, signal.SIG_DFL)  # it may be ignored here, by nohup for example
    try:
        stopped = run_in_process("simulate", tmp_path / "mice", *SMALL)
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)
    assert (stopped.status, stopped.err) == (status, f"stopped by {number.name}\n")
    assert [p for p in (tmp_path / "mice").rglob("*") if p.is_file()] == []


@pytest.mark.slow
def test_ctrl_c_says_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOP_BY", str(int(signal.SIGINT)))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        stopped = run_in_process("simulate", tmp_path / "mice", *SMALL)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (stopped.status, stopped.err) == (130, "interrupted\n")


@pytest.mark.slow
def test_an_ignored_signal_stays_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``nohup`` wants it."""
    monkeypatch.setenv("STOP_BY", str(int(signal.SIGHUP)))
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        done = run_in_process("simulate", tmp_path / "mice", *SMALL)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert done.status == 0
    assert list((tmp_path / "mice").glob("*.zip"))
