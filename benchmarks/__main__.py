"""Measure: ``python -m benchmarks [case ...]``. Prints a table and writes JSON."""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

FORMS = ("reference", "striate")


def measure(name: str, form: str) -> dict[str, Any]:
    """Time one form of one case in this process."""
    from benchmarks.cases import CASES

    case = CASES[name]
    work = case.prepare(form)
    if case.repeats:
        work()
    seconds = []
    for _ in range(max(1, case.repeats)):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    who = resource.RUSAGE_CHILDREN if name == "score-csv" else resource.RUSAGE_SELF
    return {"seconds": seconds, "peak_mb": resource.getrusage(who).ru_maxrss / 1024}


def compare(name: str, pairs: int) -> dict[str, Any]:
    """Time both forms in turn, each time in new processes, and take medians."""
    from benchmarks.cases import CASES

    case = CASES[name]
    found: dict[str, list[dict[str, Any]]] = {form: [] for form in FORMS}
    for _ in range(pairs):
        for form in FORMS:
            command = [sys.executable, "-m", "benchmarks", "--one", name, form]
            out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            found[form].append(json.loads(out.splitlines()[-1]))
    row: dict[str, Any] = {"case": name, "what": case.what}
    for form in FORMS:
        row[form] = statistics.median(s for one in found[form] for s in one["seconds"])
        row[f"{form}_peak_mb"] = round(max(one["peak_mb"] for one in found[form]))
    row["ratio"] = row["reference"] / row["striate"]
    row["target"], row["limit"] = case.target, case.limit
    row["runs"] = found
    return row


def show(rows: list[dict[str, Any]]) -> str:
    """Draw the table, in Markdown."""
    lines = ["| work | plain reference | striate | ratio | target | peak memory |", "|---|--:|--:|--:|--:|--:|"]
    for row in rows:
        target = f"≥ {row['target']:g}×" if row["target"] else ""
        if row["limit"]:
            target += f"{' and ' if target else ''}≤ {row['limit']:g} s"
        memory = f"{row['reference_peak_mb']:,} → {row['striate_peak_mb']:,} MB"
        times = f"{row['reference']:.3g} s | {row['striate']:.3g} s | {row['ratio']:.1f}×"
        lines.append(f"| {row['what']} | {times} | {target or '–'} | {memory} |")
    return "\n".join(lines)


def main() -> None:
    """Measure what was asked for."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("OMP_NUM_THREADS", "2")
    from benchmarks.cases import CASES
    from benchmarks.data import mouse

    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("cases", nargs="*", help=f"of {', '.join(CASES)}; all by default")
    parser.add_argument("--pairs", type=int, default=1, help="times that both forms are run in turn")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results.json"), help="where to write JSON")
    parser.add_argument("--one", nargs=2, metavar=("CASE", "FORM"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(*given.one)))
        return
    if unknown := [name for name in given.cases if name not in CASES]:
        parser.error(f"there is no case {unknown[0]!r}; there are {', '.join(CASES)}")
    mouse()
    rows = []
    for name in given.cases or CASES:
        print(f"measuring {name} ...", file=sys.stderr)
        rows.append(compare(name, given.pairs))
    machine = {"platform": platform.platform(), "cores": os.cpu_count(), "python": platform.python_version()}
    given.out.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")
    print(show(rows))
    print(f"\nwrote {given.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
