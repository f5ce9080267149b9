"""What both campaigns have in common: a portal that is made for them, senders, readers, and a report."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.portal import verify
from benchmarks.portal.competition import Played, made
from benchmarks.portal.database import Database, database
from benchmarks.portal.journal import read
from benchmarks.portal.processes import Served
from benchmarks.portal.sender import LONGEST_WAIT, Team, write_plan
from striate.errors import InputError
from striate.portal.running.parent import PARENT

_SPARE = 10**9  # bytes
_COPIES = 2.1  # of each file: the sender's and the portal's, and what decoding takes for a while


@dataclass
class Campaign:
    """A portal on which something is tried.

    Attributes
    ----------
    folder
        For everything.
    played
        The competition.
    served
        The portal.
    database
        Its database.
    teams
        Who submits.
    limit
        How much each may.
    """

    folder: Path
    played: Played
    served: Served
    database: Database
    teams: list[Team]
    limit: int

    def journals(self, kind: str) -> list[Path]:
        """Journals of the senders or the readers."""
        return sorted(self.folder.glob(f"{kind}-*.jsonl"))

    def noted(self, kind: str) -> list[dict[str, Any]]:
        """All that the senders or the readers noted."""
        return [line for path in self.journals(kind) for line in read(path)]

    def plans(
        self,
        address: str,
        processes: int,
        *,
        spread: float,
        seconds: float,
        behind: bool = False,
        longest_wait: float = LONGEST_WAIT,
    ) -> list[Path]:
        """Plans for some processes of senders."""
        paths = []
        for number in range(processes):
            path = self.folder / f"plan-{number}.json"
            journal = self.folder / f"sender-{number}.jsonl"
            teams = self.teams[number::processes]
            write_plan(
                *(path, address, journal, teams),
                spread=spread,
                seconds=seconds,
                behind=behind,
                longest_wait=longest_wait,
            )
            paths.append(path)
        return paths

    def module(self, name: str, *arguments: object, alone: bool = False) -> subprocess.Popen[bytes]:
        """Start a module of the campaign as a process, in a session of its own if others shall not take its share of the processor."""
        with (self.folder / "campaign.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", f"benchmarks.portal.{name}", *map(str, arguments)],
                stdout=log,
                stderr=log,
                start_new_session=alone,
                env={**os.environ, PARENT: str(os.getpid())},
            )


@contextmanager
def campaign(
    *, db: str, sizes: Sequence[tuple[int, int]], trials: int, neurons: int, limit: int, workers: int, keep: Path | None
) -> Iterator[Campaign]:
    """Make everything, start the portal, and in the end stop it and remove everything.

    Parameters
    ----------
    db
        ``sqlite`` or ``postgresql``.
    sizes
        For each team: how many files it sends, and how many of them at once.
    trials, neurons
        Of each file.
    limit
        Submissions that each team has.
    workers
        How many score.
    keep
        Where to leave the log of the portal.
    """
    count = sum(files for files, _ in sizes)
    require_room(Path(tempfile.gettempdir()), count * trials * neurons * 4)
    folder = Path(tempfile.mkdtemp(prefix="striate-campaign-"))
    store = None
    try:
        store = database(db)
        os.environ.update(store.environment)
        if not store.environment:
            os.environ.pop("DATABASE_URL", None)
        say(f"making a competition of {trials:,} trials × {neurons:,} neurons, and {count} files")
        played = made(folder, trials=trials, neurons=neurons, limit=limit)
        names = [f"Team {number}" for number in range(len(sizes))]
        files = _files(played, folder / "files", names, sizes)
        served = Served(played, folder / "data", folder / "portal.log", store.environment, workers)
        say(f"starting the portal on {store.name}")
        served.start()
        served.wait()
        from striate.portal import Place
        from striate.portal.running.prepare import set_up

        set_up(Place.of(played.folder, folder / "data"))
        tokens = verify.people(names)
        teams = [
            Team(name, tokens[name], tuple(map(str, files[name])), at_once)
            for name, (_, at_once) in zip(names, sizes, strict=True)
        ]
        try:
            yield Campaign(folder, played, served, store, teams, limit)
        finally:
            served.end()
    finally:
        if keep is not None and (folder / "portal.log").exists():
            shutil.copy(folder / "portal.log", keep)
        if store is not None:
            store.remove()
        shutil.rmtree(folder, ignore_errors=True)


def require_room(folder: Path, size: int) -> None:
    """Say how much disk is needed, and refuse if there is not that much.

    Raises
    ------
    InputError
        If there is not.
    """
    needed, free = int(_COPIES * size) + _SPARE, shutil.disk_usage(folder).free
    say(f"this needs {needed / 1e9:.1f} GB below {folder}, where {free / 1e9:.1f} GB are free")
    if needed > free:
        raise InputError(
            f"{needed / 1e9:.1f} GB are needed below {folder} and {free / 1e9:.1f} are free: have fewer teams (--teams) or smaller "
            "files (--trials, --neurons), or name another folder (TMPDIR)."
        )


def _files(
    played: Played, folder: Path, names: Sequence[str], sizes: Sequence[tuple[int, int]]
) -> dict[str, list[Path]]:
    """Write the files of all teams: no two have the same bytes."""
    folder.mkdir()
    files: dict[str, list[Path]] = defaultdict(list)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        seed = 0
        for name, (count, _) in zip(names, sizes, strict=True):
            for _ in range(count):
                path = folder / f"{seed}.parquet"
                files[name].append(path)
                pool.submit(played.write, path, seed)
                seed += 1
    missing = [path for each in files.values() for path in each if not path.exists()]
    if missing:
        raise RuntimeError(f"{missing[0]} could not be written.")
    return files


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Median and 99th percentile, in milliseconds."""
    half, most = np.percentile(seconds, [50, 99]) * 1000 if seconds else (np.nan, np.nan)
    return {"count": len(seconds), "p50_ms": round(float(half), 1), "p99_ms": round(float(most), 1)}


def pages(lines: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """How each page was answered."""
    found = {}
    for page in sorted({line["page"] for line in lines}):
        own = [line for line in lines if line["page"] == page]
        fine = [line["seconds"] for line in own if line["status"] == 200]
        found[page] = {**percentiles(fine), "answers": dict(Counter(str(line["status"]) for line in own))}
    return found


def wrong_answers(lines: Sequence[Mapping[str, Any]]) -> verify.Check:
    """No answer is a fault: a portal that cannot answer now says 503, or nothing."""
    wrong = Counter(
        f"{line['page']} was answered with {line['status']}" for line in lines if line["status"] not in (0, 200, 503)
    )
    return verify.Check(
        "no page is a fault", tuple(f"{what}, {count} times" for what, count in wrong.items()), f"{len(lines)} pages"
    )


def untold(campaign: Campaign, sent: Sequence[Mapping[str, Any]]) -> list[verify.Check]:
    """Senders of sound files are told no fault of theirs, and get every file in."""
    told = Counter(line["said"] for line in sent if line["what"] == "refused")
    taken = {line["file"] for line in sent if line["what"] == "taken"}
    files = [file for team in campaign.teams for file in team.files]
    return [
        verify.Check(
            "no sender was told a fault that is none",
            tuple(f"{said} ({count} times)" for said, count in told.items()),
            f"{len(sent)} answers",
        ),
        verify.Check("every file got in", tuple(file for file in files if file not in taken), f"{len(taken)} files"),
    ]


def verified(campaign: Campaign, *, patience: float) -> tuple[list[verify.Check], list[dict[str, Any]]]:
    """Wait for the end of everything as long as something comes to pass, and hold it against what must be true; also return what was sent."""
    if not verify.drained(patience):
        say(f"nothing came to pass for {patience:.0f} s, and not all is done: {verify.left()}")
    say("verifying: every file is scored once more, off the portal")
    sent = campaign.noted("sender")
    taken = [line for line in sent if line["what"] == "taken"]
    store = campaign.folder / "data" / "submissions"
    found = list(verify.checks(campaign.played, store, campaign.folder, taken, campaign.limit))
    found += [*untold(campaign, sent), wrong_answers(campaign.noted("reader"))]
    return found, sent


def conclude(report: dict[str, Any], checks: Sequence[verify.Check], out: Path) -> int:
    """Print the checks, write the report; the exit status."""
    for check in checks:
        print(f"{'ok   ' if not check.wrong else 'WRONG'} {check.what}: {check.said}")
        for each in check.wrong[:5]:
            print(f"      {each}")
    report["checks"] = [
        {"what": c.what, "ok": not c.wrong, "said": c.said, "wrong": list(c.wrong[:50])} for c in checks
    ]
    report["ok"] = not any(check.wrong for check in checks)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=1) + "\n")
    print(f"wrote {out}")
    return 0 if report["ok"] else 1


def end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Kill processes that the campaign started."""
    for each in processes:
        if each.poll() is None:
            each.kill()
        each.wait()


def say(text: str) -> None:
    """Print what is done now, and when."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)
