"""The command: it says what it will do, asks, shows what happens, and prints nothing but the result."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tomli_w

from striate.catalog import catalogue_folder
from tests.fetch.things import sha256, zipped
from tests.fixtures.command import Outcome, assert_one_sentence, run_in_process
from tests.fixtures.hosts import Host, serving

FILES = {f"{n}.zip": zipped(n) for n in range(3)}


def known(host: Host | str, **changes: object) -> None:
    """Put a dataset of three files into the user's catalogue."""
    address = host if isinstance(host, str) else host.address
    tables = {
        "name": "ours",
        "title": "Our three files",
        "addresses": [address],
        "licence": {"name": "CC BY 4.0", "address": "https://example.org/by", "terms": "Name us."},
        "citation": {"text": "We (2026)"},
        "files": [
            {"name": name, "size": len(content), "sha256": sha256(content), "role": role, "mouse": mouse}
            for (name, content), role, mouse in zip(
                FILES.items(), ("sensorium", "pre-training", "pre-training"), (1, 2, 3), strict=True
            )
        ],
    } | changes
    catalogue_folder().mkdir(parents=True, exist_ok=True)
    (catalogue_folder() / "ours.toml").write_text(tomli_w.dumps(tables))


def host() -> Host:
    return Host({f"/{name}": content for name, content in FILES.items()})


def fetch(*arguments: object) -> Outcome:
    return run_in_process("fetch", *arguments)


def test_the_plan_is_said_first_and_the_result_alone_is_printed(tmp_path: Path) -> None:
    with serving(host()) as here:
        known(here)
        outcome = fetch("ours", "--to", tmp_path / "to", "--accept-licence")
    assert outcome.status == 0, outcome.err
    assert outcome.out.splitlines() == [str(tmp_path / "to" / name) for name in FILES]
    plan = outcome.err[: outcome.err.index(f"from {here.address}")]
    for part in ("Our three files", "to fetch: 3 files, 180 kB", "the disk has", "CC BY 4.0", "We (2026)", "to"):
        assert part in plan.replace("181 kB", "180 kB")
    assert "0.zip is complete" in outcome.err


def test_selections(tmp_path: Path) -> None:
    with serving(host()) as here:
        known(here)
        for arguments, names in (
            (["--track", "sensorium"], ["0.zip"]),
            (["--pretraining"], ["1.zip", "2.zip"]),
            (["--mouse", "3", "--mouse", "1"], ["0.zip", "2.zip"]),
            (["1.zip", "--mouse", "1"], ["0.zip", "1.zip"]),
        ):
            outcome = fetch("ours", *arguments, "--accept-licence", "--quiet")
            assert [Path(line).name for line in outcome.out.splitlines()] == names


def test_json(tmp_path: Path) -> None:
    with serving(host()) as here:
        known(here)
        here.fault = lambda _path, number: "500" if number == 0 else None
        outcome = fetch("ours", "--json", "--accept-licence", "--to", tmp_path / "to")
    result = json.loads(outcome.out)
    assert result["files"] == {name: str(tmp_path / "to" / name) for name in FILES}
    assert result["failures"] == {}
    events = [json.loads(line) for line in outcome.err.splitlines()]
    assert {"started", "retrying", "fetched"} <= {event["kind"] for event in events}
    assert all(event["file"] in FILES for event in events)


def test_a_second_run_has_nothing_to_do(tmp_path: Path) -> None:
    with serving(host()) as here:
        known(here)
        first = fetch("ours", "--accept-licence", "-q")
        here.requests.clear()
        second = fetch("ours")
        assert here.requests == []
    assert second.out == first.out
    assert "All files are in" in second.err


def test_an_outage_has_a_status_of_its_own(tmp_path: Path) -> None:
    with serving(host()) as here:
        known(here)
        here.fault = lambda path, _number: "503 seconds" if path == "/1.zip" else None
        here.retry_after = 7200
        outcome = fetch("ours", "--accept-licence", "-q")
    assert outcome.status == 75
    assert [Path(line).name for line in outcome.out.splitlines()] == ["0.zip", "2.zip"]
    assert_one_sentence(outcome, "2 h", "--wait")


def test_a_worse_failure_outweighs_an_outage(tmp_path: Path) -> None:
    with serving(host()) as here:
        known(here)
        del here.files["/2.zip"]
        here.fault = lambda path, _number: "503 seconds" if path == "/1.zip" else None
        here.retry_after = 7200
        outcome = fetch("ours", "--accept-licence")
    assert outcome.status == 1
    assert "2.zip (404)" in outcome.err.splitlines()[-1]
    assert "- " in outcome.err  # and the other one is said, too


@pytest.mark.slow
def test_verify(tmp_path: Path) -> None:
    with serving(host()) as here:
        known(here)
        to = tmp_path / "to"
        fetch("ours", "--accept-licence", "-q", "--to", to)
        here.requests.clear()
        assert fetch("ours", "--verify", "--to", to).status == 0
        (to / "1.zip").write_bytes(FILES["2.zip"])
        outcome = fetch("ours", "--verify", "--to", to, "-q")
        assert_one_sentence(outcome, "Of 3 files of ours", "1 damaged (1.zip)", "striate fetch ours --overwrite")
        found = json.loads(fetch("ours", "--verify", "--to", to, "--json").out)
        assert [each["state"] for each in found] == ["whole", "damaged", "whole"]
        assert here.requests == []
        outcome = fetch("ours", "--to", to, "-q")
        assert_one_sentence(outcome, "was whole when it was fetched", "fetch it again with --overwrite")
        assert fetch("ours", "--to", to, "-q", "--overwrite").status == 0
        assert len(here.requests) == 1
        (to / "0.zip").unlink()
        assert_one_sentence(fetch("ours", "--verify", "--to", to, "-q"), "1 missing (0.zip)")


def test_offline_says_what_is_missing(tmp_path: Path) -> None:
    with serving(host()) as here:
        known(here)
        fetch("ours", "0.zip", "--accept-licence", "-q")
        here.requests.clear()
        outcome = fetch("ours", "0.zip", "1.zip", "--offline", "-q")
        assert here.requests == []
    assert outcome.status == 1
    assert [Path(line).name for line in outcome.out.splitlines()] == ["0.zip"]
    assert_one_sentence(outcome, "1 of 2 files of ours", "(1.zip)", "fetch without --offline")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["our"], 1, "did you mean 'ours'"),
        (["ours", "3.zip"], 1, "has no recording or file '3.zip'"),
        (["ours", "--mouse", "9"], 1, "it has 1, 2, 3"),
        (["ours", "--track", "sensorum"], 1, "did you mean 'sensorium'"),
        (["ours", "--mirror", "ftp://example.org/", "--accept-licence"], 1, "kind that cannot be fetched from"),
        (["ours", "--mirror", "nowhere", "--accept-licence"], 1, "neither a folder nor"),
        (["ours", "--accept-hash", "12", "--accept-licence"], 1, "is not a SHA-256"),
        (["ours", "--at-once", "0"], 2, "at-once"),
        (["ours", "--mouse", "one"], 2, "mouse"),
        (["ours"], 1, "have not been accepted"),
        (["ours", "", "--accept-licence"], 1, "An argument is empty"),
    ],
)
def test_what_is_refused_before_any_work(arguments: list[str], status: int, says: str) -> None:
    with serving(host()) as here:
        known(here)
        outcome = fetch(*arguments, "--quiet")
        assert here.requests == []
    assert outcome.status == status
    assert outcome.out == ""
    assert_one_sentence(outcome, says)


def at_a_terminal(arguments: list[str], typed: bytes) -> tuple[int, str]:
    """Run the program with a terminal for input and errors, and type."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "striate", *arguments]
    process = subprocess.Popen(
        command,
        stdin=slave,
        stderr=slave,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(slave)
    said = b""
    answered = False
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            data = os.read(master, 4096)
        except OSError:
            break
        if not data:
            break
        said += data
        if b"[y/N]" in said and not answered:
            os.write(master, typed)
            answered = True
    status = process.wait(timeout=60)
    os.close(master)
    return status, said.decode(errors="replace")


@pytest.mark.slow
@pytest.mark.parametrize(("typed", "agreed"), [(b"y\n", True), (b"n\n", False), (b"\n", False)])
def test_at_a_terminal_the_terms_are_shown_and_asked_for(typed: bytes, agreed: bool, tmp_path: Path) -> None:
    with serving(host()) as here:
        known(here)
        status, said = at_a_terminal(["fetch", "ours", "--to", str(tmp_path / "to")], typed)
        assert bool(here.requests) is agreed
    assert "Name us." in said
    assert "https://example.org/by" in said
    assert status == (0 if agreed else 1)
    assert "total" in said if agreed else "nothing was fetched" in said


@pytest.mark.slow
def test_an_interruption_ends_at_once_and_keeps_what_came(tmp_path: Path) -> None:
    big = zipped(7, size=3_000_000)
    with serving(Host({"/big.zip": big}, rate=100_000.0)) as here:
        known(here, files=[{"name": "big.zip", "sha256": sha256(big)}])
        command = [sys.executable, "-m", "striate", "fetch", "ours", "--accept-licence", "--to", str(tmp_path / "to")]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # who tests in the background ignores it
        )
        part = tmp_path / "to" / ".striate" / "big.zip.part"
        deadline = time.monotonic() + 120
        while not (part.exists() and part.stat().st_size > 50_000) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(2)
        _, err = process.communicate(timeout=60)
        assert part.stat().st_size < len(big), "it did not wait for the rest"
        assert process.returncode == 130
        assert b"Traceback" not in err
        size = part.stat().st_size
        here.rate = None
        here.requests.clear()
        outcome = fetch("ours", "-q", "--to", tmp_path / "to")
        assert outcome.status == 0, outcome.err
        assert here.requests[0].range == f"bytes={size}-"
    assert (tmp_path / "to" / "big.zip").read_bytes() == big
