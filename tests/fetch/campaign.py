"""A campaign: many downloads of small files under random mixes of faults, with kills at random moments.

``python -m tests.fetch.campaign [--downloads N] [--seed S]``: each round fetches the files of a dataset into a new folder from a
host that misbehaves at random, by processes that are killed by SIGKILL at random moments, until all are whole. It prints how
many downloads there were, and fails if a file was ever wrong.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.fetch.things import described, sha256, zipped
from tests.fixtures.hosts import FAULTS, Host, serving

# what a process of the campaign runs: the same code as the command, with the patience of a test
_CHILD = """
import json, sys
from pathlib import Path
from striate.catalog import Dataset
from striate.catalog.local_files import DatasetFolder
from striate.fetch import Downloader, Options
from tests.fetch.things import QUICK
of = Dataset.model_validate(json.loads(Path(sys.argv[1]).read_text()))
outcome = Downloader(of, DatasetFolder(Path(sys.argv[2])), Options(retry_policy=QUICK)).run(of.files)
sys.exit(3 if outcome.failures else 0)
"""
FILES = 25  # of a round


@dataclass
class Tally:
    """What happened.

    Attributes
    ----------
    downloads
        Files that are whole in the end.
    wrong
        Files that had their name while they had other bytes; there may be none.
    kills, runs, requests
        Processes that were killed, and all; requests that the host saw.
    faults
        How often the host did what.
    """

    downloads: int = 0
    wrong: list[str] = field(default_factory=list)
    kills: int = 0
    runs: int = 0
    requests: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        most = ", ".join(f"{name} {count}" for name, count in sorted(self.faults.items()))
        return (
            f"{self.downloads} downloads whole and verified, {len(self.wrong)} wrong; {self.runs} processes, {self.kills} of "
            f"them killed; {self.requests} requests, of which misbehaved: {most}"
        )


def run_round(rng: random.Random, place: Path, tally: Tally) -> None:
    """Fetch the files of one dataset, come what may."""
    files = {
        f"{n}.zip": zipped(rng.randrange(10**9), size=rng.choice([200, 5_000, 60_000, 250_000])) for n in range(FILES)
    }
    share, seed = rng.uniform(0.3, 0.8), rng.randrange(10**9)  # of requests that go wrong
    chosen = rng.sample(FAULTS, rng.randint(3, len(FAULTS)))

    def fault(_path: str, number: int) -> str | None:
        own = random.Random(f"{seed} {number}")
        kind = own.choice(chosen) if own.random() < share else None
        if kind:
            tally.faults[kind] += 1
        return kind

    host = Host({f"/{name}": content for name, content in files.items()}, fault, seed=seed, rate=8e6)
    to, description = place / "to", place / "dataset.json"
    with serving(host):
        unknown = rng.random() < 0.3  # sizes that only the host tells
        of = described(host, files, **({"size": None} if unknown else {}))
        description.write_text(of.model_dump_json(exclude_defaults=True))
        environment = {**os.environ, "STRIATE_SETTINGS": str(place / "settings"), "STRIATE_CACHE": str(place / "cache")}
        for _ in range(60):
            process = subprocess.Popen([sys.executable, "-c", _CHILD, str(description), str(to)], env=environment)
            tally.runs += 1
            if rng.random() < 0.75:
                tally.kills += _killed(process, host, rng.randint(1, FILES), rng.uniform(0, 0.06))
            status = process.wait(120)
            for name, content in files.items():  # whatever has its name is whole, at every moment
                path = to / name
                if path.exists() and sha256(path.read_bytes()) != sha256(content):
                    tally.wrong.append(f"{path} (status {status})")
            if status == 0:
                break
        else:
            raise AssertionError(f"the files of {description} were not whole after 60 runs")
    assert sorted(path.name for path in to.glob("*.zip")) == sorted(files)
    records = [json.loads((to / ".striate" / f"{name}.json").read_text()) for name in files]
    assert [record["sha256"] for record in records] == [sha256(content) for content in files.values()]
    left = [p.name for p in (to / ".striate").iterdir() if p.is_file() and not p.name.endswith((".zip.json", ".lock"))]
    assert not left, left
    tally.downloads += len(files)
    tally.requests += len(host.requests)


def _killed(process: "subprocess.Popen[bytes]", host: Host, requests: int, later: float) -> bool:
    """Kill a process a moment after the host has seen so many more requests; False if it ended before."""
    until = len(host.requests) + requests
    while process.poll() is None:
        if len(host.requests) >= until:
            time.sleep(later)
            process.send_signal(signal.SIGKILL)
            return process.wait() == -signal.SIGKILL
        time.sleep(0.002)
    return False


def campaign(downloads: int, seed: int) -> Tally:
    """Fetch at least so many files."""
    rng, tally = random.Random(seed), Tally()
    while tally.downloads < downloads:
        with tempfile.TemporaryDirectory(prefix="striate-campaign-") as place:
            run_round(rng, Path(place), tally)
    return tally


def main() -> None:
    """Run a campaign and print its count."""
    parser = argparse.ArgumentParser(prog="python -m tests.fetch.campaign", description=__doc__)
    parser.add_argument("--downloads", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    started = time.monotonic()
    tally = campaign(given.downloads, given.seed)
    print(f"seed {given.seed}: {tally} ({time.monotonic() - started:.0f} s)")
    sys.exit(1 if tally.wrong else 0)


if __name__ == "__main__":
    main()
