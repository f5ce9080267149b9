"""Short campaigns: a real portal under load, and one whose processes, database and connections are killed at random."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("django", reason="the portal is an extra: pip install 'striate[portal]'")


_LONGEST = (
    1500  # seconds, beside other tests on a slow machine; what is stuck, campaigns find by themselves much sooner
)


def campaign(name: str, folder: Path, *options: object) -> Any:
    """Run a campaign to its end; its report."""
    environment = {n: v for n, v in os.environ.items() if not n.startswith(("STRIATE_PORTAL", "DJANGO", "DATABASE"))}
    out, log, said = (folder / f"{name}.{kind}" for kind in ("json", "log", "txt"))
    command = [
        sys.executable,
        "-m",
        f"benchmarks.portal.{name}",
        *map(str, options),
        "--out",
        str(out),
        "--log",
        str(log),
    ]
    with said.open("w") as told:
        try:
            status = subprocess.run(
                command,
                env=environment,
                cwd=Path(__file__).parents[2],
                stdout=told,
                stderr=subprocess.STDOUT,
                timeout=_LONGEST,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            status = None
    ends = log.read_text()[-3000:] if log.exists() else "not there"
    assert status == 0, f"{said.read_text()}\nThe portal's log ends:\n{ends}"
    return json.loads(out.read_text())


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    from benchmarks.portal.database import programs

    if request.param == "postgresql" and programs() is None:
        pytest.skip("PostgreSQL is not installed here")
    return str(request.param)


@pytest.mark.slow
def test_under_load_each_file_is_scored_once(database: str, tmp_path: Path) -> None:
    size = ("--teams", 6, "--trials", 200, "--neurons", 60, "--readers", 2, "--minutes", 15)
    report = campaign("load", tmp_path, "--database", database, *size)
    assert report["ok"]
    assert report["scored"] == 8, "five teams send one file; one sends five, and has three"
    assert report["submissions"] >= 10, "one that was refused may be sent again, which is another one"
    assert report["pages"]["/"]["answers"].keys() <= {"200", "503"}
    assert (tmp_path / "load.png").stat().st_size > 10_000


@pytest.mark.slow
def test_under_chaos_nothing_is_lost_doubled_stuck_or_wrong(database: str, tmp_path: Path) -> None:
    size = ("--teams", 4, "--limit", 3, "--trials", 200, "--neurons", 60, "--workers", 1)
    times = ("--minutes", 0.2, "--kills", 6, "--every", 1.5, "--lease", 5, "--patience", 240, "--longest-wait", 2)
    report = campaign("chaos", tmp_path, "--database", database, "--seed", 3, *size, *times)
    assert report["ok"]
    assert sum(report["kills"].values()) >= 6
    assert len(report["kills"]) >= 3, "of the portal's processes, too, and not of senders alone"
    assert set(report["verdicts"]) <= {"scored", "refused", "failed"}
    assert report["verdicts"]["scored"] >= 8, "two teams send four files and have three, two send two"


def test_processes_are_known_however_narrow_a_terminal_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.portal.competition import Played
    from benchmarks.portal.processes import Served

    monkeypatch.setenv("COLUMNS", "40")
    command = [sys.executable, "-c", "import sys; sys.stdin.read()", "x" * 200, "striate.portal.running.worker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as running:
        served = Served(Played(tmp_path, tmp_path), tmp_path, tmp_path / "log", {}, _running={"worker 0": running})
        assert [(each.pid, each.kind) for each in served.found()] == [(running.pid, "worker")]


def test_too_little_disk_is_said_before_anything_is_made(capsys: pytest.CaptureFixture[str]) -> None:
    from benchmarks.portal.load import main

    assert main(["--teams", "1000000"]) == 2
    said = capsys.readouterr()
    assert "needs" in said.out
    assert "--teams" in said.err
