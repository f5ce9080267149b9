"""Compare striate with reference implementations: ``python -m benchmarks [case ...]``. Prints a table and writes JSON."""

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

IMPLEMENTATIONS = ("reference", "striate")


def measure(name: str, implementation: str) -> dict[str, Any]:
    """Time one implementation of one case in this process."""
    from benchmarks.cases import CASES

    case = CASES[name]
    work = case.prepare(implementation)
    if case.repeats:
        work()
    seconds = []
    for _ in range(max(1, case.repeats)):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    scope = resource.RUSAGE_CHILDREN if name == "score-csv" else resource.RUSAGE_SELF
    return {"seconds": seconds, "peak_mb": resource.getrusage(scope).ru_maxrss / 1024}


def compare(name: str, pairs: int) -> dict[str, Any]:
    """Time both implementations alternately, each in a new process, and return medians."""
    from benchmarks.cases import CASES

    case = CASES[name]
    runs: dict[str, list[dict[str, Any]]] = {implementation: [] for implementation in IMPLEMENTATIONS}
    for _ in range(pairs):
        for implementation in IMPLEMENTATIONS:
            command = [sys.executable, "-m", "benchmarks", "--one", name, implementation]
            out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            runs[implementation].append(json.loads(out.splitlines()[-1]))
    row: dict[str, Any] = {"case": name, "title": case.title}
    for implementation in IMPLEMENTATIONS:
        row[implementation] = statistics.median(s for run in runs[implementation] for s in run["seconds"])
        row[f"{implementation}_peak_mb"] = round(max(run["peak_mb"] for run in runs[implementation]))
    row["ratio"] = row["reference"] / row["striate"]
    row["target"], row["limit"] = case.target, case.limit
    row["runs"] = runs
    return row


def markdown_table(rows: list[dict[str, Any]]) -> str:
    """Return the results as a Markdown table."""
    lines = ["| work | reference | striate | ratio | target | peak memory |", "|---|--:|--:|--:|--:|--:|"]
    for row in rows:
        target = f"≥ {row['target']:g}×" if row["target"] else ""
        if row["limit"]:
            target += f"{' and ' if target else ''}≤ {row['limit']:g} s"
        memory = f"{row['reference_peak_mb']:,} → {row['striate_peak_mb']:,} MB"
        times = f"{row['reference']:.3g} s | {row['striate']:.3g} s | {row['ratio']:.1f}×"
        lines.append(f"| {row['title']} | {times} | {target or '–'} | {memory} |")
    return "\n".join(lines)


def main() -> None:
    """Measure the cases arguments on the command line."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("OMP_NUM_THREADS", "2")
    from benchmarks.cases import CASES
    from benchmarks.data import mouse

    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("cases", nargs="*", help=f"cases to measure: {', '.join(CASES)}; all by default")
    parser.add_argument("--pairs", type=int, default=1, help="number of runs of each implementation")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results.json"), help="JSON file to write")
    parser.add_argument("--one", nargs=2, metavar=("CASE", "IMPLEMENTATION"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(*arguments.one)))
        return
    if unknown := [name for name in arguments.cases if name not in CASES]:
        parser.error(f"unknown case {unknown[0]!r}; the cases are {', '.join(CASES)}")
    mouse()
    rows = []
    for name in arguments.cases or CASES:
        print(f"measuring {name} ...", file=sys.stderr)
        rows.append(compare(name, arguments.pairs))
    machine = {"platform": platform.platform(), "cores": os.cpu_count(), "python": platform.python_version()}
    arguments.out.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")
    print(markdown_table(rows))
    print(f"\nwrote {arguments.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
