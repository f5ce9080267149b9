"""Senders: a process in which some teams submit their files at once, with striate's own client.

``python -m benchmarks.portal.sender PLAN``. It may be killed at any time: started again, it goes on where its journal ends.
"""

import json
import os
import random
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.portal.journal import Journal, read
from striate.competition.manifest import sha256_of
from striate.errors import InputError
from striate.fetch import OutageError
from striate.portal.client import Portal
from striate.portal.running.parent import end_with_parent
from striate.portal.running.priority import LEAST, give_way

_PAUSE = 1.0  # seconds after an outage
_AGAIN = 0.1  # share of files that are sent again: the same file is the same submission
_MOST_REFUSALS = 3
LONGEST_WAIT = 60.0  # seconds, as `striate submit`


@dataclass(frozen=True)
class Team:
    """A team that sends.

    Attributes
    ----------
    name, token
        Who it is.
    files
        What it sends.
    threads
        How many it sends at once.
    """

    name: str
    token: str
    files: tuple[str, ...]
    threads: int


class TimedPortal(Portal):
    """A portal that notes how long uploads take, and how often it had to wait; and waits no longer than it is told."""

    def __init__(self, address: str, token: str, longest_wait: float) -> None:
        self.waits, self.upload_seconds, self._longest_wait = 0, 0.0, longest_wait
        super().__init__(address, token=token, sleep=self._waited)

    def _waited(self, seconds: float) -> None:
        self.waits += 1
        time.sleep(min(seconds, self._longest_wait))

    def _upload(self, file: Path, name: str) -> str:
        began = time.monotonic()
        number = super()._upload(file, name)
        self.upload_seconds = time.monotonic() - began
        return number


def write_plan(
    path: Path,
    address: str,
    journal: Path,
    teams: list[Team],
    *,
    spread: float,
    seconds: float,
    behind: bool = False,
    longest_wait: float = LONGEST_WAIT,
) -> None:
    """Write what a process of senders shall do.

    Parameters
    ----------
    path
        Where to.
    address
        Of the portal, or of what stands before it.
    journal
        Where it notes what happened.
    teams
        Who sends what.
    spread
        Seconds over which each team spreads its files; 0: as fast as it can.
    seconds
        When to give up.
    behind
        Whether it has the processor only where nobody else wants it, and is a process with a session of its own.
    longest_wait
        Seconds that it waits at most where it was asked to come back later, or nobody answers.
    """
    now = time.time()
    plan = {
        "address": address,
        "journal": str(journal),
        "teams": [vars(team) for team in teams],
        "begins": now,
        "spread": spread,
        "until": now + seconds,
        "behind": behind,
        "longest_wait": longest_wait,
    }
    path.write_text(json.dumps(plan))


def main() -> None:
    """Send what the plan says, as long as there is a campaign."""
    end_with_parent()
    plan = json.loads(Path(sys.argv[1]).read_text())
    journal = Journal(Path(plan["journal"]))
    if plan["behind"]:
        give_way(os.getpid(), session=True, nice=LEAST)
    over = {line["file"] for line in read(Path(plan["journal"])) if line["what"] in ("taken", "given up")}
    threads = []
    for each in plan["teams"]:
        team = Team(each["name"], each["token"], tuple(each["files"]), each["threads"])
        for number in range(team.threads):
            due = [(place / len(team.files), file) for place, file in enumerate(team.files)][number :: team.threads]
            left = [(when, file) for when, file in due if file not in over]
            threads.append(threading.Thread(target=_send_all, args=(plan, team, left, journal)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _send_all(plan: dict[str, Any], team: Team, files: list[tuple[float, str]], journal: Journal) -> None:
    for when, file in files:
        time.sleep(max(0.0, plan["begins"] + plan["spread"] * when - time.time()))
        _send(plan, team, Path(file), journal)
        if random.Random(Path(file).name).random() < _AGAIN:
            _send(plan, team, Path(file), journal)


def _send(plan: dict[str, Any], team: Team, file: Path, journal: Journal) -> None:
    """Send a file until the portal has taken it."""
    refusals, began = 0, time.monotonic()
    while time.time() < plan["until"]:
        portal = TimedPortal(plan["address"], team.token, plan["longest_wait"])
        try:
            sent = portal.send(file, wait=False)
        except OutageError as error:
            journal.note(what="outage", file=str(file), waits=portal.waits, said=str(error))
            time.sleep(_PAUSE)
            continue
        except InputError as error:  # what is sent is sound: this should not happen
            journal.note(what="refused", file=str(file), waits=portal.waits, said=str(error))
            refusals += 1
            if refusals >= _MOST_REFUSALS:
                break
            time.sleep(_PAUSE)
            continue
        journal.note(
            what="taken",
            file=str(file),
            team=team.name,
            id=sent.state["id"],
            new=sent.new,
            receipt=sent.state["receipt"],
            sha256=sha256_of(file),
            seconds=time.monotonic() - began,
            upload=portal.upload_seconds,
            waits=portal.waits,
        )
        return
    journal.note(what="given up", file=str(file))


if __name__ == "__main__":
    main()
