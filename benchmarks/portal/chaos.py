"""The portal under chaos: ``python -m benchmarks.portal.chaos``. Prints what was killed and what became of it, and writes JSON.

For some minutes, under load, processes of the portal, its database and its senders are killed (kill -9) at random, and
connections are cut in the middle. Then everything is started again, and nothing may be lost, doubled, stuck or wrong.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.portal import verify
from benchmarks.portal.campaign import Campaign, campaign, conclude, end, pages, say, verified
from benchmarks.portal.options import options, started
from benchmarks.portal.relay import relayed
from benchmarks.portal.sender import LONGEST_WAIT
from benchmarks.portal.waiting import progressing

# What is killed, and how often in comparison.
_TARGETS = {
    "worker": 5,
    "web process": 4,
    "web master": 3,
    "database": 3,
    "decoder": 2,
    "sender": 2,
    "serve": 1,
    "everything": 1,
}
_CUT = 0.25  # share of connections that are cut
_SENDERS = 3
_WHOLE = 24 * 3600.0  # seconds: senders go on until all is taken, however slow the machine


@dataclass
class Chaos:
    """Who kills, and what was killed.

    Attributes
    ----------
    made
        The portal.
    chance
        What is killed when.
    senders
        Processes that send, by their plan.
    kills
        How many of each kind.
    """

    made: Campaign
    chance: random.Random
    senders: dict[Path, subprocess.Popen[bytes]]
    kills: Counter[str] = field(default_factory=Counter)

    def kill(self) -> None:
        """Kill something."""
        kind = self.chance.choices(list(_TARGETS), list(_TARGETS.values()))[0]
        if kind == "sender":
            own = [sender.pid for sender in self.senders.values() if sender.poll() is None]
            if own:
                self._kill([self.chance.choice(own)], kind)
        elif kind == "database" and self.made.served.environment:
            hard = self.chance.random() < 0.5
            self.made.database.stop(hard=hard)
            self._killed("database, kill -9 of the postmaster" if hard else "database, immediate stop")
            time.sleep(self.chance.uniform(0.2, 3))
            self.made.database.start()
        elif kind in ("everything", "database"):  # of SQLite: all who hold it
            own = [found.pid for found in self.made.served.found() if kind == "everything" or found.kind != "serve"]
            if own:
                self._kill(own, "everything at once" if kind == "everything" else "all who hold the database")
        else:
            own = [found.pid for found in self.made.served.found() if found.kind == kind]
            if own:
                self._kill([self.chance.choice(own)], kind)

    def start_again(self) -> None:
        """Start what nobody but the system that looks after services would start, and senders that have not finished."""
        self.made.served.start()
        for plan, sender in self.senders.items():
            if sender.poll() not in (None, 0):
                self.senders[plan] = self.made.module("sender", plan)

    def senders_at_work(self) -> int:
        """How many processes of senders have not finished."""
        return sum(sender.poll() != 0 for sender in self.senders.values())

    def _kill(self, pids: Sequence[int], kind: str) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._killed(kind)

    def _killed(self, kind: str) -> None:
        self.kills[kind] += 1
        say(f"killed: {kind}")


def run(told: argparse.Namespace) -> int:
    """Let chaos reign over a portal; the exit status."""
    seconds = 60 * told.minutes
    greedy = told.limit * 3 // 2
    sizes = [(greedy, 4) if number % 3 == 0 else (max(1, told.limit - 1), 1) for number in range(told.teams)]
    size = {"trials": told.trials, "neurons": told.neurons, "limit": told.limit, "workers": told.workers}
    os.environ["STRIATE_PORTAL_LEASE"] = str(told.lease)
    with campaign(db=told.database, sizes=sizes, keep=told.log, **size) as made:
        file_size = 4 * told.trials * told.neurons
        with relayed(made.served.port, share=_CUT, within=2 * file_size, seed=told.seed) as relay:
            address = f"http://127.0.0.1:{relay.port}/"
            plans = made.plans(address, _SENDERS, spread=seconds, seconds=_WHOLE, longest_wait=told.longest_wait)
            readers = [made.module("reader", made.served.address, made.folder / "reader-0.jsonl", 2, alone=True)]
            chaos = Chaos(made, random.Random(told.seed), {plan: made.module("sender", plan) for plan in plans})
            try:
                _reign(chaos, seconds, told.every, told.kills)
                _calm(chaos, told.patience)
                checks, sent = verified(made, patience=told.patience)
            finally:
                end([*chaos.senders.values(), *readers])
        states, leases = verify.states(), verify.taken_over()
        report = {
            "seed": told.seed,
            "minutes": told.minutes,
            "database": made.database.name,
            "teams": told.teams,
            **size,
            "kills": dict(chaos.kills),
            "connections": relay.connections,
            "connections_cut": relay.cut,
            "answers": dict(Counter(line["what"] for line in sent)),
            "waits_of_clients": sum(line.get("waits", 0) for line in sent),
            "jobs_begun_again": leases,
            "verdicts": states,
            "pages": pages(made.noted("reader")),
        }
    _print(report)
    return conclude(report, checks, told.out)


def _reign(chaos: Chaos, seconds: float, every: float, least: int) -> None:
    """Kill for so many seconds, and on, on a slow machine, until enough was killed."""
    until = time.monotonic() + seconds
    while time.monotonic() < until or chaos.kills.total() < least:
        chaos.start_again()
        time.sleep(min(2 * every, chaos.chance.expovariate(1 / every)))
        chaos.kill()


def _calm(chaos: Chaos, patience: float) -> None:
    """Start everything again, and let the senders finish."""
    say("nothing is killed any more: starting everything again, and waiting for the senders")
    chaos.made.served.wait()

    def over() -> bool:
        chaos.start_again()
        return not chaos.senders_at_work()

    def progress() -> int:
        return sum(line["what"] == "taken" for line in chaos.made.noted("sender"))

    if progressing(over, progress, patience=patience):
        say("all senders have finished")
    else:
        say(f"no file was taken for {patience:.0f} s, and senders have some still: {chaos.senders_at_work()} processes")


def _print(report: dict[str, object]) -> None:
    print(f"seed {report['seed']}, {report['minutes']} minutes on {report['database']}")
    for name, key in (("killed", "kills"), ("answers to senders", "answers"), ("submissions", "verdicts")):
        counts = report[key]
        assert isinstance(counts, dict)
        print(
            f"{name}: {sum(counts.values())} (" + ", ".join(f"{what} {n}" for what, n in sorted(counts.items())) + ")"
        )
    print(f"connections: {report['connections']}, of which {report['connections_cut']} were cut")
    print(f"clients waited {report['waits_of_clients']} times; {report['jobs_begun_again']} jobs were begun again")


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line."""
    parser = options("chaos", __doc__, teams=18, trials=1000, neurons=500, limit=8, workers=2)
    parser.add_argument("--minutes", type=float, default=5, help="how long things are killed")
    parser.add_argument("--kills", type=int, default=0, help="least number of kills, however long these take")
    parser.add_argument("--every", type=float, default=3, help="seconds between kills, on average")
    parser.add_argument("--seed", type=int, default=0, help="of what is killed when")
    parser.add_argument(
        "--lease", type=float, default=45, help="seconds after which a silent worker's job is taken over"
    )
    parser.add_argument(
        "--patience", type=float, default=300, help="seconds for which nothing may come to pass in the rest afterwards"
    )
    parser.add_argument(
        "--longest-wait",
        type=float,
        default=LONGEST_WAIT,
        help="seconds that senders wait at most before they try again",
    )
    return started(run, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
