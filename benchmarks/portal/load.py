"""The portal under load: ``python -m benchmarks.portal.load``. Prints what was measured, writes JSON and a picture.

200 teams submit files of 2,000 trials × 2,000 neurons at once while boards are read; some send more than they may, from
several threads at once.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.portal.campaign import campaign, conclude, end, pages, percentiles, verified
from benchmarks.portal.figure import draw
from benchmarks.portal.options import options, started
from benchmarks.portal.processes import Memory, watched

_GREEDY = 20  # one team in so many sends more than it may
_OVER = 2  # how many more
_PATIENCE = 300.0  # seconds for which nothing may come to pass after everything was sent


def run(told: argparse.Namespace) -> int:
    """Put a portal under load; the exit status."""
    greedy = told.limit + _OVER
    sizes = [(greedy, greedy) if number % _GREEDY == 0 else (1, 1) for number in range(told.teams)]
    size = {"trials": told.trials, "neurons": told.neurons, "limit": told.limit, "workers": told.workers}
    with campaign(db=told.database, sizes=sizes, keep=told.log, **size) as made:
        seconds = 60 * told.minutes
        readers = [made.module("reader", made.served.address, made.folder / "reader-0.jsonl", told.readers, alone=True)]
        began = time.time()
        plans = made.plans(made.served.address, min(4, told.teams), spread=0, seconds=seconds, behind=told.behind)
        senders = [made.module("sender", plan, alone=told.behind) for plan in plans]
        try:
            with watched(made.served) as memory:
                for sender in senders:
                    sender.wait(seconds + 60)
                checks, sent = verified(made, patience=_PATIENCE)
        finally:
            end([*senders, *readers])
        report = {"teams": told.teams, "database": made.database.name, "behind": told.behind, **size}
        report |= _measured(sent, made.noted("reader"), began, memory)
    _print(report)
    draw(report.pop("events"), told.out.with_suffix(".png"), f"{told.teams} teams, {report['database']}")
    return conclude(report, checks, told.out)


def _measured(
    sent: Sequence[dict[str, Any]], read: Sequence[dict[str, Any]], began: float, memory: Memory
) -> dict[str, Any]:
    from striate.portal.models import Submission, Transition

    scored = sorted(at.timestamp() for at in Transition.objects.filter(after="scored").values_list("at", flat=True))
    received = sorted(at.timestamp() for at in Submission.objects.values_list("received_at", flat=True))
    ended = scored[-1] if scored else began
    during = [line for line in read if began <= line["at"] <= ended]
    taken = [line for line in sent if line["what"] == "taken" and line["new"]]
    return {
        "submissions": len(received),
        "scored": len(scored),
        "seconds": round(ended - began, 1),
        "scored_a_minute": round(60 * len(scored) / max(1.0, ended - began), 1),
        "taken_a_minute": round(60 * len(received) / max(1.0, received[-1] - began), 1) if received else 0.0,
        "pages": pages(during),
        "pages_a_second": round(len(during) / max(1.0, ended - began), 1),
        "uploads": percentiles([line["upload"] for line in taken]),
        "until_taken": percentiles([line["seconds"] for line in taken]),
        "waits": sum(line["waits"] for line in sent if "waits" in line),
        "largest_process_MB": {kind: round(value / 1e6) for kind, value in memory.largest.items()},
        "together_MB": {kind: round(value / 1e6) for kind, value in memory.together.items()},
        "events": {
            "received": [at - began for at in received],
            "scored": [at - began for at in scored],
            "pages": [(line["at"] - began, line["page"], line["seconds"]) for line in during if line["status"] == 200],
        },
    }


def _print(report: dict[str, Any]) -> None:
    print(f"{report['submissions']} submissions, {report['scored']} scored in {report['seconds']} s", end=": ")
    print(f"{report['scored_a_minute']} scored a minute; taken in at {report['taken_a_minute']} a minute")
    for name, key in (("upload", "uploads"), ("upload and check", "until_taken")):
        print(f"  {name:30} p50 {report[key]['p50_ms'] / 1000:7.1f} s   p99 {report[key]['p99_ms'] / 1000:7.1f} s")
    for page, found in report["pages"].items():
        print(f"  {page:30} p50 {found['p50_ms']:7.1f} ms  p99 {found['p99_ms']:7.1f} ms  {found['answers']}")
    for kind, most in report["largest_process_MB"].items():
        print(f"  {kind:30} at most {most} MB; all of them together {report['together_MB'][kind]} MB")


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line."""
    parser = options("load", __doc__, teams=200, trials=2000, neurons=2000, limit=3, workers=1)
    parser.add_argument("--readers", type=int, default=4, help="how many read pages meanwhile")
    parser.add_argument("--minutes", type=float, default=45, help="when to give up")
    parser.add_argument(
        "--behind", action="store_true", help="senders have the processor after all others, as if on other machines"
    )
    return started(run, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
